"""What a value known only after apply points to, by the configuration's references."""

from __future__ import annotations

from typing import Any

import pytest

from engine.review.configuration import Configuration
from engine.review.references import Resolution, Step, Target, module_steps, parse_steps

GRANT = "aws_kms_grant"


def _resource(references: list[str], **more: Any) -> dict[str, Any]:
    return {
        "mode": "managed",
        "type": GRANT,
        "name": "g",
        "expressions": {"key_id": {"references": references}},
        **more,
    }


def _resolve(root: dict[str, Any], module: str = "", index: str | int | None = None) -> Resolution:
    return Configuration(root).resolve(module, GRANT, "g", index, "key_id")


def _target(name: str, index: str | int | None = None, module: tuple[Step, ...] = ()) -> Target:
    return Target(module, "aws_kms_key", name, index)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("aws_kms_key.a", (Step("aws_kms_key"), Step("a"))),
        ("aws_kms_key.a[0].arn", (Step("aws_kms_key"), Step("a", 0), Step("arn"))),
        ('module.m["x.y[0]"].out', (Step("module"), Step("m", "x.y[0]"), Step("out"))),
        ('aws_kms_key.a["say \\"hi\\""]', (Step("aws_kms_key"), Step("a", 'say "hi"'))),
    ],
)
def test_addresses_are_split(text: str, steps: tuple[Step, ...]) -> None:
    assert parse_steps(text) == steps


def test_the_steps_of_nested_modules() -> None:
    assert module_steps('module.a["x"].module.b[1]') == (Step("a", "x"), Step("b", 1))
    assert module_steps("") == ()


def test_a_reference_in_the_same_module() -> None:
    root = {"resources": [_resource(["aws_kms_key.k.key_id", "aws_kms_key.k"])]}
    assert _resolve(root) == Resolution((_target("k"),), certain=True)


def test_an_explicit_instance() -> None:
    root = {"resources": [_resource(['aws_kms_key.k["a"].arn', 'aws_kms_key.k["a"]', "aws_kms_key.k"])]}
    assert _resolve(root).targets == (_target("k", "a"),)


@pytest.mark.parametrize("reference", ["each.key", "count.index", "each.value"])
def test_the_same_instance(reference: str) -> None:
    root = {"resources": [_resource(["aws_kms_key.k", reference])]}
    assert _resolve(root, index="b") == Resolution((_target("k", "b"),), certain=True)


def test_chained_for_each() -> None:
    entry = _resource(["each.value.key_id", "each.value"], for_each_expression={"references": ["aws_kms_key.k"]})
    assert _resolve({"resources": [entry]}, index="b") == Resolution((_target("k", "b"),), certain=True)


def test_out_of_a_module_by_its_variable() -> None:
    root = {
        "module_calls": {
            "m": {
                "expressions": {"key": {"references": ["aws_kms_key.k.arn", "aws_kms_key.k"]}},
                "module": {"resources": [_resource(["var.key"])]},
            }
        }
    }
    assert _resolve(root, "module.m") == Resolution((_target("k"),), certain=True)


def test_into_a_module_by_its_output() -> None:
    outputs = {"arn": {"expression": {"references": ["aws_kms_key.k.arn", "aws_kms_key.k"]}}}
    root = {
        "resources": [_resource(["module.m.arn", "module.m"])],
        "module_calls": {"m": {"module": {"outputs": outputs}}},
    }
    assert _resolve(root) == Resolution((_target("k", None, (Step("m"),)),), certain=True)


def test_into_the_instance_of_a_module() -> None:
    outputs = {"arn": {"expression": {"references": ["aws_kms_key.k.arn", "aws_kms_key.k"]}}}
    root = {
        "resources": [_resource(["module.m", "each.key"])],
        "module_calls": {"m": {"module": {"outputs": outputs}}},
    }
    assert not _resolve(root, index="x").certain  # which output is not told
    root["resources"] = [_resource(['module.m["x"].arn', 'module.m["x"]', "module.m"])]
    assert _resolve(root).targets == (_target("k", None, (Step("m", "x"),)),)


@pytest.mark.parametrize(
    "references",
    [
        ["local.key"],
        ["aws_kms_key.k.arn", "aws_kms_key.k", "local.other"],
        ["data.aws_kms_key.k.arn", "data.aws_kms_key.k"],
        ["module.absent.arn", "module.absent"],
        [],
    ],
)
def test_what_the_configuration_does_not_tell_is_uncertain(references: list[str]) -> None:
    assert not _resolve({"resources": [_resource(references)]}).certain


def test_a_choice_of_two_keys_has_two_targets() -> None:
    references = ["var.first", "aws_kms_key.a.arn", "aws_kms_key.a", "aws_kms_key.b.arn", "aws_kms_key.b"]
    found = _resolve({"resources": [_resource(references)]})
    assert found == Resolution((_target("a"), _target("b")), certain=True)


def test_modules_that_refer_to_each_other_without_end_are_uncertain() -> None:
    outputs = {"x": {"expression": {"references": ["module.m.x", "module.m"]}}}
    inner: dict[str, Any] = {"outputs": outputs}
    inner["module_calls"] = {"m": {"module": inner}}
    root = {"resources": [_resource(["module.m.x", "module.m"])], "module_calls": {"m": {"module": inner}}}
    assert not _resolve(root).certain


@pytest.mark.parametrize("root", [{}, {"resources": "x"}, {"resources": [5]}, {"resources": [{"expressions": 5}]}])
def test_an_odd_configuration_is_uncertain(root: dict[str, Any]) -> None:
    assert _resolve(root) == Resolution((), certain=False)


@pytest.mark.parametrize(
    ("expression", "constant"),
    [
        ({"constant_value": "x"}, True),
        (None, True),
        ({"references": ["aws_kms_key.k.arn", "aws_kms_key.k"]}, False),
        ({"references": ["local.x"]}, False),
        ({}, False),
    ],
    ids=["a constant", "its default", "a resource", "a local", "nothing that is told"],
)
def test_whether_a_modules_variable_is_constant(expression: dict[str, Any] | None, constant: bool) -> None:
    expressions = {} if expression is None else {"v": expression}
    configuration = Configuration({"module_calls": {"m": {"expressions": expressions, "module": {}}}})
    assert configuration.is_constant("module.m", "var.v") is constant


@pytest.mark.parametrize("reference", ["local.v", "var", "aws_kms_key.v", ""])
def test_only_a_variable_is_constant(reference: str) -> None:
    assert not Configuration({}).is_constant("", reference)
    assert Configuration({}).is_constant("", "var.v")
    assert Configuration({}).is_constant("", "var.v.name")
