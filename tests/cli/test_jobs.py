"""`keyturn jobs`: the history that the event log holds, killed jobs and damaged lines included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import VENDOR

if TYPE_CHECKING:
    from tests.cli.conftest import Repository


@pytest.fixture
def ran(repository: Repository) -> Repository:
    """A tenant with a bulk backup that succeeded, one that failed for its key, and a restore."""
    for user in ("anna", "bob"):
        folder = repository.folder / "source/onedrive" / user
        folder.mkdir(parents=True)
        (folder / "file").write_text("content")
    arn = repository.enabled()
    bulk = ("run", "backup", "--trigger", "bulk", "--source", "source", *VENDOR)
    assert repository.keyturn(*bulk).exit_code == 0
    repository.customer.kms.disable_key(KeyId=arn)
    assert repository.keyturn(*bulk).exit_code == 4
    repository.customer.kms.enable_key(KeyId=arn)
    assert repository.keyturn("run", "restore", "--to", "restored", *VENDOR).exit_code == 0
    return repository


def test_jobs_are_listed_and_told_with_what_became_of_their_workloads(ran: Repository) -> None:
    listed = ran.keyturn("jobs", "--json")
    assert listed.exit_code == 0
    first, second, third = listed.document
    assert [job["status"] for job in listed.document] == ["Success", "Failed", "Success"]
    assert [job["workflow"] for job in (first, third)] == [
        "Microsoft 365 backup (bulk)",
        "Microsoft 365 restore (restore, as a copy)",
    ]
    assert {result["key_failure"] for result in second["results"]} == {"revoked"}
    assert first["started_at"] <= first["ended_at"] <= second["started_at"]
    assert [(r["workload"], r["files"]) for r in third["results"]] == [("onedrive/anna", 1), ("onedrive/bob", 1)]
    table = ran.keyturn("jobs").out.splitlines()
    assert len(table) == 4
    assert "2 of 2 not done" in table[2]
    told = ran.keyturn("jobs", second["job"]).out
    assert "onedrive/bob" in told
    assert f"key revoked: {second['results'][0]['key_arn']}" in told
    assert [job["job"] for job in ran.keyturn("jobs", "--failed", "--json").document] == [second["job"]]
    assert [job["job"] for job in ran.keyturn("jobs", "--last", "1", "--json").document] == [third["job"]]


def test_a_job_that_was_killed_is_not_taken_for_one_that_ended(ran: Repository) -> None:
    events = ran.folder / ".keyturn/events.jsonl"
    lines = events.read_text().splitlines(keepends=True)
    events.write_text("".join(lines[:2]))
    (job,) = ran.keyturn("jobs", "--json").document
    assert (job["status"], job["ended_at"], job["workloads"], len(job["results"])) == ("Running", None, 2, 1)
    assert "1 more of its workloads have not ended" in ran.keyturn("jobs", job["job"]).out
    events.write_text(lines[0])
    assert ran.keyturn("jobs", "--json").document[0]["status"] == "Running"


def test_lines_that_are_no_events_are_told_and_the_others_still_shown(ran: Repository) -> None:
    events = ran.folder / ".keyturn/events.jsonl"
    for torn in (b'{"eventCategory": "EV', b"\xff\xfe", b"[]", b'{"keyturn": {}}', b"{" * 100_000):
        before = events.read_bytes()
        events.write_bytes(before + torn + b"\n")
        ended = ran.keyturn("jobs", "--json")
        assert ended.exit_code == 5
        assert len(ended.document) == 3
        assert "lines that are no events" in ended.err
        events.write_bytes(before)


def test_a_job_that_is_not_there_is_told_and_no_jobs_are_no_error(repository: Repository) -> None:
    assert repository.keyturn("jobs").out == "no job\n"
    assert repository.keyturn("jobs", "--json").document == []
    ended = repository.keyturn("jobs", "0123")
    assert (ended.exit_code, "there is no job '0123'" in ended.err) == (3, True)
    assert not (repository.folder / ".keyturn").exists()
