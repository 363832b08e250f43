"""Faults, each as one line of text that says what goes wrong, where and how often.

    throttle kms:* rate=5            at most 5 calls a second of an account and Region pass
    error kms:Decrypt count=3        the next 3 calls are answered with 500; status= and code= choose another
    timeout s3:PutObject seconds=30  no answer for 30 s, then the connection ends
    drop kms:ReEncrypt after count=1 the connection ends without an answer, once the call took effect
    slow * seconds=0.5               every answer comes half a second later
    delay state=60s grants=5m        changes are used only later (`PropagationDelays`)

Operations are named as `service:Operation`, with `*` and `?` as wildcards; without one a fault strikes
every call. How often: `count=N`, or `probability=P` drawn from a generator of its own that `seed=N` sets, or
both; without either it strikes every time. `after` strikes when the call took effect, `before` (the default)
keeps it from taking effect. The text of a fault, parsed again, is the same fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import Enum
from fnmatch import fnmatchcase
from typing import NoReturn

from engine.errors import InputError

_DURATION = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>ms|s|m|h|d|)", re.ASCII)
_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_OPERATION = re.compile(r"\*|[a-z0-9*?-]+:[A-Za-z0-9*?]+", re.ASCII)
_CODE = re.compile(r"[A-Za-z.]{1,100}", re.ASCII)
_LONGEST = 3650 * 86400.0  # seconds
_EXAMPLE = "such as `drop kms:ReEncrypt after count=1` or `throttle kms:* rate=5`"


class Effect(Enum):
    """What the client meets."""

    THROTTLE = "throttle"
    ERROR = "error"
    TIMEOUT = "timeout"
    DROP = "drop"
    SLOW = "slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        effect: What the client meets.
        operations: Which calls it strikes, as patterns of `service:Operation`.
        after: Whether the call takes effect first.
        rate: For throttling: how many calls a second of an account and Region get through; None throttles all.
        count: How many times it strikes in all; None without a limit.
        probability: Of each matching call to be struck; None is certain.
        seed: Of the generator that draws.
        seconds: How long a timeout or a slow answer takes.
        status: The HTTP status of an error.
        code: The error code of an error; None takes the service's own for the status.

    Raises:
        InputError: A value is out of its range, or does not belong to the effect.
    """

    effect: Effect
    operations: tuple[str, ...] = ("*",)
    after: bool = False
    rate: float | None = None
    count: int | None = None
    probability: float | None = None
    seed: int = 0
    seconds: float | None = None
    status: int | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        waits = self.effect in {Effect.TIMEOUT, Effect.SLOW}
        named = self.effect.value
        for wrong, message in (
            (not self.operations, "a fault without an operation strikes nothing"),
            (any(not _OPERATION.fullmatch(name) for name in self.operations), "an operation is `service:Operation`"),
            (self.rate is not None and self.effect is not Effect.THROTTLE, f"rate= is for throttle, not for {named}"),
            (self.rate is not None and not 0 < self.rate <= 1e6, "rate= is more than 0, in calls a second"),
            (self.rate is not None and (self.count, self.probability) != (None, None), "rate= stands alone"),
            (self.count is not None and not 1 <= self.count <= 10**9, "count= is at least 1"),
            (self.probability is not None and not 0 < self.probability <= 1, "probability= is more than 0, at most 1"),
            (waits != (self.seconds is not None), f"seconds= {'is missing' if waits else 'is for timeout and slow'}"),
            (self.seconds is not None and not 1e-3 <= self.seconds <= _LONGEST, "seconds= is at least a millisecond"),
            (self.after and self.effect in {Effect.THROTTLE, Effect.SLOW}, f"{named} cannot strike after the effect"),
            ((self.status, self.code) != (None, None) and self.effect is not Effect.ERROR, "only error has a status"),
            (self.status is not None and not 400 <= self.status <= 599, "status= is 400 to 599"),
            (self.code is not None and not _CODE.fullmatch(self.code), "code= is the name of an error"),
        ):
            if wrong:
                raise InputError(f"this fault cannot be: {message}", f"{_EXAMPLE}")

    def concerns(self, operation: str) -> bool:
        """Whether it is for calls of this operation, such as `kms:Decrypt`."""
        return any(fnmatchcase(operation, pattern) for pattern in self.operations)

    def __str__(self) -> str:
        """The fault as it is written."""
        words = [self.effect.value, *self.operations]
        if self.after:
            words.append("after")
        words += [
            f"{name}={_seconds(value) if name == 'seconds' else _plain(value)}"
            for name in ("rate", "count", "probability", "seconds", "status", "code")
            if (value := getattr(self, name)) is not None
        ]
        if self.seed:
            words.append(f"seed={self.seed}")
        return " ".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagationDelays:
    """How long a change of a key takes until calls that use the key meet it; managing and describing see it at once.

    Attributes:
        state: Of EnableKey, DisableKey and the scheduling of a deletion.
        policy: Of PutKeyPolicy.
        grants: Of CreateGrant, RetireGrant and RevokeGrant; a grant token goes before it, as on AWS.

    Raises:
        InputError: A delay is negative or longer than ten years.
    """

    state: timedelta = timedelta(0)
    policy: timedelta = timedelta(0)
    grants: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if not all(0 <= getattr(self, one.name).total_seconds() <= _LONGEST for one in fields(self)):
            raise InputError("a delay is not negative and at most ten years", "such as `delay state=60s grants=5m`")

    def __str__(self) -> str:
        """The delays as they are written."""
        return " ".join(
            ["delay", *(f"{one.name}={_seconds(getattr(self, one.name).total_seconds())}s" for one in fields(self))]
        )


def parse_fault(text: str) -> Fault | PropagationDelays:
    """Read a fault.

    Args:
        text: One line, as the module's docstring has it.

    Raises:
        InputError: It is none; the message says what is wrong with it.
    """
    first, *words = text.split() or [""]
    if first == "delay":
        return _parse_delays(text, words)
    if first not in {effect.value for effect in Effect}:
        _refuse(text, f"{first!r} is none of {', '.join(effect.value for effect in Effect)} and delay")
    operations: list[str] = []
    moments: set[str] = set()
    values: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if word in {"after", "before"}:
            moments.add(word)
        elif not equals and _OPERATION.fullmatch(word):
            operations.append(word)
        elif not equals:
            _refuse(text, f"{word!r} is not an operation such as kms:Decrypt")
        elif name in values:
            _refuse(text, f"{name}= stands there twice")
        else:
            values[name] = value
    if len(moments) > 1:
        _refuse(text, "it is either before or after")
    return _make_fault(text, Effect(first), tuple(operations) or ("*",), "after" in moments, values)


def parse_duration(text: str) -> timedelta:
    """Read a span of time such as `30d`, `5m`, `250ms`, or a number of seconds.

    Raises:
        InputError: It is none, or longer than ten years.
    """
    found = _DURATION.fullmatch(text)
    seconds = float(found["number"]) * _UNITS[found["unit"]] if found else _LONGEST + 1
    if seconds > _LONGEST:
        raise InputError(f"{text!r} is not a span of time", "a number with ms, s, m, h or d, such as 30d")
    return timedelta(seconds=seconds)


def _make_fault(text: str, effect: Effect, operations: tuple[str, ...], after: bool, values: dict[str, str]) -> Fault:
    try:
        fault = Fault(
            effect=effect,
            operations=operations,
            after=after,
            rate=_number(values.pop("rate", None)),
            count=_whole(values.pop("count", None)),
            probability=_number(values.pop("probability", None)),
            seed=_whole(values.pop("seed", None)) or 0,
            seconds=parse_duration(seconds).total_seconds() if (seconds := values.pop("seconds", None)) else None,
            status=_whole(values.pop("status", None)),
            code=values.pop("code", None),
        )
    except ValueError as error:
        raise InputError(f"the fault {text!r} has a value that is not a number", _EXAMPLE) from error
    if values:
        _refuse(text, f"{next(iter(values))}= is not known")
    return fault


def _parse_delays(text: str, words: list[str]) -> PropagationDelays:
    names = {one.name for one in fields(PropagationDelays)}
    pairs = dict(word.partition("=")[::2] for word in words)
    if not pairs or not set(pairs) <= names or len(pairs) != len(words):
        _refuse(text, f"a delay takes each of {', '.join(sorted(names))} once")
    return PropagationDelays(**{name: parse_duration(value) for name, value in pairs.items()})


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)


def _plain(value: object) -> str:
    return repr(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _seconds(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _refuse(text: str, message: str) -> NoReturn:
    raise InputError(f"the fault {text!r} cannot be read: {message}", _EXAMPLE)
