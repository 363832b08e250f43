"""Where the rows run: the clients, the things that were made, and their removal.

The same calls go to a sandbox and to AWS. AWS is eventually consistent (AWS KMS Developer Guide, "Eventual
consistency"): a row that is not answered as expected is asked again for a while there. Every key is noted
before anything else is done with it, and carries a tag, so that a run that was cut off can be swept away.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from botocore import xform_name
from botocore.exceptions import ClientError

from tests.conformance.words import Answer, Call, Identity, Named, Place

if TYPE_CHECKING:
    from tests.conformance.words import Refused, Row, Succeeds, Table, Thing

_PAUSES = (1, 2, 4, 8, 15, 15, 15)  # seconds


class Target(Protocol):
    """A sandbox or AWS: clients for two accounts in two Regions."""

    @property
    def real(self) -> bool:
        """Whether it is AWS, where changes take a while to spread."""

    def client(self, identity: Identity, service: str, region: str) -> Any:
        """A boto3 client that sends what it is given, unchecked."""

    def region(self, place: Place) -> str:
        """The Region of a place."""


@dataclass
class World:
    """One run of the tables.

    Attributes:
        target: A sandbox or AWS.
        mark: What tells this run's things from others'.
        keys: Every key that was made: who made it, and its ARN.
    """

    target: Target
    mark: str
    keys: list[tuple[Identity, str]] = field(default_factory=list)
    _made: dict[int, Mapping[str, str | bytes]] = field(default_factory=dict)
    _things: list[Thing] = field(default_factory=list)  # kept, so that an id is never another thing's

    def made(self, thing: Thing) -> Mapping[str, str | bytes]:
        """The properties of a thing, which is made now if it was not before."""
        if id(thing) not in self._made:
            self._things.append(thing)
            self._made[id(thing)] = thing.make(self)
        return self._made[id(thing)]

    def resolve(self, value: object) -> object:
        """A value with everything in it that stands for a thing's property."""
        if isinstance(value, Named):
            return value.value(self)
        if isinstance(value, Mapping):
            return {name: self.resolve(member) for name, member in value.items()}
        if isinstance(value, list | tuple):
            return [self.resolve(member) for member in value]
        return value

    def account(self, identity: Identity) -> Mapping[str, str]:
        """The id, root ARN and principal of an account, as STS tells them."""
        answer = self.target.client(identity, "sts", self.region(Place.HOME)).get_caller_identity()
        account_id = answer["Account"]
        return {
            "id": account_id,
            "root": f"arn:{self.partition}:iam::{account_id}:root",
            "caller": answer["Arn"],
        }

    def region(self, place: Place) -> str:
        """The Region of a place."""
        return self.target.region(place)

    @property
    def partition(self) -> str:
        """The AWS partition, as the Region tells it."""
        region = self.region(Place.HOME)
        return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"

    def ask(self, call: Call) -> Answer:
        """Send a call once, and answer whatever comes."""
        arguments: Any = self.resolve(call.arguments)
        client = self.target.client(call.caller, "kms", self.region(call.place))
        try:
            reply = getattr(client, xform_name(call.operation))(**arguments)
        except ClientError as error:
            told = error.response["Error"]
            return Answer(told["Code"], told.get("Message", ""), {})
        for member in ("KeyMetadata", "ReplicaKeyMetadata"):
            if member in reply and call.operation in {"CreateKey", "ReplicateKey"}:
                self.keys.append((call.caller, reply[member]["Arn"]))
        return Answer(None, "", reply)

    def call(self, call: Call) -> Mapping[str, object]:
        """Send a call that must succeed."""
        answer = self.ask(call)
        for pause in _PAUSES if self.target.real else ():
            if answer.code is None:
                break
            time.sleep(pause)
            answer = self.ask(call)
        assert answer.code is None, f"{call.operation}: {answer.code} ({answer.message}) while preparing"
        return answer.members

    def check(self, call: Call, expected: Refused | Succeeds) -> str | None:
        """Send a call and hold the answer against what is expected; what is otherwise, or None."""
        mismatch = expected.mismatch(self.ask(call), self)
        for pause in _PAUSES if self.target.real else ():
            if mismatch is None:
                break
            time.sleep(pause)
            mismatch = expected.mismatch(self.ask(call), self)
        return mismatch

    def run(self, table: Table, row: Row) -> str | None:
        """Run one row: what is otherwise than expected, or None."""
        for call in row.given:
            self.call(call)
        if (
            mismatch := self.check(Call(table.operation, row.arguments, row.caller, row.place), row.expected)
        ) is not None:
            return mismatch
        for call, expected in row.after:
            if (mismatch := self.check(call, expected)) is not None:
                return f"afterwards {call.operation}: {mismatch}"
        return None

    def wait_for_state(self, key_arn: str, place: Place, state: str) -> None:
        """Wait until a key is in a state."""
        call = Call("DescribeKey", {"KeyId": key_arn}, place=place)
        for pause in (0, *_PAUSES):
            time.sleep(pause if self.target.real else 0)
            answer: Any = self.ask(call).members
            if answer and answer["KeyMetadata"]["KeyState"] == state:
                return
        raise AssertionError(f"{key_arn} did not become {state}")
