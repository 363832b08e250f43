"""Which calls a standing fault strikes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.errors import InputError
from engine.sandbox.clock import SandboxClock
from engine.sandbox.faults.model import Effect, Fault
from engine.sandbox.faults.plan import FaultPlan
from tests.builders import CUSTOMER, VENDOR


def _struck(plan: FaultPlan, operation: str, calls: int = 1, account: str = CUSTOMER) -> int:
    return sum(plan.strike(lambda: operation, account) is not None for _ in range(calls))


def test_a_count_is_used_up_by_the_calls_that_it_is_for() -> None:
    plan = FaultPlan(SandboxClock().now)
    plan.add("error kms:Decrypt count=2")
    assert _struck(plan, "kms:Encrypt", 5) == 0
    assert _struck(plan, "kms:Decrypt", 5) == 2
    assert [one.struck for one in plan.standing()] == [2]


def test_a_seed_makes_the_same_calls_fail_again() -> None:
    def run(seed: int) -> list[bool]:
        plan = FaultPlan(SandboxClock().now)
        plan.add(Fault(effect=Effect.DROP, probability=0.3, seed=seed))
        return [plan.strike(lambda: "kms:Decrypt", CUSTOMER) is not None for _ in range(300)]

    assert run(1) == run(1) != run(2)
    assert 50 < sum(run(1)) < 130


def test_a_rate_is_of_each_account_and_fills_with_the_sandboxs_clock() -> None:
    clock = SandboxClock()
    plan = FaultPlan(clock.now)
    plan.add("throttle kms:* rate=0.001")
    assert _struck(plan, "kms:Decrypt", 3) == 2
    assert _struck(plan, "kms:Decrypt", 1, VENDOR) == 0
    assert _struck(plan, "s3:GetObject", 3) == 0
    clock.advance(timedelta(seconds=1001))
    assert _struck(plan, "kms:Decrypt", 3) == 2


def test_slow_answers_add_up_and_the_first_other_fault_decides() -> None:
    plan = FaultPlan(SandboxClock().now)
    plan.add("slow * seconds=2", "drop kms:* count=1", "error kms:* count=1", "slow kms:* seconds=3")
    first, second, third = (plan.strike(lambda: "kms:Decrypt", CUSTOMER) for _ in range(3))
    assert first is not None
    assert second is not None
    assert third is not None
    assert {first.wait, second.wait, third.wait} == {5}
    assert [one.fault and one.fault.effect for one in (first, second, third)] == [Effect.DROP, Effect.ERROR, None]


def test_a_bad_line_adds_nothing_and_an_unknown_number_removes_nothing() -> None:
    plan = FaultPlan(SandboxClock().now)
    with pytest.raises(InputError):
        plan.add("drop *", "nonsense")
    assert plan.standing() == ()
    (number,) = plan.add("drop *")
    with pytest.raises(InputError):
        plan.remove(number, number + 1)
    assert len(plan.standing()) == 1
    plan.remove(number)
    assert plan.standing() == ()


def test_faults_of_a_while_go_and_leave_what_stood_before() -> None:
    plan = FaultPlan(SandboxClock().now)
    plan.add("drop s3:*", "delay state=5s")
    before = plan.delays
    with plan.during("error kms:*", "delay policy=5s"):
        assert len(plan.standing()) == 2
        assert plan.delays != before
    assert [str(one.fault) for one in plan.standing()] == ["drop s3:*"]
    assert plan.delays == before
