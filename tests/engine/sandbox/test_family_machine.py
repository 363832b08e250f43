"""A multi-Region key and its replicas under any order of calls and any passing of time.

Whatever happened before:

- there is one primary at the most, as long as any key of the family is there, and every member says the same;
- a ciphertext opens in a Region exactly when the key there is enabled, whichever Region made it;
- a state is never left but by a call that leaves it or by its time;
- who has no permission sees nothing and changes nothing.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.sandbox.clock import SandboxClock
from engine.sandbox.credentials import Principal
from engine.sandbox.kms.errors import KmsError
from engine.sandbox.kms.service import KmsRequest, KmsService
from tests.builders import CUSTOMER, VENDOR

REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
ANY_REGION = st.sampled_from(REGIONS)
WAITING = {"PendingDeletion", "PendingReplicaDeletion"}
REFUSED = {
    *("KMSInvalidStateException", "DisabledException", "NotFoundException", "AlreadyExistsException"),
    *("UnsupportedOperationException", "ValidationException", "LimitExceededException"),
}


def principal(account_id: str) -> Principal:
    return Principal(account_id, f"arn:aws:iam::{account_id}:user/any", "AIDA", "User", None)


class Family(RuleBasedStateMachine):
    """The machine: it keeps what it encrypted, and asks KMS for all the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SandboxClock()
        self.kms = KmsService(self.clock)
        self.key = ""
        self.blobs: list[str] = []
        self.gone: set[str] = set()

    def call(self, operation: str, region: str, account_id: str = CUSTOMER, **members: Any) -> Any:
        body = json.dumps(members).encode()
        return self.kms.answer(KmsRequest(operation, body, principal(account_id), region, "127.0.0.1"))

    def attempt(self, operation: str, region: str, **members: Any) -> Any:
        """A call that may be refused, in one of the ways that KMS refuses."""
        try:
            return self.call(operation, region, KeyId=self.key, **members)
        except KmsError as error:
            assert error.code in REFUSED, error
            return None

    def members(self) -> dict[str, Any]:
        found = {}
        for region in REGIONS:
            described = self.attempt("DescribeKey", region)
            if described is not None:
                found[region] = described["KeyMetadata"]
        return found

    @initialize()
    def make(self) -> None:
        self.key = self.call("CreateKey", REGIONS[0], MultiRegion=True)["KeyMetadata"]["KeyId"]

    @rule(source=ANY_REGION, to=ANY_REGION)
    def replicate(self, source: str, to: str) -> None:
        before = self.members()
        if self.attempt("ReplicateKey", source, ReplicaRegion=to) is not None:
            assert to not in before
            assert before[source]["KeyState"] == "Enabled"
            self.gone.discard(to)

    @rule(region=ANY_REGION, to=ANY_REGION)
    def move_primary(self, region: str, to: str) -> None:
        if self.attempt("UpdatePrimaryRegion", region, PrimaryRegion=to) is not None:
            assert self.members()[to]["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"

    @rule(region=ANY_REGION, operation=st.sampled_from(["EnableKey", "DisableKey", "RotateKeyOnDemand"]))
    def administer(self, region: str, operation: str) -> None:
        before = self.members()
        self.attempt(operation, region)
        after = self.members()
        assert {name: one["KeyState"] for name, one in after.items() if name != region} == {
            name: one["KeyState"] for name, one in before.items() if name != region
        }

    @rule(region=ANY_REGION, days=st.integers(7, 30))
    def schedule(self, region: str, days: int) -> None:
        before = self.members()
        answer = self.attempt("ScheduleKeyDeletion", region, PendingWindowInDays=days)
        if answer is not None:
            is_primary = before[region]["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"
            waits = is_primary and len(before) > 1
            assert answer["KeyState"] == ("PendingReplicaDeletion" if waits else "PendingDeletion")
            assert ("DeletionDate" in answer) != waits

    @rule(region=ANY_REGION)
    def cancel(self, region: str) -> None:
        before = self.members()
        if self.attempt("CancelKeyDeletion", region) is not None:
            assert before[region]["KeyState"] in WAITING
            assert self.members()[region]["KeyState"] == "Disabled"

    @rule(days=st.integers(1, 40))
    def wait(self, days: int) -> None:
        before = self.members()
        self.clock.advance(timedelta(days=days))
        after = self.members()
        for region, metadata in before.items():
            if region not in after:
                assert metadata["KeyState"] in WAITING
                self.gone.add(region)
            elif metadata["KeyState"] not in WAITING:
                assert after[region]["KeyState"] == metadata["KeyState"]

    @rule(region=ANY_REGION)
    def encrypt(self, region: str) -> None:
        state = self.members().get(region, {}).get("KeyState")
        answer = self.attempt("Encrypt", region, Plaintext="ZGF0YQ==")
        assert (answer is not None) == (state == "Enabled")
        if answer is not None:
            self.blobs.append(answer["CiphertextBlob"])

    @precondition(lambda self: bool(self.blobs))
    @rule(region=ANY_REGION, which=st.integers(0))
    def decrypt(self, region: str, which: int) -> None:
        state = self.members().get(region, {}).get("KeyState")
        try:
            answer = self.call("Decrypt", region, CiphertextBlob=self.blobs[which % len(self.blobs)])
        except KmsError as error:
            assert state != "Enabled"
            assert error.code in {*REFUSED, "AccessDeniedException"}
        else:
            assert (state, answer["Plaintext"]) == ("Enabled", "ZGF0YQ==")

    @rule(region=ANY_REGION, operation=st.sampled_from(["DescribeKey", "DisableKey", "ScheduleKeyDeletion", "Encrypt"]))
    def intrude(self, region: str, operation: str) -> None:
        before = self.members()
        arn = f"arn:aws:kms:{region}:{CUSTOMER}:key/{self.key}"
        members = {"Plaintext": "ZGF0YQ=="} if operation == "Encrypt" else {}
        try:
            self.call(operation, region, VENDOR, KeyId=arn, **members)
        except KmsError as error:
            assert error.code == "AccessDeniedException"
        else:
            raise AssertionError(f"{operation} succeeded for another account")
        assert self.members() == before

    @invariant()
    def every_member_tells_the_same(self) -> None:
        if not self.key:
            return
        members = self.members()
        shared = [
            (
                one["CurrentKeyMaterialId"],
                one["MultiRegionConfiguration"]["PrimaryKey"],
                one["MultiRegionConfiguration"]["ReplicaKeys"],
            )
            for one in members.values()
        ]
        assert all(one == shared[0] for one in shared)
        primaries = [
            region
            for region, one in members.items()
            if one["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"
        ]
        assert len(primaries) == (1 if members else 0)
        assert not self.gone & members.keys()


TestFamily = Family.TestCase
TestFamily.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
