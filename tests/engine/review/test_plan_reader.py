"""What is read as a plan, and what is refused with which reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.errors import InputError
from engine.review import ReviewVerdict, review_plan
from engine.review.plan import Action
from engine.review.plan_reader import read_plan
from engine.review.values import UNKNOWN
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import PlanBuilder

KEY = "aws_kms_key"


def _refused(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read_plan("plan.json", data)
    assert "plan.json" in caught.value.message
    assert caught.value.hint is not None
    return caught.value


@pytest.mark.parametrize(
    ("actions", "action"),
    [
        (["no-op"], Action.NO_OP),
        (["create"], Action.CREATE),
        (["update"], Action.UPDATE),
        (["delete"], Action.DELETE),
        (["delete", "create"], Action.DELETE_CREATE),
        (["create", "delete"], Action.CREATE_DELETE),
        (["forget"], Action.FORGET),
        (["create", "forget"], Action.CREATE_FORGET),
        (["forget", "create"], Action.FORGET_CREATE),
    ],
)
def test_every_action_list_is_known(actions: list[str], action: Action) -> None:
    plan = read_plan("plan.json", PlanBuilder().add(KEY, 1, tuple(actions)).data())
    assert plan.changes[0].action is action


def test_an_unknown_action_of_a_key_is_refused() -> None:
    error = _refused(PlanBuilder().add(KEY, 1, ("evaporate",)).data())
    assert '["evaporate"]' in error.message
    assert "aws_kms_key.generation_1" in error.message


def test_an_unknown_action_of_another_resource_does_not_matter() -> None:
    entry = {"address": "aws_s3_bucket.b", "type": "aws_s3_bucket", "change": {"actions": ["evaporate"]}}
    plan = read_plan("plan.json", json.dumps({"resource_changes": [entry]}).encode())
    assert plan.changes == ()
    assert plan.resource_count == 1


@pytest.mark.parametrize("version", ["0.1", "0.2", "1.0", "1.2", "1.99", None])
def test_known_and_missing_format_versions_are_read(version: str | None) -> None:
    plan = PlanBuilder(format_version=version).add(KEY, 1).data()
    assert len(read_plan("plan.json", plan).changes) == 1


@pytest.mark.parametrize("version", ["2.0", "10.1", "", "v1", 1.2, ["1.2"]])
def test_another_major_format_version_is_refused(version: Any) -> None:
    error = _refused(PlanBuilder(format_version=version).add(KEY, 1).data())
    assert "format" in error.message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_any_unicode_encoding_is_read(encoding: str) -> None:
    text = PlanBuilder().add(KEY, 1).data().decode()
    assert len(read_plan("plan.json", text.encode(encoding)).changes) == 1


@pytest.mark.parametrize("part", ["resource_changes", "planned_values", "resource_drift"])
def test_a_plan_of_which_one_part_is_there_is_read(part: str) -> None:
    """Terraform leaves out what is empty: a plan that only refreshes holds no change."""
    plan = PlanBuilder().add(KEY, 1).drifted(KEY, 1).plan()
    data = json.dumps({"format_version": "1.2", part: plan[part]}).encode()
    read = read_plan("plan.json", data)
    assert (len(read.changes), len(read.drift)) == (int(part == "resource_changes"), int(part == "resource_drift"))


def test_a_pretty_printed_plan_is_read() -> None:
    text = json.dumps(PlanBuilder().add(KEY, 1).plan(), indent=4)
    assert len(read_plan("plan.json", text.encode()).changes) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b"PK\x03\x04\x14\x00tfplan", "binary plan file"),
        (b'{"version": 4, "serial": 3, "lineage": "x", "resources": []}', "state file"),
        (b'{"format_version": "1.0", "terraform_version": "1.5.0", "values": {}}', "state printed by"),
        (b'{"@level":"info","@message":"Terraform 1.11","type":"version"}', "log of"),
        (b'{"@level":"info","@message":"a"}\n{"@level":"info","@message":"b"}\n', "log of"),
        (b'{"format_version":"1.0","provider_schemas":{}}', "provider schemas"),
        (b'{"terraform": {"backend": {}}, "resource": {}}', "configuration"),
        (b"{}", "no resource_changes"),
        (b'{"lineage": "x"}', "state file"),
        (b'{"serial": 3, "resources": []}', "state file"),
        (b'{"serial": 3}', "no resource_changes"),
        (b'{"resources": []}', "no resource_changes"),
        (b'{"values": {}}', "no resource_changes"),
        (b'{"terraform_version": "1.5.0"}', "no resource_changes"),
        (b'{"@level": "info"}', "no resource_changes"),
        (b'{"@message": "x"}', "no resource_changes"),
        (b'{"terraform": {}}', "no resource_changes"),
        (b'{"resource": {}}', "no resource_changes"),
        (b'{"terraform": {}, "provider": {}}', "configuration"),
        (b'{"resource_changes": []} {}', "not valid JSON: Extra data"),
        (b'{"@level": ]', "not valid JSON"),
        (b'{"@level": "info', "cut off"),
        (b'{"resource_changes": [ \n\n', "cut off at offset 25"),
        (b"[]", "a list"),
        (b"null", "null"),
        (b'"plan"', "a string"),
        (b"12", "a number"),
        (b"\xff\xff\x00\x01plan", "not valid"),
        (b'{"resource_changes": [', "cut off at offset 22"),
        (b'{"resource_changes": [{"address": "aws_k', "cut off"),
        (b'{"resource_changes": ]', "offset 21"),
        (b"{'resource_changes': 1}", "not valid JSON"),
        (b'{"resource_changes": {}}', "an object, not a list"),
        (b'{"resource_changes": ["x"]}', "resource_changes[0]"),
        (b'{"resource_changes": [{"type": 1}]}', "the type of resource_changes[0]"),
        (b'{"resource_changes": [{"type": "aws_kms_key"}]}', "no address"),
        (b'{"resource_changes": [{"type": "aws_kms_key", "address": "a"}]}', "no change"),
        (b'{"resource_changes": [{"type": "aws_kms_key", "address": "a", "change": {}}]}', "actions null"),
        (
            b'{"resource_changes": [{"type": "aws_kms_key", "address": "a", "change": {"actions": [[]]}}]}',
            "actions [[]]",
        ),
        (b'{"resource_changes": [{"type": "aws_kms_key", "address": "a", "change": {"actions": {}}}]}', "actions {}"),
        (b'{"resource_changes": [], "resource_drift": 5}', "resource_drift is a number"),
        (b'{"resource_changes": [], "deferred_changes": [5]}', "deferred_changes[0]"),
    ],
)
def test_what_is_no_plan_is_refused_with_what_it_is(data: bytes, reason: str) -> None:
    assert reason in _refused(data).message


def test_json_nested_beyond_reason_is_refused() -> None:
    _refused(b'{"resource_changes": ' + b"[" * 200_000)


def test_a_number_beyond_reason_is_refused() -> None:
    _refused(b'{"resource_changes": ' + b"9" * 10_000 + b"}")


def test_before_that_is_no_object_is_refused() -> None:
    plan = PlanBuilder().add(KEY, 1).plan()
    plan["resource_changes"][0]["change"]["before"] = "x"
    assert "before is a string" in _refused(json.dumps(plan).encode()).message


def test_unknown_values_are_marked_and_not_guessed() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",), unknown=("policy", "is_enabled")).plan()
    change = plan["resource_changes"][0]["change"]
    change["after_unknown"]["tags_all"] = {"keyturn:generation": True}
    change["after_unknown"]["description"] = "odd"
    after = read_plan("plan.json", json.dumps(plan).encode()).changes[0].after
    assert after is not None
    assert after.text("policy") is UNKNOWN
    assert after.flag("is_enabled") is UNKNOWN
    assert after.text("description") is UNKNOWN
    assert after.tag("keyturn:generation") == "1"
    assert after.tag("keyturn:tenant") == "northwind"
    assert after.text("key_usage") == "ENCRYPT_DECRYPT"


def test_an_unknown_that_is_true_as_a_whole_makes_everything_unknown() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",)).plan()
    plan["resource_changes"][0]["change"] |= {"after": None, "after_unknown": True}
    after = read_plan("plan.json", json.dumps(plan).encode()).changes[0].after
    assert after is not None
    assert after.text("policy") is UNKNOWN
    assert after.tag("keyturn:generation") is UNKNOWN
    assert after.texts("anything") is UNKNOWN


def test_a_value_of_another_type_counts_as_unknown() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",), after={"is_enabled": "yes", "policy": 5, "tags": []}).data()
    after = read_plan("plan.json", plan).changes[0].after
    assert after is not None
    assert after.flag("is_enabled") is UNKNOWN
    assert after.text("policy") is UNKNOWN
    assert after.number("policy") == 5
    assert after.number("is_enabled") is UNKNOWN


@pytest.mark.parametrize("written", ["NaN", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_number_beyond_all_measure_counts_as_unknown(written: str) -> None:
    for action in ("update", "delete"):
        plan = PlanBuilder().add(KEY, 1, (action,)).data().decode()
        data = plan.replace('"deletion_window_in_days": 30', f'"deletion_window_in_days": {written}').encode()
        change = read_plan("plan.json", data).changes[0]
        assert change.before is not None
        assert change.before.number("deletion_window_in_days") is UNKNOWN
        assert review_plan("plan.json", data, declaration()).verdict is ReviewVerdict.BLOCK


def test_a_number_of_too_many_digits_is_refused_in_our_words() -> None:
    data = PlanBuilder().add(KEY, 1).data().replace(b": 30", b": 1" + b"0" * 5000)
    with pytest.raises(InputError, match="holds a number that is too long to be read"):
        read_plan("plan.json", data)


def test_sensitive_values_are_never_shown() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",)).plan()
    change = plan["resource_changes"][0]["change"]
    change["after_sensitive"] = {"description": True}
    change["before_sensitive"] = True
    read = read_plan("plan.json", json.dumps(plan).encode()).changes[0]
    assert read.after is not None
    assert read.before is not None
    assert read.after.shown("description") == "(sensitive value)"
    assert read.after.shown("key_usage") == "ENCRYPT_DECRYPT"
    assert read.before.shown("key_usage") == "(sensitive value)"


def test_modules_and_instances_of_the_prior_state_are_read() -> None:
    resource = {"address": 'module.a["x"].aws_kms_key.k[1]', "mode": "managed", "type": KEY, "name": "k", "index": 1}
    module = {"address": 'module.a["x"]', "resources": [{**resource, "values": {"arn": "a"}}]}
    prior = {"values": {"root_module": {"child_modules": [{"address": "module.a", "child_modules": [module]}]}}}
    plan = read_plan("plan.json", json.dumps({"resource_changes": [], "prior_state": prior}).encode())
    (found,) = plan.prior
    assert (found.module_address, found.index, found.values.text("arn")) == ('module.a["x"]', 1, "a")


@pytest.mark.parametrize(
    ("planned", "changed", "before", "stripped"),
    [
        (True, True, True, False),
        (True, True, False, False),
        (True, False, True, False),
        (True, False, False, True),
        (False, True, True, False),
    ],
)
def test_a_plan_is_stripped_where_a_resource_is_planned_of_which_nothing_else_tells(
    planned: bool, changed: bool, before: bool, stripped: bool
) -> None:
    plan = PlanBuilder().add(KEY, 1).known(KEY, 1).plan()
    if planned:
        plan["planned_values"] = plan["prior_state"]["values"]
    if not before:
        del plan["prior_state"]
    if not changed:
        plan["resource_changes"] = []
    assert read_plan("plan.json", json.dumps(plan).encode()).stripped is stripped


@pytest.mark.parametrize(
    ("complete", "errored", "left_out", "found", "stripped"),
    [
        (True, False, True, True, True),
        (True, False, False, True, False),
        (True, True, True, True, False),
        (False, False, True, False, False),
        (None, False, True, False, False),
        (None, True, True, False, False),
        (None, False, False, None, False),
        ("yes", False, True, False, False),
    ],
)
def test_whether_a_plan_is_complete_and_whole(
    complete: Any, errored: bool, left_out: bool, found: bool | None, stripped: bool
) -> None:
    """What was there and has no change was not targeted, or its change was taken out of the file."""
    plan = PlanBuilder(complete=complete, errored=errored).add(KEY, 1).known(KEY, 1)
    if left_out:
        plan.known(KEY, 2)
    read = read_plan("plan.json", plan.data())
    assert (read.complete, read.stripped, read.errored) == (found, stripped, errored)


def test_a_plan_without_changes_does_not_say_whether_it_is_complete() -> None:
    read = read_plan("plan.json", PlanBuilder(complete=None).known(KEY, 1).data())
    assert (read.complete, read.stripped) == (None, False)


def test_what_has_moved_is_not_left_out() -> None:
    plan = PlanBuilder(complete=None).add(KEY, 1, name="moved", previous_address="aws_kms_key.generation_1")
    assert read_plan("plan.json", plan.known(KEY, 1).data()).complete is None


def test_resources_of_the_prior_state_and_what_is_deferred_keep_their_names() -> None:
    plan = PlanBuilder().known(KEY, 1).known(KEY, 2)
    plan.prior.insert(0, {"address": "random_id.x", "type": "random_id", "values": {}})
    plan.prior.insert(2, {"address": "x.y", "type": 5})
    plan.add(KEY, 3, ("update",)).defer()
    document = plan.plan()
    del document["deferred_changes"][0]["reason"]
    other = {"address": "random_id.y", "type": "random_id", "change": {"actions": ["create"]}}
    cluster = _of_type("aws_cloudhsm_v2_cluster", ["delete"], {})
    document["deferred_changes"] += [{"reason": "x", "resource_change": change} for change in (other, cluster)]
    read = read_plan("plan.json", json.dumps(document).encode())
    assert [(entry.address, entry.name) for entry in read.prior] == [
        ("aws_kms_key.generation_1", "generation_1"),
        ("aws_kms_key.generation_2", "generation_2"),
    ]
    assert [(change.name, change.deferred) for change in read.deferred] == [("generation_3", "unknown")]


def _of_type(kind: str, actions: list[str], before: Any = None, after: Any = None) -> dict[str, Any]:
    change = {"actions": actions, "before": before, "after": after}
    return {"address": f"{kind}.x", "type": kind, "name": "x", "change": change}


KMS_BY_CLOUD_CONTROL = {"type_name": "AWS::KMS::Key"}


@pytest.mark.parametrize(
    ("entry", "unread"),
    [
        (_of_type("awscc_kms_key", ["delete"]), True),
        (_of_type("awscc_kms_key", ["no-op"]), False),
        (_of_type("awscc_kms_key", ["read"]), False),
        (_of_type("awscc_kms_key", ["evaporate"]), True),
        ({"address": "awscc_kms_key.x", "type": "awscc_kms_key", "change": None}, True),
        ({"address": "awscc_kms_key.x", "type": "awscc_kms_key"}, True),
        (_of_type("aws_kms_future", ["update"], {}, {}), True),
        (_of_type("aws_kms_ciphertext", ["update"], {}, {}), False),
        (_of_type("aws_cloudcontrolapi_resource", ["delete"], KMS_BY_CLOUD_CONTROL), True),
        (_of_type("aws_cloudcontrolapi_resource", ["create"], None, KMS_BY_CLOUD_CONTROL), True),
        (_of_type("aws_cloudcontrolapi_resource", ["create"], None, {"type_name": "AWS::S3::Bucket"}), False),
        (_of_type("random_id", ["create"], None, KMS_BY_CLOUD_CONTROL), False),
    ],
)
def test_changes_of_kms_resources_of_other_types_are_kept_wherever_they_stand(
    entry: dict[str, Any], unread: bool
) -> None:
    others = [
        _of_type("random_id", ["create"]),
        _of_type("aws_kms_ciphertext", ["create"]),
        _of_type("awscc_kms_key", ["no-op"]),
    ]
    read = read_plan("plan.json", json.dumps({"resource_changes": [*others, entry]}).encode())
    assert [change.type for change in read.unread] == ([entry["type"]] if unread else [])


def test_policy_documents_are_those_that_are_read() -> None:
    change = {"actions": ["read"], "before": None, "after": {}, "after_unknown": {"json": True}}
    entries = [
        ("aws_iam_policy_document", "data"),
        ("aws_iam_policy_document", "managed"),
        ("aws_iam_policy_document", None),
        ("aws_caller_identity", "data"),
        ("tls_certificate", "data"),
    ]
    changes = [
        {"address": f"data.{kind}.r{number}", "mode": mode, "type": kind, "name": "r", "change": change}
        for number, (kind, mode) in enumerate(entries)
    ]
    plan = read_plan("plan.json", json.dumps({"resource_changes": changes}).encode())
    assert [document.address for document in plan.documents] == ["data.aws_iam_policy_document.r0"]


def test_a_change_that_tells_nothing_of_what_is_unknown_is_read() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",), after={"is_enabled": False}).plan()
    del plan["resource_changes"][0]["change"]["after_unknown"]
    (change,) = read_plan("plan.json", json.dumps(plan).encode()).changes
    assert change.after is not None
    assert change.after.flag("is_enabled") is False


@pytest.mark.parametrize(
    ("importing", "imported"),
    [({"id": "x"}, True), ({"unknown": True}, True), ({}, True), (True, True), (None, False), (False, False)],
)
def test_an_import_is_told_with_or_without_an_id(importing: Any, imported: bool) -> None:
    plan = PlanBuilder().add(KEY, 1).plan()
    plan["resource_changes"][0]["change"]["importing"] = importing
    assert read_plan("plan.json", json.dumps(plan).encode()).changes[0].importing is imported


def test_data_sources_are_no_keys() -> None:
    plan = PlanBuilder().add(KEY, 1).plan()
    plan["resource_changes"][0] |= {"mode": "data", "address": "data.aws_kms_key.generation_1"}
    assert read_plan("plan.json", json.dumps(plan).encode()).changes == ()


@pytest.mark.parametrize(
    "provider", ["registry.terraform.io/hashicorp/aws", "registry.opentofu.org/hashicorp/aws", "aws"]
)
def test_the_provider_may_come_from_any_registry(provider: str) -> None:
    plan = PlanBuilder().add(KEY, 1).plan()
    plan["resource_changes"][0]["provider_name"] = provider
    assert len(read_plan("plan.json", json.dumps(plan).encode()).changes) == 1


def _contradicting(**change: object) -> bytes:
    plan = PlanBuilder().add("aws_kms_key", 1, ("update",), after={"is_enabled": False}).plan()
    plan["resource_changes"][0]["change"] |= change
    return json.dumps(plan).encode()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"actions": ["delete"], "before": None, "after": None}, "is to delete and shows nothing before"),
        ({"actions": ["delete"]}, "is to delete and shows something after"),
        ({"actions": ["delete"], "after": None, "after_unknown": True}, "is to delete and shows something after"),
        ({"before": None}, "is to update and shows nothing before"),
        ({"after": None}, "is to update and shows nothing after"),
        ({"actions": ["no-op"], "after": None}, "is to no-op and shows nothing after"),
        ({"actions": ["create"], "before": None, "after": None}, "is to create and shows nothing after"),
    ],
)
def test_a_change_that_contradicts_itself_is_refused(change: dict[str, object], what: str) -> None:
    with pytest.raises(InputError, match=what):
        read_plan("plan.json", _contradicting(**change))


@pytest.mark.parametrize("actions", [(("delete",), ("no-op",)), (("no-op",), ("delete",))])
def test_an_address_that_stands_twice_is_refused(actions: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    plan = PlanBuilder().add("aws_kms_key", 1, actions[0]).add("aws_kms_key", 1, actions[1])
    with pytest.raises(InputError, match=r"holds aws_kms_key\.generation_1 twice"):
        read_plan("plan.json", plan.data())


def test_a_no_op_that_changes_something_is_an_update() -> None:
    (change,) = read_plan("plan.json", _contradicting(actions=["no-op"])).changes
    assert change.action is Action.UPDATE
