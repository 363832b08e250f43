"""What a lost ledger is brought back to from the vault's records, a backup, or both: forward, never back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.catalogue import Custody
from engine.errors import DamagedError, InputError, RefusedError
from engine.ledger.recovery import Recovered, plan_recovery
from engine.ledger.sqlite_making import create_sqlite_ledger, open_sqlite_ledger, restore_sqlite_ledger
from engine.ledger.verification import verify_data_keys, verify_journal
from engine.lifecycle import Confirm, FinishRewrap, GenerationState, Mode, Retire, Rotate
from engine.lifecycle.commands import LastUse, LastUseKnowledge
from engine.transitions import carry_out
from tests.builders import ACTOR, DECLARATION, NOW, cloud_state, declaration, declared_generations, key_arn
from tests.engine.ledger.test_backup import backed_up
from tests.engine.ledger.test_ledger import data_key, enable

if TYPE_CHECKING:
    from pathlib import Path

    from engine.ledger.contents import LedgerContents
    from engine.ledger.interface import DataKey, Ledger
    from engine.lifecycle import Command

LATER = NOW + timedelta(days=1)


def moved(key: DataKey, generation: int, epoch: int) -> DataKey:
    ciphertext = f"{key.data_key_id} under {generation}".encode()
    return replace(key, generation=generation, key_arn=str(key_arn(generation)), ciphertext=ciphertext, epoch=epoch)


def recovered(
    records: list[DataKey], backup: LedgerContents | None = None, declared: str = DECLARATION, **changes: Any
) -> Recovered:
    return plan_recovery(replace(declaration(declared), **changes), backup, records, ACTOR, LATER)


def opened(plan: Recovered, tmp_path: Path) -> Ledger:
    path = tmp_path / "recovered" / "ledger.db"
    restore_sqlite_ledger(path, plan.contents)
    ledger = open_sqlite_ledger(path)
    assert verify_data_keys(ledger, verify_journal(ledger)) == len(list(plan.contents.data_keys()))
    return ledger


@pytest.mark.requirement("EKM-34")
def test_from_the_vault_alone_the_newest_generation_is_current_and_every_data_key_is_to_be_proved(
    tmp_path: Path,
) -> None:
    held = data_key(9, custody=Custody.SERVICE)
    first = data_key(1)
    records = [first, moved(first, 1, 1), moved(first, 2, 2), moved(data_key(2), 1, 1), held]
    plan = recovered(records)
    assert (plan.from_backup, plan.from_vault, plan.unproved) == (0, 3, True)
    ledger = opened(plan, tmp_path)
    state = ledger.head().state
    assert (state.mode, state.current_number, state.epoch) == (Mode.ENTERPRISE, 2, 3)
    assert [(g.number, g.key_arn, g.state) for g in state.generations] == [
        (1, key_arn(1), GenerationState.RETAINED),
        (2, key_arn(2), GenerationState.CURRENT),
    ]
    assert state.rotation is not None
    assert (state.rotation.to, state.rotation.epoch, state.rotation.rewrapped_at) == (2, 3, None)
    rows = {row.generation: (row.data_keys, row.unverified) for row in ledger.census().rows}
    assert rows == {1: (1, 1), 2: (1, 1)}
    assert [entry.event for entry in ledger.journal()] == ["recovered"]
    assert list(ledger.data_keys("legal_hold")) == [held]
    ledger.close()


def test_a_tenant_whose_data_keys_never_left_the_services_key_is_in_cloud_mode(tmp_path: Path) -> None:
    plan = recovered([data_key(1)])
    assert not plan.unproved
    ledger = opened(plan, tmp_path)
    assert ledger.head().state == cloud_state()
    enable(ledger)
    ledger.close()


def test_a_backup_comes_back_as_it_was_where_the_vault_has_nothing_newer(tmp_path: Path) -> None:
    ledger = create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW)
    ledger.add_data_key(data_key(1), ACTOR, NOW)
    enable(ledger)
    backup = backed_up(ledger, tmp_path / "ledger.backup")
    plan = recovered([data_key(1)], backup)
    assert (plan.from_backup, plan.from_vault, plan.unproved) == (1, 0, False)
    again = opened(plan, tmp_path)
    assert again.head().state == ledger.head().state
    assert [entry.event for entry in again.journal()] == [*(entry.event for entry in ledger.journal()), "recovered"]
    assert again.data_key(data_key(1).data_key_id) == data_key(1)
    again.close()
    ledger.close()


def test_what_the_vault_has_newer_than_the_backup_is_taken_and_the_move_is_made_anew(tmp_path: Path) -> None:
    ledger = create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW)
    for number in (1, 2):
        ledger.add_data_key(data_key(number), ACTOR, NOW)
    enable(ledger)
    backup = backed_up(ledger, tmp_path / "ledger.backup")
    ledger.close()
    records = [moved(data_key(1), 1, 1), moved(data_key(1), 2, 2), moved(data_key(3), 2, 2)]
    plan = recovered(records, backup)
    assert (plan.from_backup, plan.from_vault, plan.unproved) == (1, 2, True)
    again = opened(plan, tmp_path)
    state = again.head().state
    assert (state.current_number, state.agreement is not None) == (2, True)
    assert [key.generation for key in again.data_keys("payload")] == [2, 0, 2]
    again.close()


def test_an_older_wrapping_in_the_vault_never_replaces_a_newer_one(tmp_path: Path) -> None:
    ledger = create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW)
    ledger.add_data_key(data_key(1), ACTOR, NOW)
    enable(ledger)
    newer = moved(data_key(1), 1, 1)
    assert ledger.replace_wrapping(data_key(1), newer, 1)
    backup = backed_up(ledger, tmp_path / "ledger.backup")
    ledger.close()
    assert list(recovered([data_key(1)], backup).contents.data_keys()) == [newer]


def test_a_generation_that_was_let_go_is_kept_again_where_a_data_key_stands_under_it(tmp_path: Path) -> None:
    ledger = create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW)
    enable(ledger)
    for command in (
        FinishRewrap(1, 0, 0, 0),
        Confirm(1, key_arn(1), "Ada"),
        Rotate(2, key_arn(2)),
        FinishRewrap(2, 0, 0, 0),
        Confirm(2, key_arn(2), "Ada"),
        Retire(1, 0, LastUse(LastUseKnowledge.NEVER_USED), 0, not_carried_over=()),
    ):
        carry_out(ledger, command, ACTOR, NOW)
    backup = backed_up(ledger, tmp_path / "ledger.backup")
    ledger.close()
    plan = recovered([moved(data_key(1), 1, 1)], backup)
    state = plan.contents.head.state
    first = state.find(1)
    assert first is not None
    assert (first.state, first.retired_at) == (GenerationState.RETAINED, None)
    assert state.rotation is not None, "nothing would ever move this data key to generation 2"
    assert (state.rotation.to, state.rotation.epoch, plan.unproved) == (2, 3, True)


@pytest.mark.requirement("EKM-33")
@pytest.mark.parametrize("integrated", [True, False])
def test_a_data_key_that_only_the_vault_has_is_to_be_proved_before_an_older_key_is_let_go(
    tmp_path: Path, *, integrated: bool
) -> None:
    ledger = create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW)
    enable(ledger)
    commands: list[Command] = [
        FinishRewrap(1, 0, 0, 0),
        Confirm(1, key_arn(1), "Ada"),
        Rotate(2, key_arn(2)),
        FinishRewrap(2, 0, 0, 0),
        *([Confirm(2, key_arn(2), "Ada")] if integrated else ()),
    ]
    for command in commands:
        carry_out(ledger, command, ACTOR, NOW)
    backup = backed_up(ledger, tmp_path / "ledger.backup")
    ledger.close()
    plan = recovered([moved(replace(data_key(1), verified=True), 2, 2)], backup)
    again = opened(plan, tmp_path)
    assert plan.unproved
    assert [(row.generation, row.unverified) for row in again.census().rows] == [(2, 1)]
    with pytest.raises(RefusedError, match="not complete"):
        carry_out(again, Retire(1, 0, LastUse(LastUseKnowledge.NEVER_USED), 0, not_carried_over=()), ACTOR, LATER)
    if not integrated:
        carry_out(again, Confirm(2, key_arn(2), "Ada"), ACTOR, LATER)
    current = again.head().state.current
    assert current is not None
    assert current.integrated_at is None
    carry_out(again, FinishRewrap(3, 0, 0, 0), ACTOR, LATER)
    assert again.head().state.rotation is None
    again.close()


def test_a_backup_that_lacks_data_keys_of_its_journal_is_not_taken_for_whole(tmp_path: Path) -> None:
    ledger = create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW)
    for number in (1, 2):
        ledger.add_data_key(data_key(number), ACTOR, NOW)
    backup = backed_up(ledger, tmp_path / "ledger.backup")
    ledger.close()
    lossy = replace(backup, data_keys=lambda: iter((data_key(1),)))
    with pytest.raises(DamagedError, match="tells of 2 data keys, but the backup and the vault have 1"):
        recovered([], lossy)
    assert len(list(recovered([data_key(2)], lossy).contents.data_keys())) == 2


def test_declared_keys_are_remembered_so_that_none_comes_back() -> None:
    declared = declared_generations(4, current=4).replace(
        "  - number: 2\n", f"  - number: 2\n    key_arn: {key_arn(2)}\n    state: deleted\n"
    )
    plan = recovered([moved(data_key(1), 4, 5), moved(data_key(2), 1, 1)], declared=declared)
    states = {g.number: g.state for g in plan.contents.head.state.generations}
    assert states == {1: GenerationState.RETAINED, 2: GenerationState.DELETED, 4: GenerationState.CURRENT}


def test_a_declared_revocation_stays() -> None:
    assert recovered([moved(data_key(1), 1, 1)], revoked=True).contents.head.state.revoked


def test_without_a_backup_and_without_records_there_is_nothing_to_recover_from() -> None:
    with pytest.raises(InputError, match="nothing to recover from"):
        recovered([])


@pytest.mark.parametrize(
    "records",
    [
        [data_key(1), replace(data_key(1), generation=1, workload="exchange_online/eve")],
        [data_key(1), replace(data_key(1), generation=1, commitment=b"another" * 4)],
        [moved(data_key(1), 1, 1), replace(moved(data_key(2), 1, 1), key_arn=str(key_arn(7)))],
        [data_key(1), replace(data_key(2), workload=data_key(1).workload)],
    ],
)
def test_records_that_contradict_each_other_are_told(records: list[DataKey]) -> None:
    with pytest.raises(DamagedError):
        recovered(records)


def test_another_tenants_backup_is_refused(tmp_path: Path) -> None:
    ledger = create_sqlite_ledger(tmp_path / "ledger.db", replace(cloud_state(), tenant="southwind"), ACTOR, NOW)
    backup = backed_up(ledger, tmp_path / "ledger.backup")
    ledger.close()
    with pytest.raises(InputError, match="of the tenant 'southwind'"):
        recovered([data_key(1)], backup)
