"""`keyturn review`, as a pipeline and a person meet it; and the attacks of a change that brings its own judge."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import cli.review
from cli.main import run
from engine.arn import parse_key_arn
from engine.evidence import (
    Certificate,
    Evidence,
    FileSigner,
    GenerationEvidence,
    JournalHead,
    Origin,
    Subject,
    sign_statement,
)
from engine.lifecycle import GenerationState
from engine.review.formats import ReportFormat
from tests.engine.review.plan_builder import CUSTOMER, OTHER, POLICIES, VENDOR, PlanBuilder, key_arn

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, ALIAS = "aws_kms_key", "aws_kms_alias"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.b64encode(PRIVATE.public_key().public_bytes_raw()).decode()
ISSUED = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
SUBJECT = Subject("northwind", CUSTOMER, VENDOR, "us-east-1", Origin.AWS)
UNTIL = (ISSUED + timedelta(days=30)).date().isoformat()
WAIVERS = f"""\
version: 1
at_most_days: 90
waivers:
  - rule: alias-removed
    address: aws_kms_alias.current
    reason: replaced by hand, ticket 12
    owner: Ada
    until: "{UNTIL}"
"""
RULE = """\
id: description-required
title: A key needs a description
severity: high
waivable: true
on_unknown: block
why: Nobody knows what a key without a description is for.
remediation: Set the description.
source: our handbook
resources: [aws_kms_key]
when:
  properties: {after: {type: object, properties: {description: {enum: [""]}}, required: [description]}}
  required: [after]
message: "{address} has no description"
examples:
  - {name: without, outcome: fail, actions: [create], after: {description: ""}}
  - {name: with, outcome: pass, actions: [create], after: {description: for Druva}}
"""


@dataclass(frozen=True)
class Ended:
    """What the command came to."""

    exit_code: int
    out: str
    err: str

    @property
    def blocking(self) -> set[str]:
        return {finding["policy"] for finding in json.loads(self.out)["findings"] if finding["blocks"]}


@dataclass(frozen=True)
class PullRequest:
    """The target branch in `base/`, the change in `head/`, the plan apart; both are declared alike at first."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def declare(self, branch: str, **changes: Any) -> None:
        """Write a branch's declaration of two generations, with what differs."""
        self.write(f"{branch}/ekm.yaml", json.dumps({**_declaration(2), **changes}))

    def review(self, plan: PlanBuilder, *arguments: str | Path, base: bool = True) -> Ended:
        self.write("plan.json", plan.data())
        named = ("--base-declaration", self.folder / "base/ekm.yaml") if base else ()
        words = [self.folder / "plan.json", "--declaration", self.folder / "head/ekm.yaml", *named, "--json"]
        self.capsys.readouterr()
        exit_code = run(["review", *map(str, (*words, *arguments))])
        captured = self.capsys.readouterr()
        return Ended(exit_code, captured.out, captured.err)

    def evidence(self, change: Callable[[Evidence], Evidence] = lambda evidence: evidence) -> tuple[str | Path, ...]:
        """Evidence that generation 1 is released, as options for the command."""
        path = self.write("evidence.json", sign_statement(change(RELEASED), FileSigner(PRIVATE)))
        return "--evidence", path, "--evidence-key", PUBLIC


def _declaration(generations: int) -> dict[str, Any]:
    return {
        "version": 1,
        "tenant": "northwind",
        "druva": {"account_id": VENDOR, "activated": True},
        "products": ["microsoft365"],
        "aws": {"account_id": CUSTOMER, "region": "us-east-1"},
        "key_administrators": [f"arn:aws:iam::{CUSTOMER}:role/KeyAdmin"],
        "allow_key_deletion": True,
        "break_glass": [],
        "vendor_access": "both",
        "alias": "alias/northwind-ekm",
        "current": generations,
        "revoked": False,
        "generations": [{"number": number} for number in range(1, generations + 1)],
    }


def _evidence() -> Evidence:
    head = JournalHead(7, "0" * 64)
    first, second = (parse_key_arn(key_arn(number)) for number in (1, 2))
    certificate = Certificate(SUBJECT, ISSUED, head, 1, first, 2, 40)
    return Evidence(
        SUBJECT,
        ISSUED,
        ISSUED + timedelta(days=1),
        head,
        enabled=True,
        revoked=False,
        current=2,
        rotation=None,
        generations=(
            GenerationEvidence(1, first, GenerationState.RELEASED, 0, integrated=True, certificate=certificate),
            GenerationEvidence(2, second, GenerationState.CURRENT, 40, integrated=True, certificate=None),
        ),
    )


RELEASED = _evidence()


@pytest.fixture
def pull_request(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> PullRequest:
    for name in ("KEYTURN_EVIDENCE", "KEYTURN_EVIDENCE_KEY", "KEYTURN_DECLARATION"):
        monkeypatch.delenv(name, raising=False)
    request = PullRequest(tmp_path, capsys)
    request.declare("base")
    request.declare("head")
    return request


def _deletion() -> PlanBuilder:
    return PlanBuilder().add(KEY, 1, ("delete",)).add(KEY, 2)


def _harmless() -> PlanBuilder:
    return PlanBuilder().add(KEY, 1).add(KEY, 2)


def _alias_removed() -> PlanBuilder:
    return PlanBuilder().add(KEY, 1).add(KEY, 2).add(ALIAS, 2, ("delete",))


def _refused(ended: Ended, what: str) -> None:
    """Refused as untrusted: no report is given that somebody could take for one."""
    assert ended.exit_code == 3, ended.err
    assert ended.out == ""
    assert ended.err.startswith("error: ")
    assert what in ended.err
    assert "Traceback" not in ended.err


# What a person sees


def test_a_harmless_plan_passes_in_one_line(pull_request: PullRequest) -> None:
    plan = pull_request.write("plan.json", _harmless().data())
    assert run(["review", str(plan), "--declaration", str(pull_request.folder / "head/ekm.yaml")]) == 0
    out, err = pull_request.capsys.readouterr()
    assert out.startswith("PASS")
    assert out.splitlines()[1:] == [
        "",
        "judged by its own declaration: give the target branch's with --base-declaration",
    ]
    assert err == ""


def test_a_dangerous_plan_is_blocked_with_exit_code_1(pull_request: PullRequest) -> None:
    ended = pull_request.review(_deletion())
    assert ended.exit_code == 1
    assert ended.blocking == {"generation-destroyed"}


def test_the_formats_of_the_command_are_those_of_the_reports() -> None:
    assert list(cli.review._FORMATS) == [form.value for form in ReportFormat]


@pytest.mark.parametrize("form", [form.value for form in ReportFormat])
def test_a_report_goes_into_a_file_in_every_format(pull_request: PullRequest, form: str) -> None:
    plan = pull_request.write("plan.json", _deletion().data())
    output = pull_request.folder / "report"
    arguments = [str(plan), "--declaration", str(pull_request.folder / "head/ekm.yaml")]
    assert run(["review", *arguments, "--format", form, "--output", str(output)]) == 1
    assert pull_request.capsys.readouterr().out == ""
    text = output.read_text(encoding="utf-8")
    assert "generation-destroyed" in text
    assert "\x1b" not in text


def test_the_plan_may_come_through_a_pipe(pull_request: PullRequest) -> None:
    declaration = str(pull_request.folder / "head/ekm.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "cli", "review", "-", "--declaration", declaration],
        input=_deletion().data(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(b"BLOCK  stdin: ")


def test_a_binary_plan_is_refused_with_what_to_run(pull_request: PullRequest) -> None:
    plan = pull_request.write("tfplan", b"PK\x03\x04rest")
    assert run(["review", str(plan), "--declaration", str(pull_request.folder / "head/ekm.yaml")]) == 3
    err = pull_request.capsys.readouterr().err
    assert "is a binary plan file" in err
    assert "terraform show -json" in err


@pytest.mark.parametrize("name", ["plan.json", "head/ekm.yaml", "base/ekm.yaml", "head/../plan.json"])
def test_a_report_never_takes_the_place_of_what_is_judged_or_judges(pull_request: PullRequest, name: str) -> None:
    ended = pull_request.review(_harmless(), "--output", pull_request.folder / name)
    assert ended.exit_code == 2
    assert "is a file that the review reads" in ended.err
    assert pull_request.review(_harmless()).exit_code == 0


def test_a_report_that_cannot_be_written_says_so_and_does_not_pass(pull_request: PullRequest) -> None:
    ended = pull_request.review(_harmless(), "--output", pull_request.folder / "no/such/folder")
    assert ended.exit_code == 6
    assert "cannot be written" in ended.err


def test_neither_boto3_nor_jsii_is_imported(pull_request: PullRequest) -> None:
    """Whatever the command is given; and for a plain run no schema library and no cryptography either."""
    program = (
        "import sys\nfrom cli.main import run\ncode = run(sys.argv[2:])\n"
        "slow = [name for name in sys.argv[1].split(',') if name in sys.modules]\n"
        "assert code == 0 and not slow, (code, slow)\n"
    )
    plan = pull_request.write("plan.json", _harmless().data())
    plain = ["review", str(plan), "--declaration", str(pull_request.folder / "head/ekm.yaml")]
    everything = [
        *plain,
        *("--base-declaration", str(pull_request.folder / "base/ekm.yaml")),
        *("--policies", str(pull_request.write("base/rules/description-required.yaml", RULE).parent)),
        *("--waivers", str(pull_request.write("base/waivers.yaml", WAIVERS))),
        *map(str, pull_request.evidence()),
    ]
    always = "boto3,botocore,jsii,cdktf,stacks"
    for names, arguments in ((f"{always},cryptography,rich,jsonschema_rs", plain), (always, everything)):
        done = subprocess.run(
            [sys.executable, "-c", program, names, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


# Evidence


@pytest.mark.requirement("EKM-33")
def test_a_deletion_passes_on_evidence_that_shows_the_generation_released(pull_request: PullRequest) -> None:
    ended = pull_request.review(_deletion(), *pull_request.evidence())
    assert (ended.exit_code, ended.err) == (0, "")


def test_evidence_and_its_key_come_from_the_environment_too(
    pull_request: PullRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path, _, key = pull_request.evidence()
    monkeypatch.setenv("KEYTURN_EVIDENCE", str(path))
    monkeypatch.setenv("KEYTURN_EVIDENCE_KEY", str(key))
    assert pull_request.review(_deletion()).exit_code == 0


def test_evidence_without_a_key_to_check_it_is_a_mistake_of_use(pull_request: PullRequest) -> None:
    ended = pull_request.review(_deletion(), *pull_request.evidence()[:2])
    assert (ended.exit_code, ended.out) == (2, "")
    assert "--evidence-key" in ended.err


def test_an_empty_evidence_is_refused(pull_request: PullRequest) -> None:
    path = pull_request.write("evidence.json", "")
    _refused(pull_request.review(_deletion(), "--evidence", path, "--evidence-key", PUBLIC), "no signed statement")


def test_a_released_generation_without_its_certificate_is_blocked(pull_request: PullRequest) -> None:
    def without(evidence: Evidence) -> Evidence:
        first, second = evidence.generations
        return replace(evidence, generations=(replace(first, certificate=None), second))

    assert pull_request.review(_deletion(), *pull_request.evidence(without)).blocking == {"generation-destroyed"}


def test_evidence_that_was_changed_after_it_was_signed_is_refused(pull_request: PullRequest) -> None:
    _, path, *key = pull_request.evidence()
    document = json.loads(Path(path).read_bytes())
    document["statement"]["expires_at"] = "2999-01-01T00:00:00Z"
    Path(path).write_text(json.dumps(document), encoding="utf-8")
    _refused(pull_request.review(_deletion(), "--evidence", path, *key), "signature")


def test_evidence_that_the_change_signed_itself_is_refused(pull_request: PullRequest) -> None:
    path = pull_request.write("e.json", sign_statement(RELEASED, FileSigner(Ed25519PrivateKey.generate())))
    _refused(pull_request.review(_deletion(), "--evidence", path, "--evidence-key", PUBLIC), "is signed with the key")


def test_an_evidence_key_that_the_change_brings_is_refused(pull_request: PullRequest) -> None:
    own = Ed25519PrivateKey.generate()
    path = pull_request.write("head/e.json", sign_statement(RELEASED, FileSigner(own)))
    key = pull_request.write("head/key.pub", base64.b64encode(own.public_key().public_bytes_raw()))
    _refused(pull_request.review(_deletion(), "--evidence", path, "--evidence-key", key), "the evidence key")


def test_what_lies_apart_counts_by_a_path_that_starts_in_the_change_too(
    pull_request: PullRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull_request.write("base/key.pub", PUBLIC)
    pull_request.write("head/key.pub", PUBLIC)
    _, path, *_ = pull_request.evidence()
    monkeypatch.chdir(pull_request.folder / "head")
    assert pull_request.review(_deletion(), "--evidence", path, "--evidence-key", "../base/key.pub").exit_code == 0
    _refused(pull_request.review(_deletion(), "--evidence", path, "--evidence-key", "key.pub"), "the evidence key")
    around = "../base/../head/key.pub"
    _refused(pull_request.review(_deletion(), "--evidence", path, "--evidence-key", around), "the evidence key")


def test_a_link_in_the_change_to_a_key_elsewhere_is_refused_however_it_is_reached(pull_request: PullRequest) -> None:
    pull_request.write("apart/deep/key.pub", PUBLIC)
    (pull_request.folder / "head/folder").symlink_to(pull_request.folder / "apart/deep")
    (pull_request.folder / "head/key.pub").symlink_to(pull_request.folder / "apart/deep/key.pub")
    _, path, *_ = pull_request.evidence()
    for name in ("head/key.pub", "head/folder/key.pub", "head/folder/../deep/key.pub"):
        key = f"{pull_request.folder}/{name}"
        _refused(pull_request.review(_deletion(), "--evidence", path, "--evidence-key", key), "the evidence key")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda e: _about(e, tenant="southwind"), "about the tenant 'southwind'"),
        (lambda e: _about(e, account_id=OTHER), "about the AWS account"),
        (lambda e: _about(e, vendor_account_id=OTHER), "about the vendor account"),
        (lambda e: _about(e, region="us-west-2"), "about the Region"),
        (lambda e: _about(e, origin=Origin.SANDBOX), "was made with a sandbox"),
        (lambda e: replace(e, expires_at=ISSUED), "expired at"),
        (lambda e: replace(e, issued_at=ISSUED + timedelta(days=300)), "is from the future"),
        (lambda e: replace(e, current=1), "is from before generation 2 became current"),
    ],
    ids=["tenant", "account", "vendor", "Region", "sandbox", "expired", "future", "replayed"],
)
def test_evidence_that_proves_nothing_here_is_refused(
    pull_request: PullRequest, change: Callable[[Evidence], Evidence], what: str
) -> None:
    _refused(pull_request.review(_deletion(), *pull_request.evidence(change)), what)


def _about(evidence: Evidence, **changes: Any) -> Evidence:
    subject = replace(evidence.subject, **changes)
    first, second = evidence.generations
    assert first.certificate is not None
    first = replace(first, certificate=replace(first.certificate, subject=subject))
    return replace(evidence, subject=subject, generations=(first, second))


def test_a_sandboxes_word_counts_in_a_rehearsal_alone(pull_request: PullRequest) -> None:
    arguments = pull_request.evidence(lambda e: _about(e, origin=Origin.SANDBOX))
    assert pull_request.review(_deletion(), *arguments, "--sandbox").exit_code == 0


def test_evidence_from_before_a_rotation_does_not_let_the_newer_generation_go(pull_request: PullRequest) -> None:
    """The ledger leads: the target branch may still declare 1 while 2 is current. Old evidence says so too."""
    pull_request.declare("base", current=1)
    pull_request.declare("head", current=1)

    def before(evidence: Evidence) -> Evidence:
        first, _ = evidence.generations
        first = replace(first, state=GenerationState.CURRENT, certificate=None, data_keys=40)
        return replace(evidence, current=1, generations=(first,))

    plan = PlanBuilder().add(KEY, 1).add(KEY, 2, ("delete",))
    assert "generation-destroyed" in pull_request.review(plan, *pull_request.evidence(before)).blocking


def test_the_change_cannot_make_evidence_of_another_tenant_its_own(pull_request: PullRequest) -> None:
    pull_request.declare("head", tenant="southwind")
    _refused(
        pull_request.review(_deletion(), *pull_request.evidence(lambda e: _about(e, tenant="southwind"))), "tenant"
    )


# A change that brings its own judge


def test_a_changed_vendor_account_is_blocked(pull_request: PullRequest) -> None:
    pull_request.declare("head", druva={"account_id": OTHER, "activated": True})
    plan = PlanBuilder().add(KEY, 1).add(KEY, 2, ("update",), after={"policy": POLICIES["another account instead"]})
    ended = pull_request.review(plan)
    assert ended.exit_code == 1
    assert {"declared-vendor-changed", "vendor-access-lost"} <= ended.blocking


@pytest.mark.parametrize(
    ("changes", "policy"),
    [
        ({"retention_days": 7}, "declared-retention-shortened"),
        ({"break_glass": [f"arn:aws:iam::{CUSTOMER}:role/Mine"]}, "declared-break-glass-added"),
        ({"current": 1}, "declared-current-lowered"),
        ({"tenant": "southwind"}, "declared-identity-changed"),
    ],
    ids=["retention", "break glass", "current", "tenant"],
)
def test_a_weaker_declaration_is_blocked_even_beside_a_harmless_plan(
    pull_request: PullRequest, changes: dict[str, Any], policy: str
) -> None:
    pull_request.declare("head", **changes)
    ended = pull_request.review(_harmless())
    assert ended.exit_code == 1
    assert policy in ended.blocking


@pytest.mark.parametrize(
    "generations",
    [
        [{"number": 1}],
        [{"number": 1}, {"number": 2, "address": "aws_kms_key.another"}],
        [{"number": 1}, {"number": 2, "key_arn": key_arn(7)}],
        [{"number": 1, "state": "deleted"}, {"number": 2}],
    ],
    ids=["dropped", "renamed", "another key", "declared deleted"],
)
def test_a_generation_taken_out_of_scope_by_the_declaration_is_still_in_it(
    pull_request: PullRequest, generations: list[dict[str, Any]]
) -> None:
    pull_request.declare("head", generations=generations, current=len(generations))
    gone = 1 if len(generations) == 2 and "state" in generations[0] else 2
    plan = PlanBuilder().add(KEY, 3 - gone).add(KEY, gone, ("delete",))
    ended = pull_request.review(plan)
    assert ended.exit_code == 1
    assert "generation-destroyed" in ended.blocking


def test_a_generation_that_is_renumbered_by_its_tags_is_blocked(pull_request: PullRequest) -> None:
    tags = {"keyturn:tenant": "northwind", "keyturn:generation": "1"}
    plan = PlanBuilder().add(KEY, 1).add(KEY, 2, ("update",), after={"tags": tags, "tags_all": tags})
    assert pull_request.review(plan).exit_code == 1


def test_a_generation_that_is_moved_to_another_address_and_then_destroyed_is_blocked(
    pull_request: PullRequest,
) -> None:
    plan = PlanBuilder().add(KEY, 1).add(KEY, 2, ("delete",), name="other", previous_address="aws_kms_key.generation_2")
    assert "generation-destroyed" in pull_request.review(plan).blocking


def test_waivers_and_rules_of_the_target_branch_count(pull_request: PullRequest) -> None:
    waivers = pull_request.write("base/waivers.yaml", WAIVERS)
    rules = pull_request.write("base/rules/description-required.yaml", RULE).parent
    assert pull_request.review(_alias_removed()).blocking == {"alias-removed"}
    ended = pull_request.review(_alias_removed(), "--waivers", waivers, "--policies", rules)
    assert ended.exit_code == 0
    (waived,) = json.loads(ended.out)["waived"]
    assert (waived["policy"], waived["owner"], waived["until"]) == ("alias-removed", "Ada", UNTIL)
    plan = PlanBuilder().add(KEY, 1).add(KEY, 2, ("update",), after={"description": ""})
    assert pull_request.review(plan, "--policies", rules).blocking == {"description-required"}


def test_a_waiver_that_the_change_adds_is_refused(pull_request: PullRequest) -> None:
    waivers = pull_request.write("head/waivers.yaml", WAIVERS)
    _refused(pull_request.review(_alias_removed(), "--waivers", waivers), "the change's own")


def test_a_rule_that_the_change_adds_is_refused(pull_request: PullRequest) -> None:
    rules = pull_request.write("head/rules/description-required.yaml", RULE).parent
    _refused(pull_request.review(_harmless(), "--policies", rules), "the change's own")


def test_a_link_out_of_the_change_is_the_changes_own(pull_request: PullRequest) -> None:
    pull_request.write("base/waivers.yaml", WAIVERS)
    link = pull_request.folder / "head/waivers.yaml"
    link.symlink_to(pull_request.folder / "base/waivers.yaml")
    _refused(pull_request.review(_alias_removed(), "--waivers", link), "the change's own")


def test_the_working_tree_counts_not_the_folder_alone(pull_request: PullRequest) -> None:
    for branch in ("base", "head"):
        (pull_request.folder / branch / ".git").mkdir()
        (pull_request.folder / branch / "infra").mkdir()
        (pull_request.folder / branch / "ekm.yaml").rename(pull_request.folder / branch / "infra/ekm.yaml")
    plan = pull_request.write("plan.json", _alias_removed().data())
    words = ["review", str(plan), "--declaration", str(pull_request.folder / "head/infra/ekm.yaml")]
    words += ["--base-declaration", str(pull_request.folder / "base/infra/ekm.yaml"), "--waivers"]
    assert run([*words, str(pull_request.write("base/waivers.yaml", WAIVERS))]) == 0
    assert run([*words, str(pull_request.write("head/waivers.yaml", WAIVERS))]) == 3


def test_one_folder_for_everything_is_no_attack(pull_request: PullRequest) -> None:
    """Where the target branch's declaration lies in the change's own folder, the folder says nothing."""
    base = pull_request.write("head/base.yaml", json.dumps(_declaration(2)))
    waivers = pull_request.write("head/waivers.yaml", WAIVERS)
    ended = pull_request.review(_alias_removed(), "--base-declaration", base, "--waivers", waivers)
    assert ended.exit_code == 0


def test_the_changes_own_declaration_as_its_base_is_said_to_be_none(pull_request: PullRequest) -> None:
    own = pull_request.folder / "head/ekm.yaml"
    ended = pull_request.review(_deletion(), "--base-declaration", own, base=False)
    assert "judged by its own declaration" in " ".join(json.loads(ended.out)["notes"])


def test_a_broken_rule_file_stops_the_run_with_line_and_column(pull_request: PullRequest) -> None:
    rules = pull_request.write("base/rules/description-required.yaml", RULE.replace("severity: high", "severity: bad"))
    ended = pull_request.review(_harmless(), "--policies", rules.parent)
    _refused(ended, "description-required.yaml:3:11")
