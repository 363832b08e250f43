"""Plans that real Terraform made (plans/README.md), each with what the review must say of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.arn import parse_key_arn
from engine.errors import InputError
from engine.review import ReviewVerdict, RotationProof, render_text, review_plan
from engine.review.formats import ReportFormat, render
from tests.engine.review.declarations import declaration, proof
from tests.engine.review.make_plans import SCENARIOS
from tests.engine.review.more_scenarios import MORE

PLANS = Path(__file__).with_name("plans")
PASS, BLOCK = ReviewVerdict.PASS, ReviewVerdict.BLOCK

# What each plan must be blocked by, the worst first; empty where it must pass.
EXPECTED: dict[str, tuple[str, ...]] = {
    "first_deploy": (),
    "no_changes": (),
    "second_generation": (),
    "generation_removed": ("generation-destroyed", "alias-moved-early"),
    "everything_destroyed": ("generation-destroyed", "alias-removed"),
    "replaced": ("generation-replaced", "alias-moved-early", "wrong-key-origin"),
    "replaced_create_first": ("generation-replaced", "wrong-key-origin"),
    "disabled": ("generation-disabled",),
    "forgotten": ("alias-removed", "generation-forgotten"),
    "lost_from_state": ("generation-lost", "alias-moved-early"),
    "lost_and_removed": ("generation-lost", "alias-removed"),
    "vendor_statement_removed": ("vendor-access-lost",),
    "statement_renamed": (),
    "separate_policy_destroyed": ("vendor-access-lost",),
    "grant_removed": (),
    "grant_narrowed": ("vendor-access-narrowed", "grant-replaced-with-gap"),
    "alias_forward": ("alias-moved-early",),
    "alias_back": ("alias-moved-back",),
    "alias_to_new_key": ("alias-moved-early",),
    "alias_renamed": ("alias-removed",),
    "alias_removed": ("alias-removed",),
    "refresh_only_disabled": ("key-disabled-outside",),
    "disabled_outside": ("revocation-undone",),
    "policy_changed_outside": (),
    "targeted": ("plan-incomplete",),
    "errored": ("plan-errored",),
    "moved": (),
    "modules": (),
    "modules_policy_rewritten": (),
    "external_key": ("material-in-clear",),
    "replica_removed": ("generation-destroyed", "plan-errored"),
    "deposed": ("generation-destroyed",),
    "doc_vendor_removed_known": ("vendor-access-lost",),
    "doc_vendor_removed_unknown": ("vendor-access-lost",),
    "doc_role_added": (),
    "doc_deny_added_unknown": ("vendor-access-lost",),
    "doc_vendor_to_var_role": ("vendor-access-lost",),
    "foreach_one_gone": ("generation-destroyed",),
    "count_to_foreach": ("generation-destroyed", "generation-destroyed"),
    "module_renamed": ("generation-destroyed",),
    "module_moved": (),
    "module_count_added": ("generation-destroyed",),
    "deny_org": ("vendor-access-conditional",),
    "deny_mfa": ("vendor-access-conditional",),
    "deny_transport": (),
    "vendor_heredoc_role": ("vendor-access-conditional",),
    "vendor_respelled": (),
    "kp_by_alias_data": ("vendor-access-lost",),
    "kp_to_new_key": (),
    "kp_merged": (),
    "refresh_only_policy": ("vendor-access-lost",),
    "replace_flag": ("generation-replaced", "alias-moved-early"),
    "target_destroy": ("plan-incomplete",),
    "target_destroy_key": ("generation-destroyed", "alias-removed", "plan-incomplete"),
    "grant_constraint": ("grant-replaced-with-gap", "vendor-access-conditional"),
    "grant_other_account": ("other-account-instead-of-vendor", "vendor-access-lost", "grant-replaced-with-gap"),
    "replica_policy": ("plan-errored",),
}


def _plan(name: str) -> bytes:
    return (PLANS / f"{name}.json").read_bytes()


def test_there_is_an_expectation_for_every_plan() -> None:
    assert set(EXPECTED) == {path.stem for path in PLANS.glob("*.json")} == set(SCENARIOS | MORE)


@pytest.mark.requirement("EKM-33")
@pytest.mark.requirement("EKM-34")
@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_plan_is_judged_as_expected(name: str) -> None:
    report = review_plan(name, _plan(name), declaration(2))
    blocking = tuple(finding.policy for finding in report.blocking)
    assert blocking == EXPECTED[name], [f"{f.policy}: {f.message}" for f in report.findings]
    assert report.verdict is (BLOCK if EXPECTED[name] else PASS)


@pytest.mark.parametrize("name", [name for name, blocking in EXPECTED.items() if "generation-destroyed" in blocking])
def test_a_destroyed_generation_is_blocked_even_without_a_word_in_the_declaration(name: str) -> None:
    """The vendor can use the key: it is in scope whoever declared it, under whatever tenant."""
    report = review_plan(name, _plan(name), declaration(1, tenant="another"))
    assert "generation-destroyed" in {finding.policy for finding in report.blocking}


@pytest.mark.parametrize("name", ["no_changes", "first_deploy", "second_generation", "statement_renamed", "moved"])
def test_a_harmless_plan_gets_one_line(name: str) -> None:
    text = render_text(review_plan(name, _plan(name), declaration(2), base=declaration(2)))
    assert text.startswith("PASS")
    assert len(text.splitlines()) == 1


def test_a_deletion_passes_on_evidence_that_names_the_key() -> None:
    data = json.loads(_plan("generation_removed"))
    arns = {
        change["address"]: change["change"]["before"]["arn"]
        for change in data["resource_changes"]
        if change["type"] == "aws_kms_key"
    }
    declared = declaration(2, current=2)
    released = _proof_of(arns["aws_kms_key.generation_1"], arns["aws_kms_key.generation_2"])
    assert review_plan("p", _plan("generation_removed"), declared, proof=released).verdict is PASS
    # The same evidence about other keys proves nothing.
    assert (
        review_plan("p", _plan("generation_removed"), declared, proof=proof({1: "released", 2: "current"})).verdict
        is BLOCK
    )


def _proof_of(first: str, second: str) -> RotationProof:
    evidence = proof({1: "released", 2: "current"})
    one, two = evidence.generations
    return replace(
        evidence,
        generations=(
            replace(one, key_arn=parse_key_arn(first)),
            replace(two, key_arn=parse_key_arn(second)),
        ),
    )


@pytest.mark.requirement("EKM-43")
def test_the_impact_names_what_stops_and_never_legal_hold() -> None:
    report = review_plan("p", _plan("vendor_statement_removed"), declaration(1))
    rows = {(row.product, row.workflow, row.variant) for row in report.impact}
    assert ("Microsoft 365", "backup", "scheduled") in rows
    assert ("Microsoft Entra ID", "restore", "restore, in place") in rows
    assert not any("legal hold" in row.variant.lower() for row in report.impact)
    assert all("stops when the plan is applied" in row.effect for row in report.impact)


def test_an_unaffected_plan_has_no_impact() -> None:
    assert review_plan("p", _plan("grant_removed"), declaration(1)).impact == ()


@pytest.mark.parametrize("name", EXPECTED)
def test_no_report_shows_a_sensitive_value(name: str) -> None:
    data = json.loads(_plan(name))
    canary = "CANARY-7f1d"
    data["variables"] = {"password": {"value": canary}}
    for change in (*data.get("resource_changes", ()), *data.get("resource_drift", ())):
        for side in ("before", "after"):
            values = change["change"].get(side)
            if not isinstance(values, dict):
                continue
            marked = change["change"].get(f"{side}_sensitive")
            marks = marked if isinstance(marked, dict) else {}
            for attribute in ("grant_token", "key_material_base64", "description", "name", "policy"):
                if isinstance(values.get(attribute), str):
                    if attribute != "policy":
                        values[attribute] = f"{canary}-{attribute}"
                    marks[attribute] = True
            change["change"][f"{side}_sensitive"] = marks
    report = review_plan(name, json.dumps(data).encode(), declaration(2))
    for form in ReportFormat:
        text = render(report, form, colour=True)
        assert canary not in text
        assert "Y2FuYXJ5" not in text


@pytest.mark.parametrize("name", EXPECTED)
def test_a_truncated_plan_is_refused(name: str) -> None:
    data = _plan(name)
    for part in (1, len(data) // 3, len(data) - 10):
        with pytest.raises(InputError):
            review_plan(name, data[:part], declaration(2))


def test_a_policy_that_is_known_only_by_its_document_is_said_to_be() -> None:
    report = review_plan("p", _plan("modules_policy_rewritten"), declaration(2))
    assert sum("judged by its policy document" in note for note in report.notes) == 2
    assert not any("document" in note for note in review_plan("p", _plan("first_deploy"), declaration(2)).notes)


@pytest.mark.parametrize("attribute", ["statement", "id"])
def test_a_policy_made_of_a_documents_parts_is_not_judged_by_the_document(attribute: str) -> None:
    document = "data.aws_iam_policy_document.d"
    data = json.loads(_plan("doc_role_added"))
    key = next(r for r in data["configuration"]["root_module"]["resources"] if r["type"] == "aws_kms_key")
    assert key["expressions"]["policy"]["references"] == [f"{document}.json", document]
    key["expressions"]["policy"]["references"] = [f"{document}.{attribute}", document]
    report = review_plan("plan.json", json.dumps(data).encode(), declaration(2))
    assert "vendor-access-lost" in {finding.policy for finding in report.blocking}
