"""The example pipelines: pinned, least permissions, approved, never without the target branch's judge."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documented_commands import keyturn_commands, unknown_words
from tests.pipelines.roles import IAM, ROLES, policy_of

ROOT = Path(__file__).resolve().parents[2]
GITHUB = {path.stem: path for path in (ROOT / "pipelines" / "github").glob("*.yml")}
GITLAB = ROOT / "pipelines" / "gitlab" / "keyturn.gitlab-ci.yml"
PIPELINE_ROLES = tuple(role for role in ROLES if role != "key-administrator")
SUBJECT = "repo:northwind/backup-keys:"
PERMISSIONS = {"contents": "read", "id-token": "write", "pull-requests": "write", "actions": "read"}


def workflow(name: str) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(GITHUB[name].read_text(encoding="utf-8"))
    return document


def github_jobs() -> list[tuple[str, str, dict[str, Any]]]:
    return [(name, job, content) for name in sorted(GITHUB) for job, content in workflow(name)["jobs"].items()]


def gitlab() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(GITLAB.read_text(encoding="utf-8"))
    return document


def gitlab_jobs() -> dict[str, dict[str, Any]]:
    """The jobs, each with what it extends."""
    document = gitlab()
    common = document[".keyturn"]
    found = {name: job for name, job in document.items() if isinstance(job, dict) and "id_tokens" in job}
    return {name: {**common, **job} if "extends" in job else job for name, job in found.items()}


def trust(forge: str, role: str) -> dict[str, Any]:
    (statement,) = json.loads((IAM / "trust" / forge / f"{role}.json").read_text(encoding="utf-8"))["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRoleWithWebIdentity")
    condition: dict[str, Any] = statement["Condition"]
    return condition


def role_named(arn: str) -> str:
    assert arn.startswith("arn:aws:iam::123456789012:role/northwind-")
    return arn.removeprefix("arn:aws:iam::123456789012:role/northwind-")


def test_there_is_a_pipeline_for_each_task() -> None:
    assert set(GITHUB) == {"review", "deploy", "rotate", "doctor"}
    assert set(gitlab_jobs()) == {
        f"keyturn-{task}" for task in ("review", "deploy", "rotate", "confirm", "doctor", "evidence")
    }


@pytest.mark.parametrize(
    ("name", "job", "content"), github_jobs(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_github_job_is_pinned_and_has_the_permissions_that_it_needs(
    name: str, job: str, content: dict[str, Any]
) -> None:
    assert workflow(name)["permissions"] == {}
    more = {"review": {"pull-requests"}, "deploy": {"actions"}}
    needed = {"contents", "id-token", *more.get(name, ())}
    assert content["permissions"] == {permission: PERMISSIONS[permission] for permission in needed}
    assert content["timeout-minutes"]
    for step in content["steps"]:
        if "uses" in step:
            assert re.search(r"@[0-9a-f]{40}$", step["uses"]), step["uses"]
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        assert "${{" not in step.get("run", ""), f"{job}: words of an event in a shell's text"
        assert "secrets." not in json.dumps(step)
    text = GITHUB[name].read_text(encoding="utf-8")
    assert all(re.search(r"# v\d", line) for line in text.splitlines() if "uses: " in line and "OWNER" not in line)


@pytest.mark.parametrize(
    ("name", "job", "content"), github_jobs(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_github_jobs_role_trusts_this_repository_and_environment_alone(
    name: str, job: str, content: dict[str, Any]
) -> None:
    (step,) = [step for step in content["steps"] if "configure-aws-credentials" in step.get("uses", "")]
    role = role_named(step["with"]["role-to-assume"])
    assert role == {"review": "planner", "deploy": "deployer", "rotate": "rotator", "evidence": "witness"}.get(job, job)
    condition = trust("github", role)
    assert set(condition) == {"StringEquals"}
    claims = {key.rpartition(":")[2]: value for key, value in condition["StringEquals"].items()}
    place = f"environment:{content['environment']}" if "environment" in content else "ref:refs/heads/main"
    expected = "pull_request" if name == "review" else place
    assert claims == {"aud": "sts.amazonaws.com", "sub": SUBJECT + expected}
    # Whoever can make, move or sign waits in an environment; what only reads does not.
    assert ("environment" in content) == (role in {"deployer", "rotator", "witness"})


def test_a_github_plan_is_judged_by_the_target_branch_or_by_what_was_deployed() -> None:
    review = workflow("review")["jobs"]["review"]["steps"][-1]
    assert review["uses"].startswith("OWNER/keyturn@")
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert set(review["with"]) <= set(action["inputs"])
    assert "base-commit" not in review["with"]  # the action's own default is the target branch
    (deploy,) = [step for step in workflow("deploy")["jobs"]["deploy"]["steps"] if "deploy.sh" in step.get("run", "")]
    assert deploy["env"]["KEYTURN_BASE_COMMIT"] == "${{ inputs.base || env.DEPLOYED }}"


@pytest.mark.parametrize(("answer", "base"), [("ab" * 20, "ab" * 20), ("", "cd" * 20)])
def test_a_github_deploy_is_judged_by_the_last_commit_that_was_deployed(tmp_path: Path, answer: str, base: str) -> None:
    (step,) = [step for step in workflow("deploy")["jobs"]["deploy"]["steps"] if "gh api" in step.get("run", "")]
    assert step["env"]["BEFORE"] == "${{ github.event.before }}"
    tool, asked, told = tmp_path / "gh", tmp_path / "asked", tmp_path / "environment"
    tool.write_text(f'#!/bin/sh\necho "$*" >"{asked}"\necho "{answer}"\n', encoding="utf-8")
    tool.chmod(0o755)
    words = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "GITHUB_REPOSITORY": "northwind/backup-keys"}
    words |= {"GITHUB_ENV": str(told), "BEFORE": "cd" * 20}
    subprocess.run(["bash", "-euo", "pipefail", "-c", step["run"]], env=words, check=True)
    assert "status=success" in asked.read_text(encoding="utf-8")
    assert told.read_text(encoding="utf-8") == f"DEPLOYED={base}\n"


def test_deploys_and_rotations_wait_for_each_other() -> None:
    for name in ("deploy", "rotate"):
        assert workflow(name)["concurrency"] == {"group": "keys", "cancel-in-progress": False}
    for name in ("deploy", "rotate", "confirm"):
        assert gitlab_jobs()[f"keyturn-{name}"]["resource_group"] == "keys"
        assert gitlab_jobs()[f"keyturn-{name}"]["rules"][0]["when"] == "manual"


@pytest.mark.parametrize("name", sorted(gitlab_jobs()))
def test_a_gitlab_jobs_role_trusts_the_protected_branch(name: str) -> None:
    job = gitlab_jobs()[name]
    role = role_named(job["variables"]["AWS_ROLE_ARN"])
    assert job["id_tokens"] == {"AWS_TOKEN": {"aud": f"keyturn-{role}"}}
    condition = trust("gitlab", role)
    assert condition["StringEquals"]["gitlab.example:aud"] == f"keyturn-{role}"
    project = "project_path:northwind/backup-keys:ref_type:branch:ref:"
    if role == "planner":
        assert condition["StringLike"]["gitlab.example:sub"] == project + "*"
        return
    assert set(condition) == {"StringEquals"}
    assert condition["StringEquals"]["gitlab.example:sub"] == project + "main"
    assert all(rule["if"].startswith("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && ") for rule in job["rules"])
    assert re.search(r"@sha256:[0-9a-f]{64}$", job["image"])


def test_the_gitlab_pipeline_takes_the_review_from_a_pinned_include() -> None:
    (include,) = gitlab()["include"]
    header, _ = yaml.safe_load_all((ROOT / "pipelines" / "gitlab.yml").read_text(encoding="utf-8"))
    assert re.fullmatch("[0-9a-f]{40}", include["ref"])
    assert set(include["inputs"]) <= set(header["spec"]["inputs"])
    for name in ("image", "keyturn-commit", "keyturn-repository"):
        assert re.match(header["spec"]["inputs"][name]["regex"], include["inputs"][name])
    deploy = gitlab_jobs()["keyturn-deploy"]
    assert "plan" not in json.dumps(deploy["artifacts"])


@pytest.mark.parametrize(("answer", "base"), [("ab" * 20, "ab" * 20), ("", "cd" * 20)])
def test_a_gitlab_deploy_is_judged_by_the_last_commit_that_was_deployed(tmp_path: Path, answer: str, base: str) -> None:
    deploy = gitlab_jobs()["keyturn-deploy"]
    lines = [line for line in deploy["script"] if "deployed" in line]
    assert deploy["script"][-1].endswith("deploy.sh")
    assert f"deployed.py {deploy['environment']['name']})" in lines[0]
    tool = tmp_path / "python3"
    tool.write_text(f'#!/bin/sh\necho "{answer}"\n', encoding="utf-8")
    tool.chmod(0o755)
    words = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "CI_COMMIT_BEFORE_SHA": "cd" * 20}
    run = ["bash", "-euo", "pipefail", "-c", "\n".join((*lines, 'echo "$KEYTURN_BASE_COMMIT"'))]
    done = subprocess.run(run, env=words, check=True, capture_output=True, text=True)
    assert done.stdout == f"{base}\n"
    tool.write_text("#!/bin/sh\nexit 4\n", encoding="utf-8")
    assert subprocess.run(run, env=words, check=False, capture_output=True).returncode == 4


def scripts() -> list[tuple[str, str]]:
    """Every script in the pipelines, by where it stands."""
    found = [
        (f"{name} {step.get('name')}", step["run"])
        for name, _, job in github_jobs()
        for step in job["steps"]
        if "run" in step
    ]
    for name, job in gitlab_jobs().items():
        found += [(name, line) for line in (*job.get("before_script", ()), *job.get("script", ()))]
    return found


@pytest.mark.parametrize(("where", "script"), scripts(), ids=lambda value: value if "\n" not in value else "")
def test_every_script_is_a_shells_and_its_commands_exist(where: str, script: str) -> None:
    subprocess.run(["sh", "-n", "-c", script], check=True)
    for line in script.splitlines():
        if not line.startswith("git ") and (found := re.search(r"(?:^|[\s/)])keyturn\"? [a-z].*", line)) is not None:
            command = found.group().lstrip(" /)").replace('keyturn" ', "keyturn ", 1).partition(" ;;")[0]
            (words,) = keyturn_commands(command.replace('"$STEP"', "retire"))
            assert unknown_words(words) == [], where


@pytest.mark.parametrize("role", ROLES)
def test_a_policy_names_actions_and_keeps_to_its_tenant(role: str) -> None:
    for statement in policy_of(role)["Statement"]:
        assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"])
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions), statement["Sid"]
        if statement["Effect"] == "Deny" or statement["Resource"] != "*":
            continue
        # What names no resource: lists, CloudTrail's history, and keys that are yet to be made, by their tag.
        listing = {"kms:ListAliases", "kms:ListKeys", "cloudtrail:LookupEvents"}
        assert set(actions) <= listing or statement["Condition"] == {
            "StringEquals": {"aws:RequestTag/keyturn:tenant": "northwind"}
        }


def test_every_role_of_a_pipeline_has_a_trust_policy_on_each_forge() -> None:
    for forge in ("github", "gitlab"):
        assert {path.stem for path in (IAM / "trust" / forge).iterdir()} == set(PIPELINE_ROLES)
    (people,) = json.loads((IAM / "trust" / "people.json").read_text(encoding="utf-8"))["Statement"]
    assert people["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
