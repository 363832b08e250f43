"""What the answers to several questions come to together."""

from __future__ import annotations

import pytest

from engine.review.access_answers import NO_GROUNDS, Access, Answer, Reach

YES, DEPENDS, NO, UNKNOWN = Answer.YES, Answer.DEPENDS, Answer.NO, Answer.UNKNOWN


@pytest.mark.parametrize(
    ("answers", "reach"),
    [
        ((YES, YES), Reach.FULL),
        ((NO, NO), Reach.NONE),
        ((DEPENDS, DEPENDS), Reach.CONDITIONAL),
        ((UNKNOWN, UNKNOWN), Reach.UNKNOWN),
        ((YES, DEPENDS), Reach.CONDITIONAL),
        ((YES, NO), Reach.PARTIAL),
        ((DEPENDS, NO), Reach.PARTIAL),
        ((YES, UNKNOWN), Reach.UNKNOWN),
        ((DEPENDS, UNKNOWN), Reach.UNKNOWN),
        ((NO, UNKNOWN), Reach.UNKNOWN),
        ((YES, DEPENDS, UNKNOWN), Reach.UNKNOWN),
        ((YES, NO, UNKNOWN), Reach.PARTIAL),
        ((DEPENDS, NO, UNKNOWN), Reach.PARTIAL),
    ],
)
def test_how_much_of_its_need_an_account_can_do(answers: tuple[Answer, ...], reach: Reach) -> None:
    actions = tuple(f"kms:Action{number}" for number, _ in enumerate(answers))
    for order in (answers, answers[::-1]):
        access = Access(actions, order, (False,) * len(order), (NO_GROUNDS,) * len(order))
        assert access.reach is reach
