"""The declaration: what it says, every mistake at once with its place, and never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalogue import Product
from engine.declaration import DeclaredState, Origin, VendorAccess, load_declaration, parse_declaration
from engine.errors import InputError
from tests.builders import DECLARATION, declaration, declared_generations, key_arn

if TYPE_CHECKING:
    from pathlib import Path


def mistakes(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_declaration("ekm.yaml", text.encode())
    return [str(mistake) for mistake in caught.value.mistakes]


def changed(old: str, new: str) -> str:
    assert old in DECLARATION
    return DECLARATION.replace(old, new)


def test_a_declaration_becomes_typed_values_with_the_defaults_of_the_design() -> None:
    read = declaration()
    assert read.tenant == "northwind"
    assert read.vendor.account_id == "210987654321"
    assert read.products == (Product.MICROSOFT_365, Product.GOOGLE_WORKSPACE, Product.ENTRA_ID)
    assert read.vendor_access is VendorAccess.BOTH
    assert (read.ledger, read.vault) == ("sqlite:///.keyturn/ledger.db", ".keyturn/vault")
    assert (read.retention_days, read.max_operation_seconds) == (30, 300)
    generation = read.current_generation
    assert (generation.number, generation.origin, generation.deletion_window_in_days) == (1, Origin.AWS_KMS, 30)
    assert generation.state is DeclaredState.ACTIVE
    assert generation.made_by_stacks


@pytest.mark.requirement("EKM-13")
def test_the_vendors_account_id_keeps_its_leading_zero() -> None:
    assert declaration(changed('"210987654321"', '"010987654321"')).vendor.account_id == "010987654321"


@pytest.mark.requirement("EKM-13")
@pytest.mark.parametrize(
    "value", ["210987654321", "010987654321", '"21098765432"', '"2109876543210"', '"21098765432x"', "~"]
)
def test_a_vendor_account_id_that_is_not_twelve_digits_in_quotes_is_refused(value: str) -> None:
    (mistake,) = mistakes(changed('"210987654321"', value))
    assert mistake.startswith("ekm.yaml:3:")
    assert "exactly 12 digits in quotes" in mistake


@pytest.mark.requirement("EKM-04")
def test_an_unknown_product_is_refused_with_those_that_there_are() -> None:
    (mistake,) = mistakes(changed("entra_id", "salesforce"))
    assert mistake == (
        'ekm.yaml:4:44: products[2] is "salesforce"; expected one of microsoft365, google_workspace, entra_id'
    )


@pytest.mark.requirement("EKM-16")
@pytest.mark.parametrize("value", ["[]", '["root"]', '["arn:aws:iam::123456789012:root"]', '["*"]'])
def test_key_administrators_are_at_least_one_role_or_user(value: str) -> None:
    (mistake,) = mistakes(changed('["arn:aws:iam::123456789012:role/KeyAdmin"]', value))
    assert mistake.startswith("ekm.yaml:6:")


@pytest.mark.requirement("EKM-18")
def test_the_vendor_is_another_account() -> None:
    (mistake,) = mistakes(changed('"210987654321"', '"123456789012"'))
    assert "your own account" in mistake


@pytest.mark.requirement("EKM-07")
@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("https://acme.vault.azure.net/keys/ekm/1", "Azure Key Vault"),
        ("projects/acme/locations/global/keyRings/r/cryptoKeys/ekm", "Google Cloud KMS"),
        ("ocid1.key.oc1.iad.abc", "Oracle Cloud Infrastructure Vault"),
    ],
)
def test_a_key_outside_aws_is_refused_and_its_host_named(name: str, host: str) -> None:
    (mistake,) = mistakes(DECLARATION + f"    key_arn: {name}\n")
    assert mistake.startswith("ekm.yaml:16:14: ")
    assert host in mistake
    assert "EKM-07" in mistake


def test_a_key_of_another_account_or_region_is_refused() -> None:
    found = mistakes(DECLARATION + "    key_arn: arn:aws:kms:eu-west-1:999999999999:key/mrk-" + "0" * 32 + "\n")
    assert [line.split(": ", 1)[1] for line in found] == [
        "the key is in the account 999999999999; expected your own account 123456789012 [EKM-05]",
        "the key is in the Region eu-west-1; expected us-east-1, as aws.region says",
    ]


def test_every_mistake_is_reported_at_once_in_the_order_of_the_file() -> None:
    text = (
        changed("current: 1", "current: 7").replace("tenant: northwind", "tenant: North Wind") + "    orign: EXTERNAL\n"
    )
    found = mistakes(text)
    assert [line.split(":")[1] for line in found] == ["2", "11", "16"]
    assert "expected 'origin'" in found[2]


@pytest.mark.requirement("EKM-11")
@pytest.mark.parametrize("numbers", [(2,), (1, 3), (1, 1), (2, 1), (0,)])
def test_generations_are_numbered_from_one_without_gap_or_repeat(numbers: tuple[int, ...]) -> None:
    head, _, _ = DECLARATION.partition("  - number: 1")
    text = head + "".join(f"  - number: {number}\n" for number in numbers)
    assert any("number" in line for line in mistakes(text))


def test_one_key_is_not_two_generations() -> None:
    arn = f"    key_arn: {key_arn(1)}\n"
    (mistake,) = mistakes(DECLARATION + arn + "  - number: 2\n" + arn)
    assert "the key of generations[0]" in mistake


@pytest.mark.parametrize("state", ["retired", "released", "deleted"])
def test_the_current_generation_is_active(state: str) -> None:
    (mistake,) = mistakes(DECLARATION + f"    state: {state}\n")
    assert "the current generation" in mistake


@pytest.mark.requirement("EKM-06")
@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("origin: AWS_CLOUDHSM", "without custom_key_store_id"),
        ("origin: EXTERNAL_KEY_STORE\n    custom_key_store_id: cks-12345678", "without xks_key_id"),
        ("custom_key_store_id: cks-12345678", "in no key store"),
        ("xks_key_id: abc", "no external key"),
        ("origin: EXTERNAL\n    rotation_period_in_days: 365", "automatic rotation is not supported"),
        ("replicas: [eu-west-1]", "not multi-Region"),
        ("multi_region: true\n    replicas: [us-east-1]", "the key's own Region"),
        ("multi_region: true\n    replicas: [cn-north-1]", "in another partition"),
        ("material_imported: true", "no key material is imported into a key of origin AWS_KMS"),
        (
            "origin: AWS_CLOUDHSM\n    custom_key_store_id: cks-12345678\n    multi_region: true",
            "cannot be multi-Region",
        ),
    ],
)
def test_an_origin_has_what_it_needs_and_nothing_that_it_cannot_have(extra: str, expected: str) -> None:
    (mistake,) = mistakes(DECLARATION + f"    {extra}\n")
    assert expected in mistake


@pytest.mark.requirement("EKM-06")
@pytest.mark.parametrize(
    "extra",
    [
        "origin: EXTERNAL",
        "origin: EXTERNAL\n    material_imported: true",
        "origin: AWS_CLOUDHSM\n    custom_key_store_id: cks-12345678",
        "origin: EXTERNAL_KEY_STORE\n    custom_key_store_id: cks-12345678\n    xks_key_id: key-1",
    ],
)
def test_third_party_keys_that_aws_integrates_may_be_declared(extra: str) -> None:
    assert declaration(DECLARATION + f"    {extra}\n").current_generation.origin is not Origin.AWS_KMS


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_declaration(tmp_path / "ekm.yaml")
    assert "does not exist" in caught.value.message
    assert "keyturn init" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "expected a mapping"),
        (b"\xff\xfe", "1:1: the byte 0xff is not UTF-8"),
        (b"a: 1\na: 2\n", "2:1: the key 'a' stands twice"),
        (b"a: &x 1\n", "anchors and aliases"),
        (b"a: !!python/object:os.system x\n", "the tag"),
        (b"a: '", "not valid YAML"),
        (b"[" * 100_000, "nested deeper"),
        (b"a: 1\n---\nb: 2\n", "a second document"),
        (b"version: 1" + b"0" * 5000, "too long"),
    ],
)
def test_a_file_that_is_no_declaration_gives_one_clear_mistake(data: bytes, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_declaration("ekm.yaml", data)
    assert expected in "\n".join(caught.value.diagnostics())


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(DECLARATION)))
def test_a_truncated_declaration_is_read_or_refused(length: int) -> None:
    try:
        parse_declaration("ekm.yaml", DECLARATION.encode()[:length])
    except InputError as error:
        assert error.diagnostics()


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(DECLARATION)), st.integers(0, 12), st.binary(max_size=8)), min_size=1, max_size=4
    )
)
def test_a_mutated_declaration_is_read_or_refused(edits: list[tuple[int, int, bytes]]) -> None:
    data = declared_generations(2).encode()
    for position, removed, inserted in edits:
        data = data[:position] + inserted + data[position + removed :]
    try:
        parse_declaration("ekm.yaml", data)
    except InputError as error:
        assert error.diagnostics()


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab:/*-1", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        [
            "version",
            "tenant",
            "druva",
            "products",
            "aws",
            "key_administrators",
            "break_glass",
            "alias",
            "current",
            "generations",
        ]
    ),
    _values,
    st.sampled_from(["number", "state", "key_arn", "alias", "origin", "replicas"]),
    _values,
)
def test_any_value_anywhere_is_read_or_refused(key: str, value: object, inner_key: str, inner_value: object) -> None:
    import yaml

    document = yaml.safe_load(DECLARATION)
    document["generations"].append({"number": 2, inner_key: inner_value})
    document[key] = value
    try:
        parse_declaration("ekm.yaml", yaml.safe_dump(document).encode())
    except InputError as error:
        assert error.diagnostics()
