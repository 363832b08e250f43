"""`keyturn history` and `verify`: who, when, what, with which requests; and a signed end to hold against it."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from cli.main import VERSION
from tests.builders import declared_generations
from tests.cli.conftest import VENDOR
from tests.cli.test_evidence import signing_key
from tests.cli.test_rotate import fill

if TYPE_CHECKING:
    from tests.cli.conftest import Repository

_OVERRIDE = ("--override-by", "Ada", "--override-reason", "CloudTrail shows no use")


@pytest.mark.requirement("EKM-34")
def test_each_entry_tells_who_did_it_when_with_what_and_by_which_requests(repository: Repository) -> None:
    repository.enabled()
    fill(repository, "anna")
    second = repository.with_second_generation()
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR).exit_code == 0
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    repository.declare(declared_generations(2) + "retention_days: 0\n")
    assert repository.keyturn("retire", "1", *_OVERRIDE).exit_code == 0
    entries = repository.keyturn("history", "--json").document
    by_event: dict[str, Any] = {}
    for entry in entries:
        by_event.setdefault(entry["event"], entry)
        assert re.fullmatch(r"arn:aws:(iam|sts)::123456789012:.+", entry["identity"])
        assert entry["at"].endswith("+00:00")
        assert entry["version"] == VERSION
        assert entry["command"].startswith("keyturn ")
    assert by_event["enabled"]["command"] == "keyturn enable"
    assert by_event["rotation_started"]["command"] == "keyturn rotate --to 2"
    assert by_event["retired"]["command"] == "keyturn retire 1"
    for event in ("registered", "enabled", "data_key_created", "rotation_started", "rewrapped", "retired"):
        requests = by_event[event]["kms_requests"]
        assert requests["count"] >= len(requests["ids"]) > 0, event
    assert by_event["data_key_created"]["kms_requests"]["count"] == 1
    assert by_event["confirmed"]["kms_requests"] == {"count": 0, "ids": []}
    started, retired = (set(by_event[event]["kms_requests"]["ids"]) for event in ("rotation_started", "retired"))
    assert not started & retired


def test_the_history_is_narrowed_by_what_when_who_and_how_many(repository: Repository) -> None:
    repository.enabled()

    def events(*arguments: str) -> list[str]:
        return [entry["event"] for entry in repository.keyturn("history", "--json", *arguments).document]

    everything = events()
    assert everything == ["created", "registered", "enabled", "rewrapped", "confirmed"]
    assert events("--event", "enabled", "--event", "confirmed") == ["enabled", "confirmed"]
    assert events("--last", "2") == ["rewrapped", "confirmed"]
    assert events("--generation", "1") == everything[1:]
    assert events("--generation", "2") == []
    assert events("--until", "2020-01-01") == []
    assert events("--since", "2020-01-01", "--by", "arn:aws") == everything
    assert events("--by", "somebody-else") == []
    told = repository.keyturn("history", "--event", "enabled").out
    assert "requests to AWS KMS:" in told


def test_a_checkpoint_is_exported_and_later_held_against_the_ledger(
    repository: Repository, tmp_path_factory: Any
) -> None:
    repository.enabled()
    key, public = signing_key(repository, tmp_path_factory)
    ended = repository.keyturn("history", "--checkpoint", "point.json", "--signing-key", key)
    assert ended.exit_code == 0, ended.err
    fill(repository, "anna")
    trusted = ("--evidence-key", public, "--sandbox")
    verified = repository.keyturn("verify", "--checkpoint", "point.json", *trusted, "--json")
    assert verified.exit_code == 0, verified.err
    assert verified.document["checkpoints"][0]["entry"] == 5
    assert (verified.document["entries"], verified.document["data_keys"]) == (6, 1)
    assert "entry 5 is what was signed then" in repository.keyturn("verify", "--checkpoint", "point.json", *trusted).out
    assert repository.keyturn("verify", "--checkpoint", "point.json").exit_code == 2
    assert repository.keyturn("verify", "--checkpoint", "point.json", "--evidence-key", public).exit_code == 3
    altered = (repository.folder / "point.json").read_text().replace('"length": 5', '"length": 4')
    (repository.folder / "other.json").write_text(altered)
    assert repository.keyturn("verify", "--checkpoint", "other.json", *trusted).exit_code == 3
    (repository.folder / ".keyturn").rename(repository.folder / "elsewhere")
    repository.enabled()
    ended = repository.keyturn("verify", "--checkpoint", "point.json", *trusted)
    assert ended.exit_code == 5
    assert "the journal was rewritten" in ended.err
    assert repository.keyturn("verify").exit_code == 0


def test_an_altered_entry_ends_verify_and_history_as_damaged(repository: Repository) -> None:
    repository.enabled()
    connection = sqlite3.connect(repository.folder / ".keyturn" / "ledger.db")
    (raw,) = connection.execute("SELECT entry FROM journal WHERE number = 3").fetchone()
    connection.execute("UPDATE journal SET entry = ? WHERE number = 3", (raw.replace(b"Ada", b"Eve"),))
    connection.commit()
    connection.close()
    for command in ("verify", "history"):
        ended = repository.keyturn(command)
        assert ended.exit_code == 5
        assert "journal entry 4 does not follow from entry 3" in ended.err
