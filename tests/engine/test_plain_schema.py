"""The plain check of a schema says yes only where the library does, and says it of what has no mistake."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.declaration import SCHEMA
from engine.located_yaml import parse_yaml
from engine.plain_schema import certainly_valid
from tests.builders import DECLARATION

POLICIES = Path(__file__).parents[2] / "policies"
SCHEMAS = [SCHEMA, *sorted(POLICIES.glob("*.schema.json"))]
EVERYTHING_DECLARED = {
    "version": 1,
    "tenant": "northwind",
    "druva": {"account_id": "210987654321", "activated": True},
    "products": ["microsoft365", "entra_id"],
    "aws": {"account_id": "123456789012", "region": "us-gov-west-1"},
    "key_administrators": ["arn:aws:iam::123456789012:role/path/KeyAdmin"],
    "allow_key_deletion": True,
    "break_glass": ["arn:aws:iam::123456789012:user/last"],
    "vendor_access": "both",
    "vendor_narrowing": {"encryption_context": {"tenant": "north wind"}, "principal_tags": {"service": "a+b"}},
    "alias": "alias/northwind-ekm",
    "current": 1,
    "revoked": False,
    "generations": [
        {
            "number": 1,
            "description": "erster Schlüssel",
            "origin": "EXTERNAL_KEY_STORE",
            "custom_key_store_id": "cks-1234567890abcdef0",
            "xks_key_id": "k-1",
            "material_imported": True,
            "multi_region": False,
            "replicas": ["eu-west-1"],
            "rotation_period_in_days": 90,
            "deletion_window_in_days": 30,
            "alias": "alias/one",
            "address": 'module.keys["a"].aws_kms_key.ekm[0]',
            "key_arn": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "state": "active",
        }
    ],
    "ledger": "sqlite:///.keyturn/ledger.db",
    "vault": "s3://backups/northwind",
    "terraform_state": "s3://states/ekm",
    "alerts": {"emails": ["keys@example.com"], "idle_hours": 48},
    "retention_days": 30,
    "max_operation_seconds": 300,
}
SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-3, 4000)
    | st.floats(allow_nan=False)
    | st.sampled_from(
        [0.0, 1.0, 30.0, "", "1", "a\n", "é", "alias/a\n", "alias/aws/x", "s3://ab", "AWS_KMS", "keyturn"]
    )
    | st.text(max_size=4)
    | st.from_regex(r"[a-z0-9:/_\n-]{0,12}", fullmatch=True)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def _schema(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with each of its keys."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found += [(value, key), *_places(inner)]
    return found


@pytest.mark.parametrize("document", [EVERYTHING_DECLARED, parse_yaml("ekm.yaml", DECLARATION.encode()).value])
def test_a_declaration_without_a_mistake_needs_no_library(document: Any) -> None:
    assert certainly_valid(document, _schema(SCHEMA))


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (True, {"const": 1}),
        (1.0, {"type": "integer"}),
        (True, {"type": "integer"}),
        (True, {"minimum": 0}),
        ("a\n", {"pattern": "^a$"}),
        ([1, True], {"uniqueItems": True}),
        ({"a": 1}, {"additionalProperties": False}),
        ("a", {"a-keyword-of-tomorrow": True}),
        ("a", {"type": ["string", "null"]}),
        ("a", False),
    ],
)
def test_what_the_two_may_take_differently_is_for_the_library(value: Any, schema: Any) -> None:
    assert not certainly_valid(value, schema)


@settings(max_examples=400)
@given(data=st.data())
def test_a_changed_declaration_that_passes_is_one_that_the_library_takes(data: st.DataObject) -> None:
    schema = _schema(SCHEMA)
    document = copy.deepcopy(EVERYTHING_DECLARED)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(_places(document)))
        match data.draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                container[key] = data.draw(VALUES)
            case "remove":
                del container[key]
            case _ if isinstance(container, dict):
                container[data.draw(st.sampled_from(["tenant", "state", "x", ""]))] = data.draw(VALUES)
            case _:
                container.append(container[key])
        if not _places(document):
            break
    if certainly_valid(document, schema):
        assert jsonschema_rs.Draft202012Validator(schema).is_valid(document)


KEYWORDS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "boolean", "integer", "number", "null"]),
            "const": SCALARS,
            "enum": st.lists(SCALARS, min_size=1, max_size=3),
            "pattern": st.sampled_from(["^a", "a$", "^[\\w-]+$", "^[^\\s]*$", "^(?!s3:)[^\\x00-\\x1f\\x7f]+$", ""]),
            **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), st.integers(0, 3)),
            **dict.fromkeys(("minProperties", "maxProperties"), st.integers(0, 3)),
            **dict.fromkeys(("minimum", "maximum"), st.integers(-2, 3)),
            "uniqueItems": st.booleans(),
            "required": st.lists(st.sampled_from(["a", "b"]), unique=True, max_size=2),
            "oneOf": st.just([True]),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "items": inner | st.booleans(),
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
            "additionalProperties": inner | st.booleans(),
            "propertyNames": inner | st.booleans(),
        },
    ),
    max_leaves=4,
)


@settings(max_examples=400)
@given(schema=KEYWORDS, value=VALUES)
def test_whatever_passes_under_any_schema_is_taken_by_the_library(schema: Any, value: Any) -> None:
    if certainly_valid(value, schema):
        assert jsonschema_rs.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_nothing_passes_a_schema_of_ours_for_being_empty_or_of_another_type(path: Path) -> None:
    values: tuple[Any, ...] = (None, [], "", 0, True)
    for value in values:
        assert not certainly_valid(value, _schema(path))
