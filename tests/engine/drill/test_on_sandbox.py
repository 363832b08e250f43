"""The drill on a sandbox: each way of taking the access away stops exactly what the seeds say."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from engine.catalogue import WORKFLOWS
from engine.drill import Drilled, Outcome, Phase, Way, Work
from engine.drill.model import promised
from engine.drill.on_sandbox import drill_on_sandbox
from engine.errors import ExitCode


@pytest.fixture(scope="module")
def drilled() -> Drilled:
    """In an environment that is somebody's, who works with a real account."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_PROFILE", "production")
        patch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
        before = dict(os.environ)
        drilled = drill_on_sandbox()
        assert dict(os.environ) == before
    return drilled


@pytest.mark.requirement("EKM-10")
@pytest.mark.requirement("EKM-43")
@pytest.mark.requirement("EKM-51")
@pytest.mark.parametrize("way", Way)
def test_exactly_what_uses_the_key_fails_and_all_of_it_works_before_and_after(drilled: Drilled, way: Way) -> None:
    (rehearsed,) = [one for one in drilled.rehearsed if one.way is way]
    assert [work.workflow for work in rehearsed.revoked] == list(WORKFLOWS)
    assert list(rehearsed.differences()) == []
    for phase, works in ((Phase.BEFORE, rehearsed.before), (Phase.AFTER, rehearsed.after)):
        assert {work.outcome for work in works} == {Outcome.WORKED}, phase
    failed = {work.workflow.title for work in rehearsed.revoked if work.outcome is Outcome.FAILED_FOR_KEY}
    assert failed == {workflow.title for workflow in WORKFLOWS if workflow.uses_customer_key}
    assert drilled.exit_code is ExitCode.DONE


def test_an_offline_key_store_is_told_apart_from_a_revocation(drilled: Drilled) -> None:
    failures = {one.way: {f for work in one.revoked for f in work.failures} for one in drilled.rehearsed}
    assert failures[Way.KEY_STORE] == {"unavailable"}
    assert failures[Way.DISABLE] == failures[Way.SCHEDULE_DELETION] == {"revoked"}


def test_a_workflow_that_works_though_the_key_is_revoked_breaks_the_promise(drilled: Drilled) -> None:
    one = drilled.rehearsed[0]
    worked = replace(one.revoked[0], outcome=Outcome.WORKED)
    leaking = replace(drilled, rehearsed=(replace(one, revoked=(worked, *one.revoked[1:])), *drilled.rehearsed[1:]))
    assert leaking.exit_code is ExitCode.REFUSED
    assert list(leaking.rehearsed[0].differences()) == [(Phase.REVOKED, worked)]


def test_what_fails_for_another_reason_than_the_key_breaks_the_promise() -> None:
    for workflow in WORKFLOWS:
        for phase in Phase:
            assert promised(workflow, phase) is not Outcome.FAILED_OTHERWISE
    assert Drilled("nowhere", ()).exit_code is ExitCode.REFUSED, "a drill of nothing proves nothing"
    assert Work(WORKFLOWS[0], Outcome.NOT_RUN).failures == ()
