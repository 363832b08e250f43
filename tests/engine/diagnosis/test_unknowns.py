"""What KMS cannot tell, and data keys that nothing moves, are differences and never a match."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.diagnosis.key import compare_last_use
from engine.diagnosis.model import Case, KeyFacts
from engine.diagnosis.tenant import compare_census
from engine.kms import KeyUsage
from engine.ledger.interface import Census, CensusRow
from engine.lifecycle import Generation, GenerationState, Mode, Rotation, TenantState
from tests.builders import NOW, cloud_state, key_arn

OLD = Generation(1, key_arn(1), GenerationState.RETAINED, NOW)
NEW = Generation(2, key_arn(2), GenerationState.CURRENT, NOW, current_since=NOW, integrated_at=NOW)


def enterprise() -> TenantState:
    return replace(cloud_state(), mode=Mode.ENTERPRISE, generations=(OLD, NEW), epoch=2)


@pytest.mark.requirement("EKM-33")
@pytest.mark.parametrize(("created", "told"), [(timedelta(days=-9), True), (timedelta(days=9), False)])
def test_a_key_that_is_older_than_the_records_of_its_use_is_not_taken_for_unused(
    created: timedelta, *, told: bool
) -> None:
    usage = KeyUsage(last_used_at=None, tracked_since=NOW, created_at=NOW + created)
    found = list(compare_last_use(enterprise(), Case(OLD, None, KeyFacts(None, usage=usage), None, 0)))
    assert [difference.what for difference in found] == (["last use"] if told else [])


@pytest.mark.requirement("EKM-33")
def test_data_keys_under_an_older_key_that_no_move_takes_along_are_told() -> None:
    census = Census((CensusRow(1, str(key_arn(1)), 3, 0, 0), CensusRow(2, str(key_arn(2)), 4, 0, 0)))
    (found,) = compare_census(enterprise(), census)
    assert (found.generation, found.seen) == (1, "3 under its key")
    moving = replace(enterprise(), rotation=Rotation(2, 2, NOW))
    assert list(compare_census(moving, census)) == []
    unproved = Census((CensusRow(2, str(key_arn(2)), 4, 1, 0),))
    (found,) = compare_census(enterprise(), unproved)
    assert found.seen == "1 not proved to open"
    assert list(compare_census(cloud_state(), Census((CensusRow(0, "arn", 3, 3, 0),)))) == []
