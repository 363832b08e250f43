from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import ExitCode
from stacks.cdktf_imports import Aspects, IAspect, TerraformResource, implements
from stacks.findings import EmittedResource, GuardError
from stacks.guards import judge_generations, judge_resource
from stacks.synthesis import Synthesis
from tests.stacks.declared import CUSTOMER, VENDOR, declare, emitted, read_stack

if TYPE_CHECKING:
    from engine.declaration import Declaration
    from stacks.cdktf_imports import IConstruct

REPOSITORY = Path(__file__).parents[2]

Change = Callable[[dict[str, Any]], None]


def resource(folder: Path, declaration: Declaration, terraform_type: str, name: str) -> EmittedResource:
    attributes = emitted(folder, declaration)["resource"][terraform_type][name]
    return EmittedResource(terraform_type, name, attributes)


def guards_of(declaration: Declaration, found: EmittedResource) -> set[str]:
    return {finding.guard for finding in judge_resource(declaration, found)}


def setting(name: str, value: Any) -> Change:
    return lambda attributes: attributes.update({name: value})


def statement(position: int, change: Change) -> Change:
    """Change one statement of the policy: 0 root, 1 administrators, 2 and 3 vendor, -1 retention."""

    def apply(attributes: dict[str, Any]) -> None:
        policy = json.loads(attributes["policy"])
        change(policy["Statement"][position])
        attributes["policy"] = json.dumps(policy)

    return apply


def without_statement(position: int) -> Change:
    def apply(attributes: dict[str, Any]) -> None:
        policy = json.loads(attributes["policy"])
        del policy["Statement"][position]
        attributes["policy"] = json.dumps(policy)

    return apply


def with_statement(**changes: Any) -> Change:
    """One more statement, which allows a role of the customer's to see the key but for these changes."""

    def apply(attributes: dict[str, Any]) -> None:
        policy = json.loads(attributes["policy"])
        more = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:DescribeKey", "Resource": "*"} | changes
        policy["Statement"].append({key: value for key, value in more.items() if value is not None})
        attributes["policy"] = json.dumps(policy)

    return apply


ROLE = f"arn:aws:iam::{CUSTOMER}:role/Auditor"
VENDOR_ROOT = {"AWS": f"arn:aws:iam::{VENDOR}:root"}
CONDITION = {"StringEquals": {"aws:PrincipalTag/team": "backup"}}


@pytest.mark.parametrize(
    ("guard", "change"),
    [
        ("tags", setting("tags", {})),
        ("tags", setting("tags", None)),
        ("tags", setting("tags", {"keyturn:tenant": "northwind", "keyturn:generation": "7"})),
        ("tags", setting("tags", {"keyturn:tenant": "contoso", "keyturn:generation": "1"})),
        ("prevent_destroy", setting("lifecycle", {"prevent_destroy": False})),
        ("prevent_destroy", setting("lifecycle", {})),
        ("prevent_destroy", setting("lifecycle", {"prevent_destroy": "true"})),
        ("ignored_changes", setting("lifecycle", {"prevent_destroy": True, "ignore_changes": "all"})),
        ("ignored_changes", setting("lifecycle", {"prevent_destroy": True, "ignore_changes": ["policy"]})),
        ("ignored_changes", setting("lifecycle", {"prevent_destroy": True, "ignore_changes": ["is_enabled"]})),
        ("ignored_changes", setting("lifecycle", {"prevent_destroy": True, "ignore_changes": ["tags"]})),
        (
            "ignored_changes",
            setting("lifecycle", {"prevent_destroy": True, "ignore_changes": ['tags["keyturn:tenant"]']}),
        ),
        ("every_generation", setting("count", 0)),
        ("every_generation", setting("for_each", {"a": 1})),
        ("place", setting("provider", "aws.eu_west_1")),
        ("place", setting("region", "eu-west-1")),
        ("deletion_window", setting("deletion_window_in_days", 7)),
        ("deletion_window", setting("deletion_window_in_days", None)),
        ("enabled", setting("is_enabled", False)),
        ("enabled", setting("is_enabled", None)),
        ("key_kind", setting("key_usage", "SIGN_VERIFY")),
        ("key_kind", setting("customer_master_key_spec", "RSA_2048")),
        ("key_kind", setting("bypass_policy_lockout_safety_check", True)),
        ("key_kind", setting("multi_region", True)),
        ("rotation", setting("enable_key_rotation", True)),
        ("rotation", setting("rotation_period_in_days", 90)),
        ("root_statement", setting("policy", "${aws_iam_policy_document.other.json}")),
        ("root_statement", setting("policy", None)),
        ("root_statement", setting("policy", '{"Statement": ["Allow"]}')),
        ("root_statement", without_statement(0)),
        ("root_statement", statement(0, setting("Condition", CONDITION))),
        ("root_statement", statement(0, setting("Action", ["kms:Describe*"]))),
        ("vendor_statement", without_statement(2)),
        ("vendor_statement", statement(2, setting("Sid", "Allow use of the key"))),
        ("vendor_statement", statement(2, setting("Condition", CONDITION))),
        ("vendor_statement", statement(2, setting("Action", ["kms:Encrypt"]))),
        ("vendor_statement", statement(2, setting("Principal", {"AWS": ROLE}))),
        ("retention_statement", without_statement(-1)),
        ("retention_statement", statement(-1, setting("Action", ["kms:ScheduleKeyDeletion"]))),
        ("retention_statement", statement(-1, setting("Condition", CONDITION))),
        ("principals", statement(1, setting("Principal", {"AWS": ["*"]}))),
        ("principals", statement(1, setting("Principal", "*"))),
        ("principals", with_statement(Principal={"AWS": "arn:aws:iam::999999999999:root"})),
        ("principals", with_statement(Principal={"AWS": "999999999999"})),
        ("principals", with_statement(Principal={"Service": "backup.amazonaws.com"})),
        ("principals", with_statement(Principal=None, NotPrincipal={"AWS": ROLE})),
        ("vendor_statement", statement(2, lambda use: use["Action"].append("kms:PutKeyPolicy"))),
        ("vendor_statement", statement(3, setting("Condition", None))),
        ("vendor_statement", statement(3, lambda grants: grants["Action"].append("kms:ScheduleKeyDeletion"))),
        ("vendor_statement", with_statement(Principal=VENDOR_ROOT, Action="kms:*")),
        ("vendor_statement", with_statement(Principal={"AWS": VENDOR})),
        ("denials", with_statement(Effect="Deny", Principal="*", Action="kms:decrypt")),
        ("denials", with_statement(Effect="Deny", Principal="*", Action=["kms:PutKeyPolicy", "kms:*"])),
        ("denials", with_statement(Effect="Deny", Principal="*", Action=None, NotAction="kms:DescribeKey")),
    ],
)
def test_each_guard_refuses_what_it_guards_against(tmp_path: Path, guard: str, change: Change) -> None:
    declaration = declare()
    key = resource(tmp_path, declaration, "aws_kms_key", "generation_1")
    assert guards_of(declaration, key) == set()
    attributes = json.loads(json.dumps(key.attributes))
    change(attributes)
    assert guards_of(declaration, EmittedResource("aws_kms_key", "generation_1", attributes)) == {guard}


@pytest.mark.parametrize(
    "change",
    [
        setting("grantee_principal", "arn:aws:iam::999999999999:root"),
        setting("operations", ["Decrypt", "CreateGrant"]),
        setting("operations", []),
        setting("operations", None),
    ],
)
def test_a_grant_to_another_or_for_more_is_refused(tmp_path: Path, change: Change) -> None:
    declaration = declare()
    grant = resource(tmp_path, declaration, "aws_kms_grant", "generation_1_vendor")
    assert guards_of(declaration, grant) == set()
    attributes = dict(grant.attributes)
    change(attributes)
    assert guards_of(declaration, EmittedResource("aws_kms_grant", "other", attributes)) == {"grant"}


@pytest.mark.requirement("EKM-10")
def test_what_a_usual_tenant_emits_is_refused_for_a_revoked_one(tmp_path: Path) -> None:
    key = resource(tmp_path, declare(), "aws_kms_key", "generation_1")
    grant = resource(tmp_path, declare(), "aws_kms_grant", "generation_1_vendor")
    revoked = declare(revoked=True)
    assert guards_of(revoked, key) == {"enabled", "vendor_statement"}
    assert guards_of(revoked, grant) == {"grant"}


def test_a_released_key_may_be_unprotected_and_an_active_one_may_not(tmp_path: Path) -> None:
    released = declare(current=2, generations=[{"number": 1, "state": "released"}, {"number": 2}])
    key = resource(tmp_path, released, "aws_kms_key", "generation_1")
    assert guards_of(released, key) == set()
    active = declare(generations=[{"number": 1}, {"number": 2}])
    assert guards_of(active, key) == {"prevent_destroy", "enabled", "retention_statement"}


@pytest.mark.parametrize("names", [["BreakGlass"], ["BreakGlass", "Emergency"]])
def test_the_denial_must_exempt_the_declared_principals_exactly(tmp_path: Path, names: list[str]) -> None:
    with_exemption = declare(break_glass=[f"arn:aws:iam::{CUSTOMER}:role/{name}" for name in names])
    key = resource(tmp_path, with_exemption, "aws_kms_key", "generation_1")
    assert guards_of(with_exemption, key) == set()
    assert guards_of(declare(), key) == {"retention_statement"}


def test_a_missing_or_second_key_of_a_generation_is_refused(tmp_path: Path) -> None:
    declaration = declare(generations=[{"number": 1}, {"number": 2}])
    key = resource(tmp_path, declaration, "aws_kms_key", "generation_1")
    other = resource(tmp_path, declaration, "aws_kms_key", "generation_2")
    assert judge_generations(declaration, [key, other]) == ()
    assert [f.message.split(";")[0] for f in judge_generations(declaration, [key, key])] == [
        "generation 1 has 2 keys in the stack",
        "generation 2 has 0 keys in the stack",
    ]


@pytest.mark.requirement("EKM-34")
def test_two_replicas_in_one_region_are_not_one_in_each(tmp_path: Path) -> None:
    replicas = ["eu-central-1", "eu-west-1"]
    declaration = declare(generations=[{"number": 1, "multi_region": True, "replicas": replicas}])
    resources = emitted(tmp_path, declaration)["resource"]
    found = [
        EmittedResource(kind, name, attributes)
        for kind in ("aws_kms_key", "aws_kms_replica_key")
        for name, attributes in resources[kind].items()
    ]
    assert judge_generations(declaration, found) == ()
    both = [replace(replica, attributes={**replica.attributes, "provider": "aws.eu_west_1"}) for replica in found[1:]]
    (refusal,) = judge_generations(declaration, [found[0], *both])
    assert refusal.message == (
        "generation 1 has 2 replicas in the stack, by aws.eu_west_1, aws.eu_west_1; it must have 2: "
        "eu-central-1, eu-west-1"
    )


def test_a_vendors_statement_that_denies_or_names_another_account_is_refused_for_both(tmp_path: Path) -> None:
    declaration = declare()
    key = resource(tmp_path, declaration, "aws_kms_key", "generation_1")
    for change, guard in (
        (setting("Effect", "Deny"), "denials"),
        (setting("Principal", {"AWS": "arn:aws:iam::999999999999:root"}), "principals"),
    ):
        attributes = dict(key.attributes)
        statement(2, change)(attributes)
        found = guards_of(declaration, EmittedResource("aws_kms_key", "generation_1", attributes))
        assert found == {"vendor_statement", guard}


def test_what_widens_nothing_and_denies_no_use_is_let_pass(tmp_path: Path) -> None:
    declaration = declare()
    key = resource(tmp_path, declaration, "aws_kms_key", "generation_1")
    attributes = dict(key.attributes)
    with_statement()(attributes)
    with_statement(Effect="Deny", Principal="*", Action="kms:PutKeyPolicy", Condition=CONDITION)(attributes)
    attributes["lifecycle"] = {"prevent_destroy": True, "ignore_changes": ['tags["team"]', "description"]}
    assert guards_of(declaration, EmittedResource("aws_kms_key", "generation_1", attributes)) == set()


@pytest.mark.parametrize("kind", ["aws_kms_key_policy", "aws_kms_ciphertext", "aws_kms_custom_key_store"])
def test_a_kind_of_kms_resource_that_no_guard_knows_is_refused(kind: str) -> None:
    assert guards_of(declare(), EmittedResource(kind, "other", {})) == {"unknown_kind"}
    assert guards_of(declare(), EmittedResource("aws_kms_alias", "current", {})) == set()


def test_resources_of_other_kinds_are_not_judged() -> None:
    assert judge_resource(declare(), EmittedResource("aws_sns_topic", "alerts", {})) == ()


@pytest.mark.requirement("EKM-33")
def test_a_change_to_the_stacks_that_unprotects_a_key_ends_the_synthesis_unwritten(tmp_path: Path) -> None:
    synthesis = Synthesis((declare(),), tmp_path)
    synthesis.stacks[0].keys[1].primary.add_override("lifecycle.prevent_destroy", False)
    with pytest.raises(GuardError) as caught:
        synthesis.write()
    assert caught.value.exit_code is ExitCode.REFUSED
    message = "generation 1 is not released, so lifecycle.prevent_destroy must be true [prevent_destroy, EKM-33]"
    assert caught.value.diagnostics() == (f"aws_kms_key.generation_1: {message}",)
    assert not list(tmp_path.rglob("cdk.tf.json"))


def test_a_second_synthesis_judges_anew(tmp_path: Path) -> None:
    synthesis = Synthesis((declare(),), tmp_path)
    synthesis.write()
    synthesis.write()
    assert synthesis.stacks[0].guards.findings == ()


@implements(IAspect)
class Unprotecting:
    """Stands for an aspect of a team's own that takes a key's protection away."""

    def __init__(self, synthesis: Synthesis) -> None:
        self.key = synthesis.stacks[0].keys[1].primary
        self.visited = 0

    def visit(self, _node: IConstruct) -> None:
        self.visited += 1
        self.key.add_override("lifecycle.prevent_destroy", False)


def test_what_an_aspect_of_the_whole_stack_changes_is_judged(tmp_path: Path) -> None:
    synthesis = Synthesis((declare(),), tmp_path)
    aspect = Unprotecting(synthesis)
    Aspects.of(synthesis.stacks[0]).add(aspect)
    with pytest.raises(GuardError):
        synthesis.write()
    assert aspect.visited
    assert not list(tmp_path.rglob("cdk.tf.json"))


@pytest.mark.requirement("EKM-33")
@pytest.mark.parametrize("hcl", ["false", "true"])
def test_what_an_aspect_of_something_added_later_changes_is_judged(tmp_path: Path, hcl: str) -> None:
    code = """
from pathlib import Path
from stacks.findings import GuardError
from stacks.cdktf_imports import Aspects, Construct
from stacks.synthesis import Synthesis
from tests.stacks.declared import declare
from tests.stacks.test_guards import Unprotecting

synthesis = Synthesis((declare(),), Path("out"))
Aspects.of(Construct(synthesis.stacks[0], "added_later")).add(Unprotecting(synthesis))
try:
    synthesis.write()
except GuardError as refusal:
    print(*refusal.findings)
"""
    # CDKTF's process reads the setting as it starts.
    environment = os.environ | {"SYNTH_HCL_OUTPUT": hcl, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("aws_kms_key.generation_1: generation 1 is not released")
    assert not list(tmp_path.rglob("cdk.tf*"))


@implements(IAspect)
class Tagging:
    """Stands for an aspect of a team's own that tags whatever it visits."""

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, TerraformResource):
            node.add_override("tags.team", "backup")


def test_what_other_aspects_change_is_written_wherever_it_stands(tmp_path: Path) -> None:
    synthesis = Synthesis((declare(),), tmp_path)
    stack = synthesis.stacks[0]
    later = TerraformResource(stack, "later", terraform_resource_type="aws_sns_topic")
    Aspects.of(stack).add(Tagging())
    synthesis.write()
    resources = read_stack(tmp_path, "northwind")["resource"]
    assert resources["aws_kms_key"]["generation_1"]["tags"]["team"] == "backup"
    assert resources["aws_sns_topic"][later.friendly_unique_id]["tags"] == {"team": "backup"}


def test_a_document_that_is_asked_for_besides_is_as_the_stack_stands_then_and_judged_too(tmp_path: Path) -> None:
    synthesis = Synthesis((declare(),), tmp_path)
    stack = synthesis.stacks[0]
    synthesis.write()
    key = stack.keys[1].primary
    key.add_override("tags.team", "backup")
    assert stack.to_terraform()["resource"]["aws_kms_key"]["generation_1"]["tags"]["team"] == "backup"
    key.add_override("lifecycle.prevent_destroy", False)
    with pytest.raises(GuardError):
        stack.to_terraform()
    key.add_override("lifecycle.prevent_destroy", True)
    synthesis.write()


def test_a_key_that_no_generation_declares_ends_the_synthesis(tmp_path: Path) -> None:
    synthesis = Synthesis((declare(),), tmp_path)
    stray = TerraformResource(synthesis.stacks[0], "stray", terraform_resource_type="aws_kms_key")
    with pytest.raises(GuardError, match="guards of the stacks refused") as caught:
        synthesis.write()
    assert [finding.address for finding in caught.value.findings] == [f"aws_kms_key.{stray.friendly_unique_id}"]
    assert not list(tmp_path.rglob("cdk.tf.json"))


def test_a_generation_without_its_key_ends_the_synthesis(tmp_path: Path) -> None:
    synthesis = Synthesis((declare(vendor_access="key_policy"),), tmp_path)
    synthesis.stacks[0].node.try_remove_child("generation_1")
    with pytest.raises(GuardError) as caught:
        synthesis.write()
    assert [finding.guard for finding in caught.value.findings] == ["every_generation"]
    assert not list(tmp_path.rglob("cdk.tf.json"))
