"""What a drill finds, and where that differs from the promise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from engine.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.catalogue import Workflow


class Way(Enum):
    """A way in which access to a key is taken away; the value is its name on the command line."""

    DISABLE = "disable"
    SCHEDULE_DELETION = "schedule-deletion"
    POLICY = "policy"
    GRANT = "grant"
    DENY = "deny"
    KEY_STORE = "key-store"

    @property
    def title(self) -> str:
        """What is done, for people."""
        return _TITLES[self]


_TITLES = {
    Way.DISABLE: "key disabled",
    Way.SCHEDULE_DELETION: "deletion scheduled",
    Way.POLICY: "key policy without the vendor",
    Way.GRANT: "grant revoked",
    Way.DENY: "denied in the key policy",
    Way.KEY_STORE: "key store offline",
}


class Phase(Enum):
    """When a workflow was run."""

    BEFORE = "before"
    REVOKED = "revoked"
    AFTER = "after"


class Outcome(Enum):
    """What became of a workflow."""

    WORKED = "works"
    FAILED_FOR_KEY = "fails for the key"
    FAILED_OTHERWISE = "fails otherwise"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Work:
    """One run of one workflow.

    Attributes:
        workflow: The workflow.
        outcome: What became of it.
        failures: How the key failed it, as `revoked` or `denied`; empty where it did not.
        detail: The first message of a failure, or None.
    """

    workflow: Workflow
    outcome: Outcome
    failures: tuple[str, ...] = ()
    detail: str | None = None


def promised(workflow: Workflow, phase: Phase) -> Outcome:
    """What the seeds promise of a workflow."""
    if phase is Phase.REVOKED and workflow.uses_customer_key:
        return Outcome.FAILED_FOR_KEY
    return Outcome.WORKED


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One way of taking the access away, rehearsed.

    Attributes:
        way: The way.
        key_arn: The key.
        before: Every workflow before.
        revoked: Every workflow while the access was taken away.
        after: Every workflow after it was given back.
    """

    way: Way
    key_arn: str
    before: tuple[Work, ...]
    revoked: tuple[Work, ...]
    after: tuple[Work, ...]

    def differences(self) -> Iterator[tuple[Phase, Work]]:
        """The runs that were not as promised."""
        for phase, works in zip(Phase, (self.before, self.revoked, self.after), strict=True):
            for work in works:
                if work.outcome not in {promised(work.workflow, phase), Outcome.NOT_RUN}:
                    yield phase, work

    def not_run(self) -> tuple[Workflow, ...]:
        """The workflows that were not run while the access was taken away."""
        return tuple(work.workflow for work in self.revoked if work.outcome is Outcome.NOT_RUN)


@dataclass(frozen=True, slots=True)
class Drilled:
    """A whole drill.

    Attributes:
        where: On what it was done, for people.
        rehearsed: Each way.
    """

    where: str
    rehearsed: tuple[Rehearsed, ...]

    @property
    def kept(self) -> bool:
        """Whether reality is as promised, in every way and phase; a drill of nothing keeps nothing."""
        return bool(self.rehearsed) and all(
            rehearsed.revoked and not list(rehearsed.differences()) for rehearsed in self.rehearsed
        )

    @property
    def exit_code(self) -> ExitCode:
        """Done where the promise is kept."""
        return ExitCode.DONE if self.kept else ExitCode.REFUSED
