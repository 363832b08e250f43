"""What every ledger promises; each kind of ledger runs the same tests."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.catalogue import Custody
from engine.errors import ConflictError, DamagedError, RefusedError
from engine.ledger.interface import DataKey, Ledger
from engine.ledger.journal import verify_chain
from engine.lifecycle import Confirm, Enable, FinishRewrap, Register, Rotate
from engine.transitions import carry_out
from tests.builders import ACTOR, NOW, VENDOR, cloud_state, key_arn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ledger_stores import LedgerStore

SERVICE_ARN = str(key_arn(0, account_id=VENDOR))


@pytest.fixture
def ledger(store: LedgerStore) -> Iterator[Ledger]:
    ledger = store.create(cloud_state())
    yield ledger
    ledger.close()


def reopened(store: LedgerStore) -> Ledger:
    ledger = store.open()
    assert ledger is not None
    return ledger


def data_key(number: int, generation: int = 0, custody: Custody = Custody.CUSTOMER) -> DataKey:
    arn = SERVICE_ARN if generation == 0 else str(key_arn(generation))
    purpose = "payload" if custody is Custody.CUSTOMER else "legal_hold"
    return DataKey(
        data_key_id=f"{number:032x}",
        workload=f"exchange_online/user-{number}",
        purpose=purpose,
        custody=custody,
        generation=generation,
        key_arn=arn,
        ciphertext=f"wrapped {number} under {generation}".encode(),
        commitment=bytes(32),
        key_material_id=None,
        epoch=0,
        verified=True,
        set_aside=None,
        created_at=NOW,
    )


def enable(ledger: Ledger) -> None:
    carry_out(ledger, Register(1, key_arn(1), activated=True), ACTOR, NOW)
    carry_out(ledger, Enable(1, key_arn(1), "Ada", "ab" * 32), ACTOR, NOW)


def everything(ledger: Ledger) -> tuple[object, ...]:
    return ledger.head(), ledger.census(), tuple(entry.raw for entry in ledger.journal())


def test_a_new_ledger_is_in_cloud_mode_and_tells_of_its_making(ledger: Ledger) -> None:
    assert ledger.head().state == cloud_state()
    assert [entry.event for entry in ledger.journal()] == ["created"]


def test_a_transition_is_stored_with_its_journal_entry_and_survives_reopening(
    ledger: Ledger, store: LedgerStore
) -> None:
    enable(ledger)
    head = ledger.head()
    ledger.close()
    again = reopened(store)
    assert again.head() == head
    entries = list(again.journal())
    assert [entry.event for entry in entries] == ["created", "registered", "enabled"]
    assert entries[-1].identity == ACTOR.identity
    assert entries[-1].details["agreed_by"] == "Ada"
    assert verify_chain(entries, head.journal_length, head.journal_hash) == 3
    again.close()


def test_a_writer_who_lost_the_race_is_told_and_changes_nothing(ledger: Ledger) -> None:
    stale = ledger.head()
    enable(ledger)
    before = everything(ledger)
    from engine.lifecycle import Transition

    with pytest.raises(ConflictError) as caught:
        ledger.commit(stale, Transition(cloud_state(), "overwritten", {}), ACTOR, NOW)
    assert "changed the ledger" in caught.value.message
    assert everything(ledger) == before


def test_a_refused_command_changes_nothing(ledger: Ledger) -> None:
    before = everything(ledger)
    with pytest.raises(RefusedError):
        carry_out(ledger, Rotate(2, key_arn(2)), ACTOR, NOW)
    assert everything(ledger) == before


@pytest.mark.requirement("EKM-32")
def test_a_data_key_under_a_generation_that_is_no_longer_current_is_not_taken_in(ledger: Ledger) -> None:
    enable(ledger)
    before = everything(ledger)
    with pytest.raises(ConflictError):
        ledger.add_data_key(data_key(1, generation=0), ACTOR, NOW)
    assert everything(ledger) == before
    ledger.add_data_key(data_key(1, generation=1), ACTOR, NOW)
    assert ledger.find_data_key("exchange_online/user-1", "payload") == data_key(1, generation=1)


def test_a_workload_has_one_data_key_for_one_purpose(ledger: Ledger) -> None:
    ledger.add_data_key(data_key(1), ACTOR, NOW)
    before = everything(ledger)
    with pytest.raises(ConflictError):
        ledger.add_data_key(replace(data_key(2), workload=data_key(1).workload), ACTOR, NOW)
    assert everything(ledger) == before


@pytest.mark.requirement("EKM-43")
def test_legal_hold_copies_stand_under_the_services_key_and_are_never_counted(ledger: Ledger) -> None:
    enable(ledger)
    ledger.add_data_key(data_key(1, custody=Custody.SERVICE), ACTOR, NOW)
    assert ledger.census().total == 0
    assert ledger.data_keys_to_move(1, str(key_arn(1)), None, 10) == ()
    assert ledger.find_data_key("exchange_online/user-1", "legal_hold") is not None


@pytest.mark.requirement("EKM-33")
def test_a_data_key_whose_custody_is_damaged_counts_and_is_not_passed_over(ledger: Ledger, store: LedgerStore) -> None:
    ledger.add_data_key(data_key(1), ACTOR, NOW)
    ledger.add_data_key(data_key(2), ACTOR, NOW)
    store.damage_custody(data_key(1))
    assert ledger.census().total == 2
    with pytest.raises(DamagedError, match=data_key(1).data_key_id):
        ledger.data_keys_to_move(1, str(key_arn(1)), None, 10)


def test_a_rewrap_takes_the_place_of_exactly_what_it_was_made_from(ledger: Ledger) -> None:
    old = data_key(1)
    ledger.add_data_key(old, ACTOR, NOW)
    enable(ledger)
    new = replace(old, generation=1, key_arn=str(key_arn(1)), ciphertext=b"new", epoch=1)
    assert ledger.replace_wrapping(old, new, epoch=1)
    assert ledger.data_key(old.data_key_id) == new
    assert not ledger.replace_wrapping(old, replace(new, ciphertext=b"late"), epoch=1)
    assert ledger.data_key(old.data_key_id) == new


def test_a_wrapping_under_the_same_key_is_another_one(ledger: Ledger) -> None:
    """Two workers moved one data key to the same generation: the second's is made from what is not there."""
    old = data_key(1)
    ledger.add_data_key(old, ACTOR, NOW)
    enable(ledger)
    first = replace(old, generation=1, key_arn=str(key_arn(1)), ciphertext=b"first", epoch=1)
    assert ledger.replace_wrapping(old, first, epoch=1)
    second = replace(first, ciphertext=b"second")
    assert ledger.replace_wrapping(first, second, epoch=1)
    assert not ledger.replace_wrapping(first, replace(first, ciphertext=b"third"), epoch=1)
    assert not ledger.replace_wrapping(replace(second, generation=0), first, epoch=1)
    assert not ledger.replace_wrapping(replace(second, key_arn=str(key_arn(7))), first, epoch=1)
    assert ledger.data_key(old.data_key_id) == second


@pytest.mark.requirement("EKM-33")
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_rewrap_of_another_move_than_the_one_in_flight_is_not_taken_in(ledger: Ledger, epoch: int) -> None:
    old = data_key(1)
    ledger.add_data_key(old, ACTOR, NOW)
    enable(ledger)
    with pytest.raises(ConflictError):
        ledger.replace_wrapping(old, replace(old, generation=1, ciphertext=b"new"), epoch=epoch)
    assert ledger.data_key(old.data_key_id) == old


def test_the_census_counts_by_key_what_is_unproved_and_set_aside(ledger: Ledger) -> None:
    for number in (1, 2, 3):
        ledger.add_data_key(data_key(number), ACTOR, NOW)
    enable(ledger)
    first = data_key(1)
    moved = replace(first, generation=1, key_arn=str(key_arn(1)), verified=False)
    assert ledger.replace_wrapping(first, moved, epoch=1)
    assert ledger.replace_wrapping(data_key(2), replace(data_key(2), set_aside="tampered"), epoch=1)
    rows = {row.generation: row for row in ledger.census().rows}
    assert (rows[0].data_keys, rows[0].unverified, rows[0].set_aside) == (2, 0, 1)
    assert (rows[1].data_keys, rows[1].unverified, rows[1].set_aside) == (1, 1, 0)
    assert ledger.census().settled(1, str(key_arn(1))) == 0
    to_move = ledger.data_keys_to_move(1, str(key_arn(1)), None, 10)
    assert [k.data_key_id for k in to_move] == [f"{n:032x}" for n in (1, 2, 3)]


def test_data_keys_to_move_can_be_asked_for_up_to_an_id(ledger: Ledger) -> None:
    for number in range(6):
        ledger.add_data_key(data_key(number), ACTOR, NOW)
    enable(ledger)

    def found(after: int | None, up_to: int | None, limit: int = 10) -> list[int]:
        bounds = [None if number is None else f"{number:032x}" for number in (after, up_to)]
        page = ledger.data_keys_to_move(1, str(key_arn(1)), bounds[0], limit, bounds[1])
        return [int(key.data_key_id, 16) for key in page]

    assert found(None, 2) == [0, 1, 2]
    assert found(2, 4) == [3, 4]
    assert found(4, None) == [5]
    assert found(1, 5, limit=2) == [2, 3]
    assert found(2, 2) == []
    assert found(5, 1) == []


def test_of_several_rewraps_each_counts_for_itself(ledger: Ledger) -> None:
    for number in range(3):
        ledger.add_data_key(data_key(number), ACTOR, NOW)
    enable(ledger)
    old = [data_key(number) for number in range(3)]
    new = [replace(key, generation=1, key_arn=str(key_arn(1)), ciphertext=b"new") for key in old]
    assert ledger.replace_wrapping(old[1], replace(new[1], ciphertext=b"of another worker"), epoch=1)
    assert ledger.replace_wrappings(list(zip(old, new, strict=True)), epoch=1) == (True, False, True)
    found = [ledger.data_key(key.data_key_id) for key in old]
    assert [key.ciphertext for key in found if key is not None] == [b"new", b"of another worker", b"new"]
    assert ledger.replace_wrappings([], epoch=1) == ()
    with pytest.raises(ConflictError):
        ledger.replace_wrappings([(new[0], old[0])], epoch=2)
    assert ledger.data_key(old[0].data_key_id) == found[0]


def test_data_keys_to_move_come_in_pages_without_repeats(ledger: Ledger) -> None:
    for number in range(1, 8):
        ledger.add_data_key(data_key(number), ACTOR, NOW)
    seen: list[str] = []
    after = None
    while page := ledger.data_keys_to_move(1, str(key_arn(1)), after, 3):
        assert len(page) <= 3
        seen.extend(record.data_key_id for record in page)
        after = page[-1].data_key_id
    assert seen == [f"{number:032x}" for number in range(1, 8)]


def test_the_data_keys_for_a_purpose_come_whole_once_and_in_the_order_of_their_workloads(ledger: Ledger) -> None:
    assert list(ledger.data_keys("payload")) == []
    labels = ["teams/z", "exchange_online/anna", "exchange_online/Ärger", "exchange_online/\U0001f389", "files/."]
    numbers = iter(range(1, 1000))
    for label in (*labels, *(f"onedrive/user {number}" for number in range(55))):
        ledger.add_data_key(replace(data_key(next(numbers)), workload=label), ACTOR, NOW)
    held = replace(data_key(next(numbers), custody=Custody.SERVICE), workload="teams/z")
    ledger.add_data_key(held, ACTOR, NOW)
    listed = [record.workload for record in ledger.data_keys("payload")]
    assert len(listed) == 60
    assert listed == sorted(set(listed))
    assert list(ledger.data_keys("legal_hold")) == [held]
    assert list(ledger.data_keys("another")) == []


def _work_in_a_process(store: LedgerStore, number: int, results: multiprocessing.Queue[str]) -> None:
    ledger = store.create(cloud_state())
    try:
        carry_out(ledger, Register(1, key_arn(1), activated=True), ACTOR, NOW)
        results.put("done")
    except RefusedError as error:
        results.put(type(error).__name__)
    for each in range(3):
        ledger.add_data_key(data_key(100 * number + each), ACTOR, NOW)
    ledger.close()


def test_processes_that_make_and_change_one_ledger_at_once_end_with_one_chain(store: LedgerStore) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_work_in_a_process, args=(store, number, results)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(180)
        assert process.exitcode == 0
    outcomes = sorted(results.get(timeout=120) for _ in processes)
    assert "done" in outcomes
    assert set(outcomes) <= {"done", "ConflictError"}
    ledger = reopened(store)
    head = ledger.head()
    entries = list(ledger.journal())
    assert verify_chain(entries, head.journal_length, head.journal_hash) == 1 + outcomes.count("done") + 12
    assert ledger.census().total == 12
    ledger.close()


def test_a_whole_rotation_is_told_by_the_journal(ledger: Ledger) -> None:
    enable(ledger)
    carry_out(ledger, FinishRewrap(1, 0, 0, 0), ACTOR, NOW)
    carry_out(ledger, Confirm(1, key_arn(1), "Ada"), ACTOR, NOW)
    carry_out(ledger, Rotate(2, key_arn(2)), ACTOR, NOW)
    events = [entry.event for entry in ledger.journal()]
    assert events == ["created", "registered", "enabled", "rewrapped", "confirmed", "rotation_started"]


def test_the_newest_snapshot_is_remembered_and_never_an_older_one(store: LedgerStore, ledger: Ledger) -> None:
    first, other = data_key(1).data_key_id, data_key(2).data_key_id
    assert ledger.newest_snapshot(first) is None
    for number, snapshot in ((2, "second"), (1, "first"), (3, "third"), (3, "third again"), (2, "second again")):
        ledger.remember_snapshot(first, number, snapshot)
    assert (ledger.newest_snapshot(first), ledger.newest_snapshot(other)) == ("third again", None)
    ledger.remember_snapshot(first, 2, "second anew", "third")
    assert ledger.newest_snapshot(first) == "third again"
    ledger.remember_snapshot(first, 2, "second anew", "third again")
    again = reopened(store)
    assert again.newest_snapshot(first) == "second anew"
    again.close()
