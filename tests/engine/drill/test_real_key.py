"""A drill on a real key, which the sandbox plays: on none but one that is meant for it, given back whatever happens."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.access.model import KeyState
from engine.arn import parse_key_arn
from engine.drill import Outcome, Way
from engine.drill.real_key import DRILL_TAG, RealKey, require_drill_key
from engine.errors import InputError, KeyAccessError, RefusedError
from engine.kms import Kms
from engine.lifecycle import Register, TenantState
from engine.revocation.access import look
from engine.revocation.saved import write_saved
from engine.transitions import carry_out
from tests.builders import ACTOR, CUSTOMER, DECLARATION, NOW, VENDOR, declaration
from tests.engine.jobs.world import World
from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, make_key

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox_fixtures import Account


def tagged(**tags: str) -> list[dict[str, str]]:
    return [{"TagKey": name.replace("_", ":"), "TagValue": value} for name, value in tags.items()]


@pytest.fixture
def arn(customer: Account) -> str:
    return make_key(customer.kms, OWNER, VENDOR_STATEMENT, Tags=tagged(keyturn_drill="yes"))


def a_key(tmp_path: Path, customer: Account, vendor: Account | None, arn: str) -> RealKey:
    used_by = None if vendor is None else Kms(vendor.kms, "the vendor", VENDOR)
    return RealKey(arn, Kms(customer.kms), used_by, VENDOR, tmp_path / "saved.json")


def standing(customer: Account, arn: str) -> tuple[Any, ...]:
    """What a drill may change of a key."""
    kms = Kms(customer.kms)
    return kms.describe(arn).state, json.loads(kms.policy(arn)), kms.grants(arn), dict(kms.tags(arn))


def check(customer: Account, arn: str, typed: str | None = None, text: str = DECLARATION, **more: Any) -> None:
    require_drill_key(arn, arn if typed is None else typed, Kms(customer.kms), declaration(text), more.get("state"))


def test_a_key_that_is_tagged_for_it_and_typed_is_taken(customer: Account, arn: str) -> None:
    check(customer, arn)


def test_without_the_typed_arn_nothing_is_done(customer: Account, arn: str) -> None:
    for typed in ("", "yes", arn[:-1], arn.upper()):
        with pytest.raises(RefusedError, match="typed"):
            check(customer, arn, typed)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"keyturn_drills": "yes"},
        {"keyturn_drill": "yes", "keyturn_generation": "1"},
        {"keyturn_drill": "yes", "keyturn_tenant": "southwind"},
    ],
)
def test_a_key_without_the_tag_or_with_a_tenants_is_refused(customer: Account, tags: dict[str, str]) -> None:
    arn = make_key(customer.kms, OWNER, VENDOR_STATEMENT, Tags=tagged(**tags))
    before = standing(customer, arn)
    with pytest.raises(RefusedError, match="tag"):
        check(customer, arn)
    assert standing(customer, arn) == before


def test_a_declared_generation_is_refused_though_it_is_tagged(customer: Account, arn: str) -> None:
    text = DECLARATION.replace("    description: first key\n", f"    description: first key\n    key_arn: {arn}\n")
    with pytest.raises(RefusedError, match="is a generation"):
        check(customer, arn, text=text)


def test_a_generation_of_the_ledger_is_refused(customer: Account, arn: str, tmp_path: Path) -> None:
    world = World(tmp_path)
    carry_out(world.ledger, Register(1, parse_key_arn(arn), activated=True), ACTOR, NOW)
    state: TenantState = world.ledger.head().state
    world.ledger.close()
    with pytest.raises(RefusedError, match="is a generation"):
        check(customer, arn, state=state)


def test_what_a_declared_alias_points_to_is_refused(customer: Account, arn: str) -> None:
    alias = f"alias/{arn[-12:]}"
    customer.kms.create_alias(AliasName=alias, TargetKeyId=arn)
    with pytest.raises(RefusedError, match="points to"):
        check(customer, arn, text=DECLARATION.replace("alias/northwind-ekm", alias))


def test_an_alias_or_a_key_that_is_not_there_is_refused(customer: Account, arn: str) -> None:
    with pytest.raises(InputError):
        check(customer, "alias/drill")
    with pytest.raises(KeyAccessError):
        check(customer, arn[:-12] + "0" * 12)


def test_every_way_is_rehearsed_and_the_key_is_then_what_it_was(
    tmp_path: Path, customer: Account, vendor: Account, arn: str
) -> None:
    before = standing(customer, arn)
    key = a_key(tmp_path, customer, vendor, arn)
    (tmp_path / "drill").mkdir()
    rehearsed = list(key.rehearse((Way.DENY, Way.POLICY), tmp_path / "drill", lambda _: None))
    assert [one.way for one in rehearsed] == [Way.DENY, Way.POLICY]
    for one in rehearsed:
        assert list(one.differences()) == []
        assert {work.outcome for work in one.revoked} == {Outcome.FAILED_FOR_KEY, Outcome.WORKED, Outcome.NOT_RUN}
        assert all("legal hold" in workflow.title for workflow in one.not_run())
    assert standing(customer, arn) == before
    assert not key.saved.exists()


def test_a_drill_that_is_interrupted_gives_the_access_back(
    tmp_path: Path, customer: Account, arn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = standing(customer, arn)
    key = a_key(tmp_path, customer, None, arn)
    (tmp_path / "drill").mkdir()

    def interrupt(_key: RealKey, *, usable: bool) -> None:
        assert not usable
        assert standing(customer, arn)[0] is KeyState.DISABLED
        raise KeyboardInterrupt

    monkeypatch.setattr(RealKey, "_settle", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(key.rehearse((Way.DISABLE,), tmp_path / "drill", lambda _: None))
    assert standing(customer, arn) == before


def test_what_a_drill_that_was_killed_took_away_is_given_back_by_the_next(
    tmp_path: Path, customer: Account, vendor: Account, arn: str
) -> None:
    before = standing(customer, arn)
    key = a_key(tmp_path, customer, vendor, arn)
    seen = look(key.owner, arn, VENDOR)
    write_saved(key.saved, [seen])
    key._revoke(Way.DENY, seen)
    key._revoke(Way.DISABLE, seen)
    assert standing(customer, arn)[0] is KeyState.DISABLED
    assert key.give_back_what_an_earlier_drill_took()
    assert standing(customer, arn) == before
    assert not key.give_back_what_an_earlier_drill_took()


def test_a_key_that_is_disabled_stays_so(customer: Account, arn: str, tmp_path: Path) -> None:
    customer.kms.disable_key(KeyId=arn)
    before = standing(customer, arn)
    key = a_key(tmp_path, customer, None, arn)
    with pytest.raises(RefusedError, match="is not enabled"):
        list(key.rehearse(key.ways, tmp_path / "drill", print))
    assert standing(customer, arn) == before


def test_a_deletion_is_never_scheduled_and_without_the_vendor_only_the_key_is_disabled(
    tmp_path: Path, customer: Account, vendor: Account, arn: str
) -> None:
    assert a_key(tmp_path, customer, None, arn).ways == (Way.DISABLE,)
    key = a_key(tmp_path, customer, vendor, arn)
    assert Way.SCHEDULE_DELETION not in key.ways
    with pytest.raises(ValueError, match="never rehearsed"):
        key._revoke(Way.SCHEDULE_DELETION, look(key.owner, arn, VENDOR))
    assert not hasattr(Kms, "schedule_key_deletion")
    assert replace(key, vendor=None).ways == (Way.DISABLE,)
    assert parse_key_arn(arn).account_id == CUSTOMER
    assert DRILL_TAG in dict(key.owner.tags(arn))
