"""What `keyturn rotate` does with data keys that are damaged, when it is interrupted, and with whose credentials."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import VENDOR, Repository
from tests.cli.test_rotate import data_keys, fill

ROOT = Path(__file__).resolve().parents[2]


def alter(repository: Repository, statement: str, *values: object) -> None:
    """Change the ledger's file past all rules, as a damaged disk does."""
    with closing(sqlite3.connect(repository.folder / ".keyturn" / "ledger.db")) as connection:
        connection.execute(statement, values)
        connection.commit()


@pytest.mark.requirement("EKM-33")
def test_damaged_data_keys_are_set_aside_the_rest_moves_and_the_command_says_so(repository: Repository) -> None:
    repository.enabled()
    names = ("anna", "bob", "cem", "dora", "emil")
    fill(repository, *names)
    workloads = {name: f"onedrive/{name}" for name in names}
    with closing(sqlite3.connect(repository.folder / ".keyturn" / "ledger.db")) as connection:
        good = dict(connection.execute("SELECT workload, ciphertext FROM data_keys").fetchall())
    damages = {
        "anna": b"",
        "bob": b"\x00" * 7000,
        "cem": bytes([*good[workloads["cem"]][:-1], good[workloads["cem"]][-1] ^ 1]),
        "dora": good[workloads["emil"]],
    }
    for name, ciphertext in damages.items():
        alter(repository, "UPDATE data_keys SET ciphertext = ? WHERE workload = ?", ciphertext, workloads[name])
    second = repository.with_second_generation()
    ended = repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR, "--json")
    assert ended.exit_code == 5, ended.err
    assert (ended.document["moved"], ended.document["set_aside_count"]) == (1, 4)
    assert ended.document["complete"] is False
    for name in damages:
        assert f"the data key of {workloads[name]} is set aside: " in ended.err
    assert data_keys(repository) == {1: 4, 2: 1}
    assert repository.keyturn("confirm", "2", "--key-arn", second, "--by", "Ada").exit_code == 0
    assert repository.keyturn("retire", "1").exit_code == 1
    again = repository.keyturn("rotate", "--to", "2", *VENDOR)
    assert again.exit_code == 5
    assert "`keyturn rotate --to 2` tries them again" in again.out
    for name in damages:
        alter(
            repository,
            "UPDATE data_keys SET ciphertext = ? WHERE workload = ?",
            good[workloads[name]],
            workloads[name],
        )
    mended = repository.keyturn("rotate", "--to", "2", *VENDOR, "--json")
    assert (mended.exit_code, mended.document["moved"], mended.document["complete"]) == (0, 4, True)
    assert data_keys(repository) == {1: 0, 2: 5}
    assert repository.keyturn("run", "restore", "--to", "restored", *VENDOR).exit_code == 0
    for name in names:
        assert (repository.folder / "restored" / "onedrive" / name / "notes.txt").read_text() == f"of {name}"


@pytest.mark.requirement("EKM-34")
@pytest.mark.parametrize(("by", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_move_keeps_what_is_done_and_says_how_to_go_on(
    repository: Repository, by: signal.Signals, exit_code: int
) -> None:
    repository.enabled()
    fill(repository, "anna", "bob", "cem", "dora")
    second = repository.with_second_generation()
    arguments = ["rotate", "--to", "2", "--key-arn", second, *VENDOR, "--requests-per-second", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "new data keys go to generation 2" in line:
            break
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.8)  # eight calls at two a second take longer
    process.send_signal(by)
    _, err = process.communicate(timeout=180)
    assert process.returncode == exit_code
    assert "Traceback" not in err
    assert "`keyturn rotate --to 2` goes on" in err
    counts = data_keys(repository)
    assert 0 < counts[2] < 4, "some are moved, not all"
    assert counts[1] + counts[2] == 4
    ended = repository.keyturn("rotate", "--to", "2", *VENDOR, "--json")
    assert (ended.exit_code, ended.document["moved"]) == (0, counts[1])
    assert data_keys(repository) == {1: 0, 2: 4}


@pytest.mark.requirement("EKM-33")
def test_a_move_with_two_credentials_decrypts_with_the_one_and_encrypts_with_the_other(
    repository: Repository,
) -> None:
    first = repository.enabled()
    fill(repository, "anna", "bob")
    second = repository.with_second_generation()
    before = repository.ledger_state()
    asked = repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR, "--target-profile", "nobody")
    assert asked.exit_code == 4
    assert repository.ledger_state() == before
    too_slow = repository.keyturn("rotate", "--to", "2", "--key-arn", second, "--requests-per-second", "0")
    assert too_slow.exit_code == 2
    assert repository.ledger_state() == before
    repository.customer.kms.disable_key(KeyId=first)
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR).exit_code == 4
    repository.customer.kms.enable_key(KeyId=first)
    owner_alone = {
        "Effect": "Allow",
        "Principal": {"AWS": repository.customer.root},
        "Action": "kms:*",
        "Resource": "*",
    }
    for grant in repository.customer.kms.list_grants(KeyId=second)["Grants"]:
        repository.customer.kms.revoke_grant(KeyId=second, GrantId=grant["GrantId"])
    policy = json.dumps({"Version": "2012-10-17", "Statement": [owner_alone]})
    repository.customer.kms.put_key_policy(KeyId=second, PolicyName="default", Policy=policy)
    assert repository.keyturn("rotate", "--to", "2", *VENDOR).exit_code == 4, "the vendor may not use the new key"
    assert data_keys(repository) == {1: 2, 2: 0}
    ended = repository.keyturn("rotate", "--to", "2", *VENDOR, "--target-profile", "customer", "--json")
    assert (ended.exit_code, ended.document["moved"]) == (0, 2), ended.err
    assert data_keys(repository) == {1: 0, 2: 2}
    assert repository.keyturn("run", "restore", "--to", "restored").exit_code == 0


@pytest.mark.requirement("EKM-34")
def test_throttling_and_lost_answers_are_waited_out_and_told_once(repository: Repository) -> None:
    repository.enabled()
    fill(repository, "anna", "bob", "cem")
    second = repository.with_second_generation()
    faults = (
        "throttle kms:ReEncrypt count=5",
        "drop kms:Decrypt after count=1",
        "error kms:Decrypt count=1 status=500",
    )
    with repository.customer.sandbox.faults.during(*faults):
        ended = repository.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR, "--json")
    assert (ended.exit_code, ended.document["moved"], ended.document["set_aside_count"]) == (0, 3, 0), ended.err
    assert ended.err.count("AWS KMS is throttled: trying again, ever more slowly") == 1
    assert data_keys(repository) == {1: 0, 2: 3}
    assert repository.keyturn("run", "restore", "--to", "restored", *VENDOR).exit_code == 0
