"""What checked evidence proves to the review."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.arn import parse_key_arn
from engine.evidence import Certificate, Evidence, GenerationEvidence, JournalHead, Origin, Subject
from engine.lifecycle import GenerationState
from engine.review import Standing, proof_of
from tests.engine.review.declarations import proof
from tests.engine.review.plan_builder import CUSTOMER, TENANT, VENDOR, key_arn

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SUBJECT = Subject(TENANT, CUSTOMER, VENDOR, "us-east-1", Origin.AWS)
HEAD = JournalHead(7, "0" * 64)


def _evidence(state: GenerationState, data_keys: int, *, certified: bool) -> Evidence:
    arn = parse_key_arn(key_arn(1))
    certificate = Certificate(SUBJECT, NOW, HEAD, 1, arn, 2, 5) if certified else None
    entry = GenerationEvidence(1, arn, state, data_keys, integrated=True, certificate=certificate)
    return Evidence(SUBJECT, NOW, NOW + timedelta(days=1), HEAD, True, True, 2, None, (entry,))


@pytest.mark.parametrize("state", list(GenerationState))
def test_every_state_of_the_ledger_has_its_standing(state: GenerationState) -> None:
    proof = proof_of(_evidence(state, 0, certified=True))
    (entry,) = proof.generations
    assert entry.standing is Standing(state.value)
    assert entry.integrated
    assert proof.tenant == TENANT
    assert proof.revoked


def test_a_certificate_counts_only_where_the_census_is_0() -> None:
    assert proof_of(_evidence(GenerationState.RELEASED, 0, certified=True)).generations[0].certificate
    assert not proof_of(_evidence(GenerationState.RELEASED, 1, certified=True)).generations[0].certificate
    assert not proof_of(_evidence(GenerationState.RELEASED, 0, certified=False)).generations[0].certificate


def test_a_key_is_known_by_its_arn_alone() -> None:
    proof = proof_of(_evidence(GenerationState.RELEASED, 0, certified=True))
    assert proof.of_key(key_arn(1)) is proof.generations[0]
    assert proof.of_key(key_arn(2)) is None
    assert proof.of_key(None) is None
    assert proof.of_number(1) is proof.generations[0]
    assert proof.of_number(2) is None


def test_what_is_proved_of_a_later_generation_is_not_proved_of_one_that_the_ledger_does_not_know() -> None:
    later = proof({2: "retained", 3: "current"})
    assert later.of_number(1) is None
    assert later.of_number(2) is later.generations[0]


def test_a_replica_shares_what_is_proved_of_its_family() -> None:
    family = "mrk-" + "5" * 32
    evidence = _evidence(GenerationState.RELEASED, 0, certified=True)
    arn = parse_key_arn(f"arn:aws:kms:us-east-1:{CUSTOMER}:key/{family}")
    entry = GenerationEvidence(1, arn, GenerationState.RELEASED, 0, integrated=True, certificate=None)
    proof = proof_of(
        Evidence(
            SUBJECT,
            NOW,
            evidence.expires_at,
            HEAD,
            enabled=True,
            revoked=False,
            current=2,
            rotation=None,
            generations=(entry,),
        )
    )
    assert proof.of_key(f"arn:aws:kms:us-west-2:{CUSTOMER}:key/{family}") is not None
    for account in ("000000000001", "345678901234"):
        assert proof.of_key(f"arn:aws:kms:us-west-2:{account}:key/{family}") is None
    for digit in "19":
        assert proof.of_key(f"arn:aws:kms:us-west-2:{CUSTOMER}:key/mrk-{digit * 32}") is None
