"""Both kinds of ledger do what a simple model does, step by step, and end with the same bytes in their journals.

The model is the pure lifecycle, a dictionary of data keys and a list of events. It knows nothing of stores.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from engine.catalogue import Custody
from engine.errors import ConflictError, RefusedError
from engine.ledger.dynamodb_making import create_dynamodb_ledger
from engine.ledger.sqlite_making import create_sqlite_ledger
from engine.ledger.verification import verify_data_keys, verify_journal
from engine.lifecycle import Confirm, Enable, FinishRewrap, Register, Reinstate, Revoke, Rotate, Transition, decide
from engine.transitions import carry_out
from tests.builders import ACTOR, NOW, cloud_state, key_arn
from tests.engine.ledger.test_ledger import data_key

if TYPE_CHECKING:
    from engine.ledger.interface import DataKey, Head, Ledger
    from engine.lifecycle import Command
    from tests.ledger_stores import DynamoDbStore

GENERATIONS = st.integers(0, 3)
KEYS = st.integers(0, 5)


class Model(RuleBasedStateMachine):
    """What happened so far, and the two ledgers that it happened to."""

    dynamodb: DynamoDbStore

    @initialize(enabled=st.sampled_from([True, True, False]))
    def begin(self, enabled: bool) -> None:
        self.folder = TemporaryDirectory()
        self.state = replace(cloud_state(), tenant=f"tenant-{secrets.token_hex(4)}")
        self.events = ["created"]
        self.records: dict[str, DataKey] = {}
        self.earlier: list[DataKey] = []
        self.ledgers: tuple[Ledger, Ledger] = (
            create_sqlite_ledger(Path(self.folder.name) / "ledger.db", self.state, ACTOR, NOW),
            create_dynamodb_ledger(self.dynamodb.connect(), self.state, ACTOR, NOW),
        )
        self.heads: list[tuple[Head, Head]] = [self.read_heads()]
        if enabled:
            for number in range(2):
                self.add(number, 0, held=False, twin=False)
            self.go_on(1)

    def read_heads(self) -> tuple[Head, Head]:
        first, second = (ledger.head() for ledger in self.ledgers)
        return first, second

    def command(self, command: Command) -> None:
        answer = decide(self.state, command, NOW)
        for ledger in self.ledgers:
            if isinstance(answer, Transition):
                assert carry_out(ledger, command, ACTOR, NOW).state == answer.state
            else:
                with pytest.raises(RefusedError):
                    carry_out(ledger, command, ACTOR, NOW)
        if isinstance(answer, Transition):
            self.state = answer.state
            self.events.append(answer.event)
            self.heads.append(self.read_heads())

    @rule(number=st.integers(1, 3))
    def go_on(self, number: int) -> None:
        """Enable or rotate, whichever is next; at times a step too far."""
        if number == 1:
            self.command(Register(1, key_arn(1), activated=True))
            self.command(Enable(1, key_arn(1), "Ada", "ab" * 32))
        else:
            self.command(Rotate(number, key_arn(number)))

    @rule()
    def finish(self) -> None:
        current = self.state.current
        if current is not None:
            self.command(FinishRewrap(self.state.epoch, 0, 0, 0))
            self.command(Confirm(current.number, current.key_arn, "Ada"))

    @rule(revoked=st.booleans())
    def revoke_or_reinstate(self, revoked: bool) -> None:
        self.command(Revoke("Ada") if revoked else Reinstate("Ada"))

    @rule(back=st.integers(1, 3))
    def commit_on_an_earlier_head(self, back: int) -> None:
        heads = self.heads[max(0, len(self.heads) - 1 - back)]
        late = replace(self.state, revoked=not self.state.revoked)
        for ledger, head in zip(self.ledgers, heads, strict=True):
            if head.version == self.heads[-1][0].version:
                ledger.commit(head, Transition(late, "late", {}), ACTOR, NOW)
            else:
                with pytest.raises(ConflictError):
                    ledger.commit(head, Transition(late, "late", {}), ACTOR, NOW)
        if heads[0].version == self.heads[-1][0].version:
            self.state = late
            self.events.append("late")
            self.heads.append(self.read_heads())

    @rule(number=KEYS, generation=GENERATIONS, held=st.booleans(), twin=st.booleans())
    def add(self, number: int, generation: int, held: bool, twin: bool) -> None:
        custody = Custody.SERVICE if held else Custody.CUSTOMER
        record = data_key(number, 0 if held else generation, custody)
        if held or twin:
            record = replace(record, data_key_id=f"{number + 8:x}{record.data_key_id[1:]}")
        wanted = 0 if held else self.state.current_number
        taken = {(r.workload, r.purpose) for r in self.records.values()}
        fits = record.generation == wanted and (record.workload, record.purpose) not in taken
        fits = fits and record.data_key_id not in self.records
        for ledger in self.ledgers:
            if fits:
                ledger.add_data_key(record, ACTOR, NOW)
            else:
                with pytest.raises(ConflictError):
                    ledger.add_data_key(record, ACTOR, NOW)
        if fits:
            self.records[record.data_key_id] = record
            self.events.append("data_key_created")

    @rule(
        number=st.integers(0, 20),
        stale=st.booleans(),
        other_epoch=st.booleans(),
        verified=st.booleans(),
        reason=st.sampled_from([None, "tampered"]),
        times=st.integers(1, 3),
    )
    def move_again_and_again(
        self, number: int, stale: bool, other_epoch: bool, verified: bool, reason: str | None, times: int
    ) -> None:
        for _ in range(times):
            self.move(number, stale, other_epoch, verified, reason)

    def move(self, number: int, stale: bool, other_epoch: bool, verified: bool, reason: str | None) -> None:
        known = self.earlier if stale else [r for r in self.records.values() if r.custody is Custody.CUSTOMER]
        if not known:
            return
        old = known[number % len(known)]
        generation = self.state.current_number
        new = replace(
            old,
            generation=generation,
            key_arn=str(key_arn(generation)) if generation else old.key_arn,
            ciphertext=secrets.token_bytes(8),
            epoch=self.state.epoch,
            verified=verified,
            set_aside=reason,
        )
        rotation = self.state.rotation
        epoch = (rotation.epoch if rotation else 0) + other_epoch
        if rotation is None or epoch != rotation.epoch:
            for ledger in self.ledgers:
                with pytest.raises(ConflictError):
                    ledger.replace_wrapping(old, new, epoch)
            return
        there = self.records[old.data_key_id]
        stands = (there.generation, there.key_arn, there.ciphertext) == (old.generation, old.key_arn, old.ciphertext)
        assert [ledger.replace_wrapping(old, new, epoch) for ledger in self.ledgers] == [stands, stands]
        if stands:
            self.earlier.append(there)
            self.records[old.data_key_id] = new

    @rule(generation=GENERATIONS, number=KEYS, limit=st.integers(1, 4))
    def read(self, generation: int, number: int, limit: int) -> None:
        record = data_key(number)
        expected = next((r for r in self.records.values() if r.workload == record.workload and _is_payload(r)), None)
        arn, after = str(key_arn(generation)), record.data_key_id
        left = [
            r
            for _, r in sorted(self.records.items())
            if r.custody is Custody.CUSTOMER
            and r.data_key_id > after
            and not (r.verified and (r.generation, r.key_arn) == (generation, arn))
        ]
        for ledger in self.ledgers:
            assert ledger.find_data_key(record.workload, "payload") == expected
            assert ledger.data_key(after) == self.records.get(after)
            assert ledger.data_keys_to_move(generation, arn, after, limit) == tuple(left[:limit])

    @invariant()
    def heads_agree(self) -> None:
        if hasattr(self, "ledgers"):
            first, second = self.read_heads()
            assert first == second
            assert first.state == self.state
            assert first.journal_length == len(self.events)

    def teardown(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        listed = sorted(self.records.values(), key=lambda r: r.workload)
        counted = Counter((r.generation, r.key_arn) for r in self.records.values() if r.custody is Custody.CUSTOMER)
        first, second = self.ledgers
        assert [entry.raw for entry in first.journal()] == [entry.raw for entry in second.journal()]
        assert first.census() == second.census()
        for ledger in self.ledgers:
            assert [entry.event for entry in ledger.journal()] == self.events
            assert list(ledger.data_keys("payload")) == [r for r in listed if _is_payload(r)]
            assert list(ledger.data_keys("legal_hold")) == [r for r in listed if not _is_payload(r)]
            assert {(row.generation, row.key_arn): row.data_keys for row in ledger.census().rows} == dict(counted)
            unverified = sum(not r.verified for r in self.records.values())
            assert sum(row.unverified for row in ledger.census().rows) == unverified
            verified = verify_journal(ledger)
            if all(r.generation == 0 or self.state.find(r.generation) for r in self.records.values()):
                assert verify_data_keys(ledger, verified) == len(self.records)
            ledger.close()
        self.folder.cleanup()


def _is_payload(record: DataKey) -> bool:
    return record.purpose == "payload"


def check(store: DynamoDbStore, examples: int, steps: int) -> None:
    Model.dynamodb = store
    run_state_machine_as_test(
        Model,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink a failure takes minutes here
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_both_ledgers_do_what_the_model_does(dynamodb_store: DynamoDbStore) -> None:
    check(dynamodb_store, examples=8, steps=20)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_both_ledgers_do_what_the_model_does_for_long(dynamodb_store: DynamoDbStore) -> None:
    check(dynamodb_store, examples=300, steps=50)
