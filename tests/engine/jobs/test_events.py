"""Events and reports: one event for each workload, in the vendor's words, and the exit code of the gravest thing."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.catalogue import LEGAL_HOLD_DOWNLOAD, Product, WorkflowKind, find_workflow
from engine.errors import (
    DamagedError,
    ExitCode,
    InputError,
    KeyAccessError,
    KeyFailure,
    KeyturnError,
    MachineError,
    RefusedError,
)
from engine.jobs.backup import backup
from engine.jobs.events import EventState, JsonLinesEvents
from engine.jobs.report import JobReport, Outcome, Problem, ProblemKind, WorkloadResult, naming
from engine.jobs.restore import RestoreRequest, download
from tests.builders import ACTOR, NOW, key_arn
from tests.engine.jobs.world import MANUAL_BACKUP

if TYPE_CHECKING:
    from tests.engine.jobs.world import World


def events(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in world.events.read_text().splitlines()]


def test_each_workload_of_a_job_has_an_event_in_the_vendors_words(world: World) -> None:
    world.write("onedrive/anna/secret-name.docx", "secret-content")
    world.write("onedrive/bob/file")
    report = world.back_up("onedrive/anna")
    world.restore()
    began, first, second, restoring, third, fourth = events(world)
    assert len({event["uniqueID"] for event in events(world)}) == 6
    assert (began["eventType"], restoring["eventType"]) == ("Backup", "Restore")
    for event in (began, restoring):
        details = event["keyturn"]
        assert (details["status"], details["workloads"], details["workload"]) == ("Running", 2, None)
        assert event["severity"] == "6"
    assert first | {"uniqueID": "", "timeStamp": ""} == {
        "eventCategory": "EVENT",
        "uniqueID": "",
        "topicName": "Backup And Restore",
        "eventType": "Backup",
        "timeStamp": "",
        "tenantID": "northwind",
        "severity": "6",
        "identityType": "ADMIN",
        "identityID": ACTOR.identity,
        "eventDetails": "Microsoft 365 backup (manual) of onedrive/anna: Success",
        "schemaVersion": "1.0",
        "keyturn": {
            "job": report.job_id,
            "workload": "onedrive/anna",
            "workflow": "Microsoft 365 backup (manual)",
            "status": "Success",
            "command": ACTOR.command,
            "version": ACTOR.version,
            "snapshot": report.results[0].snapshot,
            "files": 1,
            "bytes": 14,
            "unchanged": 0,
            "problems": 0,
            "legalHold": True,
            "error": None,
        },
    }
    assert first["timeStamp"].endswith("Z")
    assert [event["eventType"] for event in (second, third, fourth)] == ["Backup", "Restore", "Restore"]
    assert "secret" not in world.events.read_text()


def test_a_failure_is_an_event_with_the_key_and_what_aws_said(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up()
    world.revoke()
    world.back_up(workflow=find_workflow(Product.MICROSOFT_365, WorkflowKind.BACKUP, "scheduled"))
    event = events(world)[-1]
    assert (event["severity"], event["identityType"]) == ("3", "SERVICE")
    details = event["keyturn"]
    assert (details["status"], details["keyFailure"], details["keyArn"], details["awsCode"]) == (
        "Failed",
        "revoked",
        str(key_arn(1)),
        "DisabledException",
    )


def test_a_legal_hold_download_is_a_webdav_event_and_a_users_download_a_users(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up("onedrive/bob")
    for variant in (LEGAL_HOLD_DOWNLOAD, "UserPortal download"):
        workflow = find_workflow(Product.MICROSOFT_365, WorkflowKind.DOWNLOAD, variant)
        download(world.context, workflow, RestoreRequest(world.root / variant.split()[0]))
    held, _, portal = events(world)[-3:]
    assert (held["topicName"], held["eventType"]) == ("WebDAV", "Download")
    assert (portal["topicName"], portal["identityType"]) == ("Backup And Restore", "USER")


def test_a_snapshot_with_files_missing_is_backed_up_with_errors(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up()
    (world.root / "restored/onedrive/bob/file").mkdir(parents=True)
    world.restore()
    assert (events(world)[-1]["keyturn"]["status"], events(world)[-1]["keyturn"]["problems"]) == ("Failed", 1)
    next(world.vault_folder.rglob("manifest")).write_bytes(b"")
    world.back_up()
    event = events(world)[-1]
    assert (event["keyturn"]["status"], event["severity"]) == ("Backed up with errors", "4")


def test_an_event_log_is_its_owners_alone(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up()
    assert stat.S_IMODE(world.events.stat().st_mode) == 0o600


def test_what_a_machine_that_went_down_left_of_a_line_spoils_no_other(world: World) -> None:
    world.write("onedrive/bob/file")
    world.events.write_bytes(b'{"eventCategory": "EV')
    world.back_up()
    torn, *whole = world.events.read_text().splitlines()
    assert torn == '{"eventCategory": "EV'
    assert [json.loads(line)["keyturn"]["status"] for line in whole] == ["Running", "Success"]


def test_an_event_that_cannot_be_kept_ends_the_job(world: World, tmp_path: Path) -> None:
    world.write("onedrive/bob/file")
    (tmp_path / "a file").touch()
    context = replace(world.context, events=JsonLinesEvents(tmp_path / "a file" / "events.jsonl"))
    with pytest.raises(MachineError):
        backup(context, MANUAL_BACKUP, world.source)


REVOKED = KeyAccessError(KeyFailure.REVOKED, "Decrypt failed", key_arn="arn", operation="Decrypt", aws_code="X")


@pytest.mark.parametrize(
    ("errors", "problems", "code"),
    [
        ([], [], ExitCode.DONE),
        ([], [ProblemKind.NOTE], ExitCode.DONE),
        ([], [ProblemKind.MISSING], ExitCode.INPUT),
        ([], [ProblemKind.LEFT_ALONE], ExitCode.REFUSED),
        ([], [ProblemKind.LEFT_ALONE, ProblemKind.DAMAGED], ExitCode.DAMAGED),
        ([REVOKED], [ProblemKind.DAMAGED], ExitCode.AWS),
        ([DamagedError("x"), REVOKED], [], ExitCode.AWS),
        ([MachineError("x"), DamagedError("x")], [], ExitCode.DAMAGED),
        ([InputError("x"), MachineError("x")], [], ExitCode.MACHINE),
        ([RefusedError("rule", "x"), InputError("x")], [], ExitCode.INPUT),
        ([RefusedError("rule", "x")], [], ExitCode.REFUSED),
    ],
)
def test_the_exit_code_is_that_of_the_gravest_thing(
    errors: list[KeyturnError], problems: list[ProblemKind], code: ExitCode
) -> None:
    results = [WorkloadResult("ok", Outcome.COMPLETED)]
    results += [WorkloadResult.failed("failed", error) for error in errors]
    noted = tuple(Problem("path", kind, "reason") for kind in problems)
    results.append(WorkloadResult("problems", Outcome.WITH_PROBLEMS, problems=noted))
    report = JobReport("1", MANUAL_BACKUP, NOW, NOW, tuple(results))
    assert report.exit_code is code
    assert len(report.failures) == len(errors)


def test_a_failure_for_the_key_is_named_and_keeps_all_that_is_known_of_it() -> None:
    named = naming(REVOKED, MANUAL_BACKUP, "onedrive/bob")
    assert isinstance(named, KeyAccessError)
    assert "Microsoft 365 backup (manual)" in named.message
    assert "'onedrive/bob'" in named.message
    assert (named.failure, named.key_arn, named.operation, named.aws_code, named.exit_code) == (
        KeyFailure.REVOKED,
        "arn",
        "Decrypt",
        "X",
        ExitCode.AWS,
    )
    other = InputError("other")
    assert naming(other, MANUAL_BACKUP, "onedrive/bob") is other


def test_the_documentation_names_every_field_and_status_of_an_event(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up()
    world.revoke()
    world.back_up()
    page = (Path(__file__).resolve().parents[3] / "docs" / "events.md").read_text(encoding="utf-8")
    for event in events(world):
        for name in (*event, *event["keyturn"]):
            assert f"`{name}`" in page, name
    for state in EventState:
        assert f"`{state.value}`" in page
