"""The parameters of a request, held against AWS's own service model.

What a client library lets through unchecked, KMS checks: required members, lengths, ranges, patterns and
enumerations. All of it stands in the service model that botocore carries, so it is read from there and can
not drift. Every breach is told at once, in KMS's words; the value of a sensitive member or a blob is never
repeated. Members that the model does not know are passed over, as AWS does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.sandbox.kms.errors import serialization, validation
from engine.sandbox.kms.shapes import ShapeChecks

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Parameters:
    """The checked members of a request; a member that was not sent, or sent as null, is absent."""

    members: Mapping[str, Any]

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def text(self, name: str) -> str:
        """A required string."""
        return str(self.members[name])

    def optional_text(self, name: str) -> str | None:
        """A string that may be absent."""
        return self.members.get(name)

    def integer(self, name: str) -> int | None:
        """A whole number that may be absent."""
        return self.members.get(name)

    def moment(self, name: str) -> datetime | None:
        """A time that may be absent."""
        seconds: float | None = self.members.get(name)
        if seconds is None:
            return None
        try:
            return datetime.fromtimestamp(seconds, UTC)
        except (OverflowError, OSError, ValueError) as error:
            raise validation(f"{name} is not a time that can be") from error

    def flag(self, name: str) -> bool:
        """A boolean; absent is false."""
        return bool(self.members.get(name))

    def blob(self, name: str) -> bytes | None:
        """Bytes that may be absent."""
        return self.members.get(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; absent is empty."""
        return tuple(self.members.get(name, ()))

    def pairs(self, name: str) -> Mapping[str, str]:
        """A map of strings to strings; absent is empty."""
        return self.optional_pairs(name) or {}

    def optional_pairs(self, name: str) -> Mapping[str, str] | None:
        """A map of strings to strings; None where it was not sent, which is not the same as an empty one."""
        return self.members.get(name)

    def tags(self, name: str) -> tuple[tuple[str, str], ...]:
        """A list of tags, each a key and a value."""
        return tuple((tag["TagKey"], tag["TagValue"]) for tag in self.members.get(name, ()))

    def structure(self, name: str) -> Parameters:
        """A nested structure; absent is empty."""
        return Parameters(self.members.get(name, {}))


class ParameterModel:
    """Parses and checks the requests of all operations of the service model."""

    def __init__(self) -> None:
        model = _service_model()
        self._checks = ShapeChecks(model["shapes"])
        self._inputs = {name: op["input"]["shape"] for name, op in model["operations"].items() if "input" in op}
        self.operations: frozenset[str] = frozenset(model["operations"])

    def parse(self, operation: str, body: bytes) -> Parameters:
        """Read a request's body.

        Args:
            operation: An operation of the service model.
            body: The JSON document that was sent; empty stands for `{}`.

        Raises:
            KmsError: `SerializationException` where it is no JSON object or a member is of another type,
                `ValidationException` where a value breaks the model.
        """
        try:
            document = json.loads(body or b"{}")
            if b"\\u" in body:
                # Half a surrogate pair is no text: nothing of it could be encoded.
                json.dumps(document, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise serialization("the body is not JSON") from error
        if not isinstance(document, dict):
            raise serialization("the body is not a JSON object")
        breaches: list[str] = []
        shape = self._inputs.get(operation)
        members = self._checks.check_of(shape)(document, "", breaches) if shape else {}
        if breaches:
            count = "1 validation error" if len(breaches) == 1 else f"{len(breaches)} validation errors"
            raise validation(f"{count} detected: {'; '.join(breaches)}")
        return Parameters(members)


@cache
def _service_model() -> dict[str, Any]:
    from botocore.loaders import Loader

    model: dict[str, Any] = Loader().load_service_model("kms", "service-2")
    return model
