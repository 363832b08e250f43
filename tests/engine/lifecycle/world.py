"""A small world around the lifecycle's rules: two data keys, actors with a view of their own, every command.

States are numbered, and each answer of `decide` is asked for once: what is explored is the real code's answers,
what is fast is going over them again. Time stands still, so that there are finitely many states; what time
decides is tested elsewhere. Three generations are enough for a rotation that supersedes another.

A data key stands under a generation (0 for the service's own key), or is not made yet. The rules of a ledger
hold for it: a new one is taken in only under the generation that is current at that instant, and a rewrap only
by a worker of the move in flight, in the place of exactly the wrapping that it was made from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from engine.access.model import KeyState
from engine.ledger.state_document import decode_state, encode_state
from engine.lifecycle import (
    Command,
    Confirm,
    Enable,
    FinishRewrap,
    GenerationState,
    LastUse,
    LastUseKnowledge,
    MarkDeleted,
    Mode,
    Observe,
    Override,
    Refusal,
    Register,
    Reinstate,
    Release,
    Retire,
    Revoke,
    Rotate,
    TenantState,
    decide,
)
from tests.builders import NOW, cloud_state, key_arn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.arn import KeyArn

TERMS = "ab" * 32
NONE = -1  # a data key that is not made yet
_ORDER = list(GenerationState)
_NEVER = LastUse(LastUseKnowledge.NEVER_USED)
_UNKNOWN = LastUse(LastUseKnowledge.UNKNOWN)
_USED = LastUse(LastUseKnowledge.USED, NOW)
_SIGNED = Override("Ada", "looked in CloudTrail")
_LOOKS: dict[int, tuple[KeyState | None, ...]] = {
    1: (KeyState.ENABLED, KeyState.DISABLED, KeyState.PENDING_DELETION),
    2: (KeyState.DISABLED, None),
}


def _arn(number: int) -> KeyArn:
    """The first generation's key is a multi-Region key, so that a replica of it can be tried as another."""
    return replace(key_arn(1), key_id="mrk-" + "0" * 32) if number == 1 else key_arn(number)


REPLICA = replace(_arn(1), region="eu-west-1")


def _commands() -> Iterator[Command]:
    first: tuple[Command, ...] = (
        Register(1, _arn(1), activated=True),
        Register(1, _arn(1), activated=False),
        Register(1, _arn(2), activated=True),
        Register(2, _arn(2), activated=True),
        Enable(1, _arn(1), "Ada", TERMS),
        Enable(1, _arn(2), "Ada", TERMS),
        Enable(1, _arn(1), "", TERMS),
        Enable(2, _arn(2), "Ada", TERMS),
        *(Rotate(to, _arn(arn)) for to in (1, 2, 3) for arn in (1, 2, 3)),
        Rotate(0, _arn(3)),
        Rotate(2, REPLICA),
        Rotate(3, REPLICA),
        *(FinishRewrap(epoch, remaining, 0, 0) for epoch in (0, 1, 2, 3) for remaining in (0, 1)),
        FinishRewrap(1, 0, 1, 0),
        FinishRewrap(2, 0, 0, 1),
        *(Confirm(number, _arn(number), "Ada") for number in (1, 2, 3)),
        Confirm(2, _arn(1), "Ada"),
        Confirm(1, _arn(1), " "),
        Revoke("Ada"),
        Reinstate("Ada"),
    )
    yield from first
    # The third is never let go here: looks at it would only multiply the states.
    yield Retire(3, 0, _NEVER, 0)
    yield Release(3, 0, 0)
    yield MarkDeleted(3)
    for number in (1, 2):
        for seen in _LOOKS[number]:
            yield Observe(number, seen)
        for data_keys in (0, 1):
            yield Retire(number, data_keys, _NEVER, 0, None, ())
            yield Retire(number, data_keys, _UNKNOWN, 0, _SIGNED)
        yield Retire(number, 0, _UNKNOWN, 0, None, ())
        yield Retire(number, 0, _USED, 0, _SIGNED, ())
        yield Retire(number, 0, _NEVER, 1, None, ())
        yield from (Release(number, attempts, 0) for attempts in (0, 1, None))
        yield Release(number, None, 0, _SIGNED)
        yield Release(number, 0, 1)
        yield MarkDeleted(number)
    yield Observe(4, KeyState.DISABLED)


COMMANDS = tuple(_commands())
# A whole life, with a rotation that supersedes another: the milestones that interleavings are explored from.
LIFE: tuple[Command, ...] = (
    Register(1, _arn(1), activated=True),
    Enable(1, _arn(1), "Ada", TERMS),
    FinishRewrap(1, 0, 0, 0),
    Confirm(1, _arn(1), "Ada"),
    Rotate(2, _arn(2)),
    Rotate(3, _arn(3)),
    FinishRewrap(3, 0, 0, 0),
    Confirm(3, _arn(3), "Ada"),
    Retire(1, 0, _NEVER, 0, None, ()),
    Observe(1, KeyState.DISABLED),
    Release(1, 0, 0),
    Observe(1, KeyState.PENDING_DELETION),
    MarkDeleted(1),
)


class World(NamedTuple):
    """A state, by its number, and the generation that each of two data keys stands under."""

    state: int
    first: int = NONE
    second: int = NONE

    @property
    def data_keys(self) -> tuple[int, int]:
        """Where the data keys stand."""
        return self.first, self.second


@dataclass
class Seen:
    """How much was seen: of `decide` itself."""

    transitions: int = 0
    refusals: int = 0


class Explorer:
    """Numbers states, asks the rules once for each command in each of them, and checks what they answer."""

    def __init__(self) -> None:
        self.states: list[TenantState] = []
        self.seen = Seen()
        self._numbers: dict[TenantState, int] = {}
        self._answers: list[list[tuple[Command, int]] | None] = []
        self.start = World(self._number(cloud_state()))

    def answers(self, state: int) -> list[tuple[Command, int]]:
        """The commands that change a state, each with the number of the next one; every command is asked once."""
        known = self._answers[state]
        if known is None:
            asked = ((command, self._ask(state, command)) for command in COMMANDS)
            known = [(command, after) for command, after in asked if after != state]
            self._answers[state] = known
        return known

    def all_states(self) -> int:
        """Ask every command in every state that can be reached; how many states there are."""
        done = 0
        while done < len(self.states):
            self.answers(done)
            done += 1
        return done

    def milestones(self) -> list[World]:
        """The worlds of a whole life, each with one data key made and moved in time, the other yet to be made."""
        worlds, world = [], self.start
        for command in LIFE:
            current = self.states[world.state].current_number
            world = world._replace(first=current)
            worlds.append(world)
            (after,) = (number for asked, number in self.answers(world.state) if asked == command)
            world = world._replace(state=after)
        return [*worlds, world._replace(first=3)]

    def interleavings(self, start: World, depth: int) -> tuple[int, int]:
        """Every interleaving of two actors; how many configurations and steps it saw.

        Each actor looks at the world, or does one thing by what it saw when it last looked.
        """
        seen, frontier, steps = {(start, start, start)}, [(start, start, start)], 0
        for _ in range(depth):
            reached = []
            for world, one, other in frontier:
                results = [(world, world, other), (world, one, world)]
                for view in {one, other}:
                    for after in self.steps(world, view):
                        check_world(self, after)
                        results.append((after, one, other))
                steps += len(results)
                for after, *views in results:
                    configuration = (after, min(views), max(views))  # the actors are alike
                    if configuration not in seen:
                        seen.add(configuration)
                        reached.append(configuration)
            frontier = reached
        return len(seen), steps

    def _number(self, state: TenantState) -> int:
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self.states)
            self.states.append(state)
            self._answers.append(None)
            check_state(state)
            if number % 5 == 0:
                assert decode_state(encode_state(state)) == state
        return number

    def _ask(self, number: int, command: Command) -> int:
        before = self.states[number]
        answer = decide(before, command, NOW)
        if isinstance(answer, Refusal):
            assert answer.rule
            assert answer.requirements
            assert answer.message
            self.seen.refusals += 1
            return number
        assert answer.event
        self.seen.transitions += 1
        check_step(before, answer.state)
        return self._number(answer.state)

    def steps(self, world: World, view: World) -> Iterator[World]:
        """What one actor can make of the world by one step, with what it saw when it last looked."""
        answers, state, seen = self.answers(world.state), self.states[world.state], self.states[view.state]
        rotation, moving = state.rotation, seen.rotation
        for command, after in answers:
            if not _may_say(command, view, seen, world):
                continue
            yield World(after, world.first, world.second)
        for at, generation in enumerate(view.data_keys):
            if generation == NONE:
                # A new data key: made under what was current, taken in only if that is so still.
                if world[at + 1] == NONE and seen.current_number == state.current_number:
                    yield _with(world, at, state.current_number)
            elif (
                moving is not None
                and world[at + 1] == generation != moving.to
                # A rewrap: of the move that was seen, taken in only if that move is in flight still.
                and rotation is not None
                and rotation.epoch == moving.epoch
            ):
                yield _with(world, at, moving.to)


def _may_say(command: Command, view: World, seen: TenantState, world: World) -> bool:
    """Whether an actor with this view could get this command to the rules, against the world as it is now."""
    if isinstance(command, FinishRewrap):
        # The end of a move brings the epoch and the census that its worker saw, against the head as it is now.
        if seen.rotation is None or command.epoch != seen.rotation.epoch:
            return False
        left = sum(generation not in {NONE, seen.rotation.to} for generation in view.data_keys)
        return command.remaining == (1 if left else 0)
    if view.state != world.state:
        return False  # a stale writer loses: the ledger compares the head
    if isinstance(command, Retire):
        return command.data_keys == (1 if command.number in view.data_keys else 0)
    return True


def _with(world: World, at: int, generation: int) -> World:
    return world._replace(first=generation) if at == 0 else world._replace(second=generation)


def check_state(state: TenantState) -> None:
    """What is true of every state that can be reached."""
    families = [generation.key_arn.family for generation in state.generations]
    assert len(families) == len(set(families)), "an ARN is the key of two generations"
    current = [g for g in state.generations if g.state is GenerationState.CURRENT]
    enterprise = state.mode is Mode.ENTERPRISE
    assert len(current) == (1 if enterprise else 0)
    assert (state.agreement is not None) is enterprise
    if enterprise:
        assert current[0].number == max(g.number for g in state.generations)
        assert not any(g.state is GenerationState.REGISTERED for g in state.generations)
    if state.rotation is not None:
        assert state.rotation.to == state.current_number
        assert state.rotation.epoch == state.epoch


def check_step(before: TenantState, after: TenantState) -> None:
    """What is true of every transition."""
    assert not (before.mode is Mode.ENTERPRISE and after.mode is Mode.CLOUD), "back to cloud"
    assert after.epoch >= before.epoch
    assert after.current_number >= before.current_number, "back to an earlier generation"
    assert {g.number for g in before.generations} <= {g.number for g in after.generations}, "a number is forgotten"
    for old in before.generations:
        new = after.find(old.number)
        assert new is not None
        assert _ORDER.index(new.state) >= _ORDER.index(old.state), "a generation goes back in its life"
        if before.mode is Mode.ENTERPRISE:
            assert new.key_arn == old.key_arn
    used = {g.key_arn.family for g in before.generations} if before.mode is Mode.ENTERPRISE else set()
    added = [g for g in after.generations if before.find(g.number) is None]
    assert not any(g.key_arn.family in used for g in added), "an ARN returns"
    assert all(g.number > max((o.number for o in before.generations), default=0) for g in added)


def check_world(explorer: Explorer, world: World) -> None:
    """What is true of the data keys, wherever they stand."""
    state = explorer.states[world.state]
    for generation in world.data_keys:
        if generation == NONE:
            continue
        if generation == 0:
            assert state.mode is Mode.CLOUD or state.rotation is not None, "left behind under the service's key"
            continue
        known = state.find(generation)
        assert known is not None
        assert known.must_stay_enabled, f"a data key stands under a key that is {known.state.value}"
        if state.mode is Mode.ENTERPRISE and state.rotation is None:
            assert generation == state.current_number, "a complete rotation left a data key behind"
