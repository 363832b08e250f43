"""Every way in which Keyturn ends other than well.

One root, `KeyturnError`, caught once at the top of the command line. An error owns its exit code, its
message and its hint, so that no caller has to know them:

- 1  refused or blocked: a rule said no, or another writer was first
- 2  usage (raised by click itself)
- 3  input missing, unreadable, invalid or untrusted
- 4  AWS said no or cannot be reached, or a job failed for its key
- 5  data damaged
- 6  this machine: disk, lock, permission
- 130 and 143  interrupted

No message carries a secret, a plaintext key or a sensitive value of a plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TypeVar


class ExitCode(IntEnum):
    """The process's exit codes, as `design.md` fixes them."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    INPUT = 3
    AWS = 4
    DAMAGED = 5
    MACHINE = 6
    INTERRUPTED = 130
    TERMINATED = 143


class TerminatedError(BaseException):
    """Somebody asked this process to end (SIGTERM); no error of Keyturn's, but it ends with `TERMINATED`."""


class KeyturnError(Exception):
    """The root: a message that says what is wrong and, where there is one, a hint that says what to do.

    Args:
        message: One sentence, without a trailing full stop, that names the thing it is about.
        hint: What the reader can do now, or None.
    """

    exit_code: ExitCode = ExitCode.MACHINE

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def diagnostics(self) -> tuple[str, ...]:
        """The lines to show behind `error:`, the most important first."""
        return (self.message,)


_Error = TypeVar("_Error", bound=BaseException)


def without_frames(error: _Error) -> _Error:
    """The same error, to be kept: its traceback, and those of its causes, would keep every buffer of what failed."""
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None and one.__traceback__ is not None:
            one.__traceback__ = None
            left += [one.__cause__, one.__context__]
    return error


class RefusedError(KeyturnError):
    """A rule said no, and nothing was changed.

    Args:
        rule: The rule's name, as the documentation and the journal know it.
        message: What was refused and why.
        requirements: The ids of `requirements.md` that ask for it.
        hint: What would be allowed instead.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, rule: str, message: str, requirements: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.rule = rule
        self.requirements = requirements

    def diagnostics(self) -> tuple[str, ...]:
        """The message with the rule and the requirements that it rests on."""
        source = ", ".join((self.rule, *self.requirements))
        return (f"{self.message} [{source}]",)


class ConflictError(RefusedError):
    """Another writer changed the ledger first; nothing of this one's was written."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with an input file.

    Attributes:
        file: The file as the user named it.
        line: Counted from 1, or None where the file as a whole is meant.
        column: Counted from 1, in characters, or None.
        message: What is wrong, with the value where it is not sensitive.
        expected: What would have been right.
    """

    file: str
    line: int | None
    column: int | None
    message: str
    expected: str | None = None

    def __str__(self) -> str:
        """`file:line:column: message; expected …`, the form that editors follow."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return f"{place}: {self.message}" + (f"; expected {self.expected}" if self.expected else "")


class InputError(KeyturnError):
    """An input is missing, unreadable or invalid; with every mistake that was found, not the first alone."""

    exit_code = ExitCode.INPUT

    def __init__(self, message: str, hint: str | None = None, mistakes: tuple[Mistake, ...] = ()) -> None:
        super().__init__(message, hint)
        self.mistakes = mistakes

    def diagnostics(self) -> tuple[str, ...]:
        """The mistakes, one a line; the message itself where there are none."""
        return tuple(str(mistake) for mistake in self.mistakes) or (self.message,)


class UntrustedError(InputError):
    """An input is readable but proves nothing: unsigned, expired, of another tenant, of the sandbox."""


class KeyFailure(Enum):
    """Why a KMS call did not do what it was asked; told apart because they ask for different answers."""

    REVOKED = "revoked"  # disabled, pending deletion, deleted, or the access was taken away
    UNAVAILABLE = "unavailable"  # KMS or the key store cannot be reached: says nothing about the key
    THROTTLED = "throttled"
    TAMPERED = "tampered"  # the ciphertext or its context is not what was once wrapped
    MISCONFIGURED = "misconfigured"  # the wrong key, Region, account or usage
    DENIED = "denied"  # this caller's own permissions do not allow it


class KeyAccessError(KeyturnError):
    """AWS KMS said no or could not be reached; unreachable is not revoked.

    Args:
        failure: The one of the six that it was.
        message: What was tried, on which key, and what AWS answered.
        hint: What to look at.
        key_arn: The key, where it is known.
        operation: The KMS operation, such as `Decrypt`.
        aws_code: The error code of AWS, such as `DisabledException`, or None without an answer.
        request_id: The request id of AWS, for its support and CloudTrail.
    """

    exit_code = ExitCode.AWS

    def __init__(
        self,
        failure: KeyFailure,
        message: str,
        *,
        hint: str | None = None,
        key_arn: str | None = None,
        operation: str | None = None,
        aws_code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.failure = failure
        self.key_arn = key_arn
        self.operation = operation
        self.aws_code = aws_code
        self.request_id = request_id

    @property
    def worth_retrying(self) -> bool:
        """True for outages and throttling alone: retrying a revocation only hides it."""
        return self.failure in {KeyFailure.UNAVAILABLE, KeyFailure.THROTTLED}


class AwsError(KeyturnError):
    """AWS refused or could not be reached, in something other than the use of a key."""

    exit_code = ExitCode.AWS


class DamagedError(KeyturnError):
    """Stored data is not what was stored: a broken journal, an altered payload, a truncated file."""

    exit_code = ExitCode.DAMAGED


class MachineError(KeyturnError):
    """This machine cannot do it: a full disk, a lock held by another, a missing permission or program."""

    exit_code = ExitCode.MACHINE
