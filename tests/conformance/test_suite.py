"""The suite itself: it notices what is otherwise, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox import Identity as SandboxIdentity
from tests.builders import CUSTOMER
from tests.conformance.cleaning import clean_run, sweep
from tests.conformance.grids import cells, expectation
from tests.conformance.target import HOME_REGION, OTHER_PROFILE, OTHER_REGION, OWNER_PROFILE, aws_target, sandbox_target
from tests.conformance.things import Alias, Key
from tests.conformance.words import ABSENT, OK, Answer, Call, Row, Table, gives, holding, refused, without
from tests.conformance.world import World
from tests.sandbox_fixtures import Account, start_sandbox
from tests.sandbox_fixtures import refused as refused_by_aws

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def own() -> Iterator[Account]:
    """An account of a sandbox that no other test fills with keys."""
    with start_sandbox() as sandbox:
        yield Account(sandbox, SandboxIdentity.CUSTOMER, CUSTOMER)


REFUSED = Answer("DisabledException", "key is disabled.", {})
ANSWERED = Answer(None, "", {"KeyId": "k", "Tags": [{"TagKey": "a", "TagValue": "1"}]})


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        (OK, ANSWERED),
        (gives({"KeyId": "k", "Plaintext": ABSENT}), ANSWERED),
        (gives({"Tags": holding({"TagKey": "a"})}), ANSWERED),
        (gives({"Tags": without({"TagKey": "b"})}), ANSWERED),
        (refused("Disabled"), REFUSED),
        (refused("KMSInvalidState", "Disabled"), REFUSED),
    ],
)
def test_what_is_as_expected_passes(own: Account, expected: Any, answer: Answer) -> None:
    assert expected.mismatch(answer, World(sandbox_target(own.sandbox), "0")) is None


@pytest.mark.parametrize(
    ("expected", "answer", "told"),
    [
        (OK, REFUSED, "refused with DisabledException"),
        (gives({"KeyId": "other"}), ANSWERED, "KeyId to be 'other', but it is 'k'"),
        (gives({"KeyId": ABSENT}), ANSWERED, "KeyId to be absent"),
        (gives({"Tags": holding({"TagKey": "b"})}), ANSWERED, "Tags"),
        (gives({"Tags": without({"TagKey": "a"})}), ANSWERED, "Tags"),
        (refused("Disabled"), ANSWERED, "it succeeded"),
        (refused("NotFound"), REFUSED, "refused with DisabledException"),
    ],
)
def test_what_is_otherwise_is_told(own: Account, expected: Any, answer: Answer, told: str) -> None:
    assert told in str(expected.mismatch(answer, World(sandbox_target(own.sandbox), "0")))


def test_a_row_that_aws_answers_otherwise_fails_with_what_came(own: Account) -> None:
    world = World(sandbox_target(own.sandbox), "0")
    key = Key("a row that is wrong", state=(("DisableKey", {}),))
    row = Row("wrong", {"KeyId": key.id, "Plaintext": b"x"}, OK)
    assert "DisabledException" in str(world.run(Table("Encrypt", "a page", (row,)), row))


def test_a_grid_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        cells("operation a b\nEncrypt ok")
    with pytest.raises(ValueError, match="twice"):
        cells("operation a\nEncrypt ok\nEncrypt ok")
    assert expectation("Disabled/KMSInvalidState~") == refused("Disabled", "KMSInvalidState")


@pytest.mark.parametrize("end", [KeyboardInterrupt, AssertionError, signal.SIGTERM])
def test_whatever_ends_a_run_its_keys_go_and_no_others(own: Account, end: Any) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    target = sandbox_target(own.sandbox)
    kept = own.kms.create_key(Description="keyturn conformance: by hand, without the tag")["KeyMetadata"]["KeyId"]
    other = World(target, "another-run")
    others = str(other.made(Key("of another run"))["id"])
    key = Key("of a run that is cut off")
    alias = Alias("of-a-run-that-is-cut-off", key)
    expected = KeyboardInterrupt if isinstance(end, signal.Signals) else end
    made: dict[str, str] = {}

    def run() -> None:
        with clean_run(target) as world:
            made.update(id=str(world.made(key)["id"]), alias=str(world.made(alias)["name"]))
            if isinstance(end, signal.Signals):
                os.kill(os.getpid(), end)
            raise expected

    with pytest.raises(expected):
        run()
    described = own.kms.describe_key(KeyId=made["id"])["KeyMetadata"]
    assert described["KeyState"] == "PendingDeletion"
    assert (described["DeletionDate"] - described["CreationDate"]).days == 7
    with refused_by_aws("NotFoundException"):
        own.kms.describe_key(KeyId=made["alias"])
    for untouched in (kept, others):
        assert own.kms.describe_key(KeyId=untouched)["KeyMetadata"]["KeyState"] == "Enabled"
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_sweep_without_a_mark_clears_what_killed_runs_left(own: Account) -> None:
    target = sandbox_target(own.sandbox)
    killed = World(target, "killed")
    left = str(killed.made(Key("left behind"))["arn"])
    assert left in sweep(target)
    assert left not in sweep(target)
    assert killed.ask(Call("DescribeKey", {"KeyId": left})).members["KeyMetadata"]["KeyState"] == "PendingDeletion"  # type: ignore[index]


def test_aws_is_named_by_two_profiles_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (OWNER_PROFILE, OTHER_PROFILE, HOME_REGION, OTHER_REGION):
        monkeypatch.delenv(name, raising=False)
    assert aws_target() is None
    monkeypatch.setenv(OWNER_PROFILE, "one")
    with pytest.raises(RuntimeError, match=OTHER_PROFILE):
        aws_target()
    monkeypatch.setenv(OTHER_PROFILE, "two")
    assert aws_target() is not None
    monkeypatch.setenv(HOME_REGION, "us-west-2")
    with pytest.raises(RuntimeError, match="one Region"):
        aws_target()
