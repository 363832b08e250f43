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
        ('aws_kms_key.a[0]["arn"]', (Step("aws_kms_key"), Step("a", 0))),
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


@pytest.mark.parametrize("beside", [(), ("each.key",), ("count.index",)])
def test_an_instance_that_is_named_is_that_one(beside: tuple[str, ...]) -> None:
    root = {"resources": [_resource(['aws_kms_key.k["a"].arn', 'aws_kms_key.k["a"]', "aws_kms_key.k", *beside])]}
    assert _resolve(root, index="b") == Resolution((_target("k", "a"),), certain=True)


def test_without_a_word_of_instances_any_may_be_meant() -> None:
    assert _resolve({"resources": [_resource(["aws_kms_key.k.arn", "aws_kms_key.k"])]}, index="b").targets == (
        _target("k"),
    )


@pytest.mark.parametrize("kind", ["random_id", "vault_token", "zzz_key"])
def test_a_resource_of_any_type_is_a_target(kind: str) -> None:
    root = {"resources": [_resource([f"{kind}.k.id", f"{kind}.k"])]}
    assert _resolve(root) == Resolution((Target((), kind, "k", None),), certain=True)


@pytest.mark.parametrize(
    ("reference", "named", "attribute"),
    [
        ("each.value", "aws_kms_key.k.arn", "arn"),
        ("each.value", "aws_kms_key.k", None),
        ("each.value.arn", "aws_kms_key.k", "arn"),
        ("each.value.key.arn", "aws_kms_key.k", "key"),
        ("each.value.arn", "aws_kms_key.k.name", "name"),
        ("each.value.key", "aws_kms_key.k.arn", "arn"),
    ],
)
def test_what_is_taken_of_a_chained_resource(reference: str, named: str, attribute: str | None) -> None:
    """What `for_each` takes of it counts: its element may have been given any name."""
    entry = _resource([reference, "each.value"], for_each_expression={"references": [named, "aws_kms_key.k"]})
    found = _resolve({"resources": [entry]}, index="b")
    assert found == Resolution((_target("k", "b"),), certain=True)
    assert [target.attribute for target in found.targets] == [attribute]


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


def test_out_of_two_modules_by_their_variables() -> None:
    within = {"resources": [_resource(["var.key"])]}
    inner = {"expressions": {"key": {"references": ["var.keys", "each.key"]}}, "module": within}
    given = {"references": ["aws_kms_key.k", "each.value"]}
    outer = {"expressions": {"keys": given}, "module": {"module_calls": {"inner": inner}}}
    root = {"module_calls": {"outer": outer}}
    found = _resolve(root, 'module.outer["a"].module.inner["b"]')
    assert found == Resolution((_target("k", "a"),), certain=True)


def _nested(levels: int) -> dict[str, Any]:
    """Modules within modules: each gives its variable to the next one, and its next one's output back."""
    module: dict[str, Any] = {
        "resources": [_resource(["var.key"])],
        "outputs": {"arn": {"expression": {"references": ["aws_kms_key.k.arn", "aws_kms_key.k"]}}},
    }
    for level in range(levels):
        given = {"references": ["aws_kms_key.k" if level == levels - 1 else "var.key"]}
        module = {
            "module_calls": {"m": {"expressions": {"key": given}, "module": module}},
            "outputs": {"arn": {"expression": {"references": ["module.m.arn", "module.m"]}}},
        }
    return module


@pytest.mark.parametrize(("levels", "certain"), [(1, True), (15, True), (1000, False)])
def test_through_many_modules_in_both_directions(levels: int, certain: bool) -> None:
    root, inside = _nested(levels), ".".join(["module.m"] * levels)
    outwards = _resolve(root, inside)
    root["resources"] = [_resource(["module.m.arn", "module.m"])]
    inwards = _resolve(root)
    assert (outwards.certain, inwards.certain) == (certain, certain)
    assert outwards.targets == ((_target("k"),) if certain else ())
    assert inwards.targets == ((_target("k", None, (Step("m"),) * levels),) if certain else ())


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
    for index, references in (
        (None, ['module.m["x"].arn', 'module.m["x"]', "module.m"]),
        ("y", ['module.m["x"].arn', 'module.m["x"]', "module.m", "each.key"]),
        ("x", ["module.m.arn", "module.m", "each.key"]),
    ):
        root["resources"] = [_resource(references)]
        assert _resolve(root, index=index).targets == (_target("k", None, (Step("m", "x"),)),)


@pytest.mark.parametrize(
    "references",
    [
        ["local.key"],
        ["aws_kms_key.k.arn", "aws_kms_key.k", "local.other"],
        ["data.aws_kms_key.k.arn", "data.aws_kms_key.k"],
        ["module.absent.arn", "module.absent"],
        ["module.m"],
        ["module"],
        ["var"],
        ["aws_kms_key"],
        [""],
        ["", "each.key"],
        [],
    ],
)
def test_what_the_configuration_does_not_tell_is_uncertain(references: list[str]) -> None:
    assert not _resolve({"resources": [_resource(references)]}).certain


@pytest.mark.parametrize("reference", ["each", "count", "path.module", "terraform.workspace", "self.id"])
def test_what_is_no_resource_adds_no_doubt(reference: str) -> None:
    references = ["aws_kms_key.k.arn", "aws_kms_key.k", reference]
    assert _resolve({"resources": [_resource(references)]}) == Resolution((_target("k"),), certain=True)


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


@pytest.mark.parametrize("reference", ["local.v", "var", "aws_kms_key.v", "vault_token.v", ""])
def test_only_a_variable_is_constant(reference: str) -> None:
    assert not Configuration({}).is_constant("", reference)
    assert Configuration({}).is_constant("", "var.v")
    assert Configuration({}).is_constant("", "var.v.name")


ROLE = {"mode": "managed", "type": "aws_iam_role", "name": "r", "provider_config_key": "aws"}
OTHERS = {"aws.other": {"expressions": {"profile": {"constant_value": "other"}}}, "aws": {"expressions": {}}}


def _in_a_module(**role: Any) -> Configuration:
    """A module with a grant and a role; its providers are two accounts."""
    resources = [_resource([], provider_config_key="aws"), ROLE | role]
    return Configuration({"module_calls": {"m": {"module": {"resources": resources}}}}, OTHERS)


def _principal(attribute: str | None, certain: bool = True, kind: str = "aws_iam_role") -> Resolution:
    return Resolution((Target((Step("m"),), kind, "r", None, attribute),), certain)


@pytest.mark.parametrize(
    ("place", "role", "principals", "owners"),
    [
        (("module.m", GRANT, "g"), {}, _principal("arn"), True),
        (("module.m", GRANT, "g"), {}, _principal("name"), False),
        (("module.m", GRANT, "g"), {}, _principal("account_id"), False),
        (("module.m", GRANT, "g"), {}, _principal(None), False),
        (("module.m", GRANT, "g"), {}, _principal("arn", certain=False), False),
        (("module.m", GRANT, "g"), {}, Resolution((), certain=True), False),
        (("module.m", GRANT, "g"), {"provider_config_key": "aws.other"}, _principal("arn"), False),
        (("module.m", GRANT, "g"), {"type": "x_role"}, _principal("arn", kind="x_role"), False),
        (("module.m", GRANT, "g"), {"name": "absent"}, _principal("arn"), False),
        (("", GRANT, "g"), {}, _principal("arn"), False),
        (("module.m", GRANT, "absent"), {"provider_config_key": None}, _principal("arn"), False),
    ],
)
def test_whose_a_principal_is_that_is_known_only_after_apply(
    place: tuple[str, str, str], role: dict[str, Any], principals: Resolution, owners: bool
) -> None:
    assert _in_a_module(**role).made_by_the_same(place, principals, "123456789012") is owners


def test_a_principal_that_plainly_others_make_is_told_in_a_module_too() -> None:
    elsewhere = _in_a_module(provider_config_key="aws.other")
    for attribute in ("arn", "unique_id"):
        assert elsewhere.made_by_another(("module.m", GRANT, "g"), _principal(attribute), "123456789012")
        assert not _in_a_module().made_by_another(("module.m", GRANT, "g"), _principal(attribute), "123456789012")
    assert not elsewhere.made_by_another(("module.m", GRANT, "g"), _principal("name"), "123456789012")


@pytest.mark.parametrize(
    ("region", "told"),
    [
        ({"constant_value": "eu-west-1"}, "eu-west-1"),
        ({"constant_value": ""}, None),
        ({"constant_value": 5}, None),
        ({"references": ["var.region"]}, None),
        (None, None),
    ],
)
def test_the_region_of_a_resource_is_the_one_that_its_provider_is_set_to(region: Any, told: str | None) -> None:
    resource = _resource([], provider_config_key="aws.west")
    configuration = Configuration({"resources": [resource]}, {"aws.west": {"expressions": {"region": region}}})
    assert configuration.region("", GRANT, "g") == told
    assert configuration.region("", GRANT, "absent") is None
    for key in (None, 5, "aws.absent"):
        resource["provider_config_key"] = key
        assert configuration.region("", GRANT, "g") is None


@pytest.mark.parametrize(
    ("written", "told"), [({"references": ["var.a"]}, True), ({}, True), ([{}], False), (None, False)]
)
def test_the_expression_of_an_attribute_is_told_where_it_is_one(written: Any, told: bool) -> None:
    resource = _resource([]) | {"expressions": {"policy": written}}
    data = resource | {"mode": "data", "name": "d"}
    configuration = Configuration({"resources": [resource, data]})
    expected = written if told else None
    assert configuration.expression("", GRANT, "g", "policy") == expected
    assert configuration.expression("", GRANT, "d", "policy", "data") == expected
    for place in (("", GRANT, "d", "policy"), ("", GRANT, "g", "other"), ("module.m", GRANT, "g", "policy")):
        assert configuration.expression(*place) is None


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ([{"sid": {}}, {}], ({"sid": {}}, {})),
        ([], ()),
        ([{}, "x"], ()),
        ({"sid": {}}, ()),
        ("x", ()),
        (None, ()),
    ],
)
def test_blocks_are_told_where_the_configuration_tells_them_one_by_one(statement: Any, told: Any) -> None:
    document = {"mode": "data", "type": "aws_iam_policy_document", "name": "d", "expressions": {"statement": statement}}
    configuration = Configuration({"resources": [document]})
    assert configuration.block("", "aws_iam_policy_document", "d", "statement") == told
    assert configuration.block("", "aws_iam_policy_document", "absent", "statement") == ()
