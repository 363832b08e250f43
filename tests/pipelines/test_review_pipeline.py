"""The pipelines' steps, run for real: a repository with two branches, a Terraform that prints a plan."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from engine.review.markdown_report import MARKER
from tests.engine.review.plan_builder import CUSTOMER, OTHER, POLICIES, VENDOR, PlanBuilder

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
KEY, ALIAS = "aws_kms_key", "aws_kms_alias"
TERRAFORM = """\
#!/bin/sh
# Writes what it was asked into a log; `show` prints the prepared plan.
echo "$*" >>"$TERRAFORM_LOG"
for word; do case $word in -out=*) echo plan >"${word#-out=}" ;; esac; done
case "$*" in *" show "*) cat "$TERRAFORM_PLAN" ;; *) echo "told to people" ;; esac
"""


@dataclass(frozen=True)
class Checkout:
    """A repository: `base` is the target branch's commit, the working tree is the change's."""

    folder: Path
    base: str
    tools: Path

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def review(
        self, plan: PlanBuilder, *, script: str = "review.sh", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        plan_file = self.tools / "prepared.json"
        plan_file.write_bytes(plan.data())
        words = {
            "PATH": f"{self.tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.tools),
            "TMPDIR": str(self.tools / "private"),
            "TERRAFORM_LOG": str(self.tools / "log"),
            "TERRAFORM_PLAN": str(plan_file),
            "KEYTURN_REPOSITORY": str(self.folder),
            "KEYTURN_BASE_COMMIT": self.base,
            "KEYTURN_REPORTS": str(self.reports),
            **environment,
        }
        return subprocess.run(
            [str(ROOT / "pipelines" / script)],
            cwd=self.tools,
            env={name: value for name, value in words.items() if value},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def reports(self) -> Path:
        return self.tools / "reports"

    @property
    def verdict(self) -> str:
        return (self.reports / "exit-code").read_text(encoding="utf-8").strip()

    @property
    def blocking(self) -> set[str]:
        document = json.loads((self.reports / "report.json").read_text(encoding="utf-8"))
        return {finding["policy"] for finding in document["findings"] if finding["blocks"]}


def _git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@northwind.example", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _declaration(**changes: Any) -> str:
    document = {
        "version": 1,
        "tenant": "northwind",
        "druva": {"account_id": VENDOR, "activated": True},
        "products": ["microsoft365"],
        "aws": {"account_id": CUSTOMER, "region": "us-east-1"},
        "key_administrators": [f"arn:aws:iam::{CUSTOMER}:role/KeyAdmin"],
        "allow_key_deletion": True,
        "break_glass": [],
        "vendor_access": "both",
        "alias": "alias/northwind-ekm",
        "current": 1,
        "revoked": False,
        "generations": [{"number": 1}],
    }
    return json.dumps(document | changes)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder, tools = tmp_path / "change", tmp_path / "tools"
    folder.mkdir()
    (tools / "private").mkdir(parents=True)
    (tools / "terraform").write_text(TERRAFORM, encoding="utf-8")
    (tools / "terraform").chmod(0o755)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "ekm.yaml").write_text(_declaration(), encoding="utf-8")
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "--message=base")
    return Checkout(folder, _git(folder, "rev-parse", "HEAD"), tools)


def _harmless() -> PlanBuilder:
    return PlanBuilder().add(KEY, 1)


def _alias_removed() -> PlanBuilder:
    return PlanBuilder().add(KEY, 1).add(ALIAS, 1, ("delete",))


WAIVERS = """\
version: 1
at_most_days: 365
waivers:
  - rule: alias-removed
    address: aws_kms_alias.current
    reason: replaced by hand, ticket 12
    owner: Ada
    until: "%s"
"""


def test_it_plans_reviews_and_leaves_every_report(checkout: Checkout) -> None:
    done = checkout.review(_harmless(), KEYTURN_DIRECTORY="infra")
    assert done.returncode == 0, done.stderr
    assert checkout.verdict == "0"
    assert done.stdout.startswith("PASS  terraform-plan.json: ")
    names = {path.name for path in checkout.reports.iterdir()}
    assert names == {"report.md", "report.json", "report.sarif", "junit.xml", "code-quality.json", "exit-code"}
    assert (checkout.reports / "report.md").read_text(encoding="utf-8").startswith(MARKER)
    asked = (checkout.tools / "log").read_text(encoding="utf-8").splitlines()
    assert [line.split()[1] for line in asked] == ["init", "plan", "show"]
    assert all(f"-chdir={checkout.folder}/infra " in line for line in asked)
    assert "-input=false" in asked[1]


def test_of_a_stack_only_what_is_synthesised_is_planned(checkout: Checkout) -> None:
    stack = checkout.folder / "cdktf.out" / "stacks" / "northwind"
    stack.mkdir(parents=True)
    (stack / "more.tf").write_text('data "external" "any" { program = ["any-command"] }', encoding="utf-8")
    done = checkout.review(_harmless(), KEYTURN_STACK="northwind")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in stack.iterdir()] == ["cdk.tf.json"]
    # Of another tenant's declaration nothing is left under this name that could be planned.
    checkout.write("ekm.yaml", _declaration(tenant="contoso", alias="alias/contoso-ekm"))
    checkout.review(_harmless(), KEYTURN_STACK="northwind")
    assert not stack.exists()


def test_nothing_of_the_plan_is_left_behind(checkout: Checkout) -> None:
    checkout.review(_alias_removed())
    assert list((checkout.tools / "private").iterdir()) == []
    assert _git(checkout.folder, "worktree", "list").count("\n") == 0
    assert all("CANARY" not in path.read_text(encoding="utf-8") for path in checkout.reports.iterdir())


def test_a_dangerous_plan_is_told_and_left_to_the_verdict(checkout: Checkout) -> None:
    done = checkout.review(PlanBuilder().add(KEY, 1, ("delete",)))
    assert done.returncode == 0, done.stderr
    assert checkout.verdict == "1"
    assert checkout.blocking == {"generation-destroyed"}


def test_a_change_that_brings_its_own_judge_is_judged_by_the_target_branch(checkout: Checkout) -> None:
    account = {"account_id": OTHER, "activated": True}
    checkout.write(
        "ekm.yaml", _declaration(druva=account, retention_days=7, break_glass=[f"arn:aws:iam::{CUSTOMER}:role/M"])
    )
    checkout.write("waivers.yaml", WAIVERS % "2030-01-01")
    plan = PlanBuilder().add(KEY, 1, ("update",), after={"policy": POLICIES["another account instead"]})
    done = checkout.review(plan, KEYTURN_WAIVERS="waivers.yaml")
    assert done.returncode == 0, done.stderr
    assert checkout.verdict == "1"
    assert "the target branch has no waivers.yaml" in done.stderr
    assert checkout.blocking >= {
        "declared-vendor-changed",
        "declared-retention-shortened",
        "declared-break-glass-added",
        "vendor-access-lost",
    }


def test_the_target_branchs_waivers_count_and_the_changes_do_not(checkout: Checkout) -> None:
    until = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    checkout.write("waivers.yaml", WAIVERS % until)
    assert checkout.review(_alias_removed(), KEYTURN_WAIVERS="waivers.yaml").returncode == 0
    assert checkout.verdict == "1"
    _git(checkout.folder, "add", ".")
    _git(checkout.folder, "commit", "--quiet", "--message=waivers")
    merged = _git(checkout.folder, "rev-parse", "HEAD")
    (checkout.folder / "waivers.yaml").unlink()
    done = checkout.review(_alias_removed(), KEYTURN_WAIVERS="waivers.yaml", KEYTURN_BASE_COMMIT=merged)
    assert done.returncode == 0, done.stderr
    assert checkout.verdict == "0"


def test_a_ref_is_asked_of_the_server_and_not_of_the_checkout(checkout: Checkout, tmp_path: Path) -> None:
    server = tmp_path / "server.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", checkout.folder, server], check=True)
    _git(checkout.folder, "remote", "add", "origin", str(server))
    weaker = _declaration(retention_days=7)
    checkout.write("ekm.yaml", weaker)
    _git(checkout.folder, "commit", "--quiet", "--all", "--message=weaker")  # moves the checkout's own refs/heads/main
    done = checkout.review(_harmless(), KEYTURN_BASE_COMMIT="refs/heads/main")
    assert done.returncode == 0, done.stderr
    assert checkout.blocking == {"declared-retention-shortened"}


@pytest.mark.parametrize(
    "environment",
    [
        {"KEYTURN_BASE_COMMIT": ""},
        {"KEYTURN_BASE_COMMIT": "0" * 40},
        {"KEYTURN_TERRAFORM": "false"},
        {"KEYTURN_EVIDENCE": "missing.json"},
        {"KEYTURN_FILE": "missing.yaml"},
    ],
    ids=["no base", "a base that is not there", "a plan that fails", "evidence that is missing", "no declaration"],
)
def test_what_cannot_be_judged_ends_without_a_verdict(checkout: Checkout, environment: Mapping[str, str]) -> None:
    checkout.reports.mkdir()
    (checkout.reports / "exit-code").write_text("0\n", encoding="utf-8")  # of an earlier run
    done = checkout.review(_harmless(), **environment)
    assert done.returncode != 0
    assert not (checkout.reports / "exit-code").exists()
    assert list((checkout.tools / "private").iterdir()) == []


def asked(checkout: Checkout) -> list[str]:
    """What Terraform was asked, in order."""
    lines = (checkout.tools / "log").read_text(encoding="utf-8").splitlines()
    return [next(word for word in line.split() if not word.startswith("-")) for line in lines]


def test_a_deploy_applies_the_very_plan_that_passed(checkout: Checkout) -> None:
    done = checkout.review(_harmless(), script="deploy.sh", KEYTURN_STACK="northwind")
    assert done.returncode == 0, done.stderr
    assert asked(checkout) == ["init", "plan", "show", "apply"]
    stack = checkout.folder / "cdktf.out" / "stacks" / "northwind"
    assert "aws_kms_key" in json.loads((stack / "cdk.tf.json").read_text(encoding="utf-8"))["resource"]
    apply = (checkout.tools / "log").read_text(encoding="utf-8").splitlines()[-1]
    assert f"-chdir={checkout.folder}/cdktf.out/stacks/northwind apply -input=false" in apply
    assert apply.endswith("/plan")
    assert list((checkout.tools / "private").iterdir()) == []


def test_a_deploy_of_a_plan_that_is_blocked_applies_nothing(checkout: Checkout) -> None:
    done = checkout.review(_alias_removed(), script="deploy.sh", KEYTURN_STACK="northwind")
    assert done.returncode == 1
    assert "the plan is blocked; nothing was changed" in done.stderr
    assert "apply" not in asked(checkout)
    assert list((checkout.tools / "private").iterdir()) == []


@pytest.mark.parametrize(
    "environment",
    [{"KEYTURN_STACK": ""}, {"KEYTURN_BASE_COMMIT": ""}, {"KEYTURN_EVIDENCE": "missing.json"}],
    ids=["no stack", "no base", "evidence that is missing"],
)
def test_a_deploy_that_cannot_be_judged_applies_nothing(checkout: Checkout, environment: Mapping[str, str]) -> None:
    done = checkout.review(_harmless(), script="deploy.sh", **{"KEYTURN_STACK": "northwind", **environment})
    assert done.returncode != 0
    assert not (checkout.tools / "log").exists() or "apply" not in asked(checkout)


def test_a_plan_from_elsewhere_is_never_applied(checkout: Checkout) -> None:
    foreign = checkout.tools / "foreign.json"
    foreign.write_bytes(_harmless().data())
    done = checkout.review(_alias_removed(), script="deploy.sh", KEYTURN_STACK="northwind", KEYTURN_PLAN=str(foreign))
    assert done.returncode == 1
    assert "apply" not in asked(checkout)


def test_the_repositorys_lock_file_locks_the_synthesised_stack(checkout: Checkout) -> None:
    checkout.write(".terraform.lock.hcl", "# locked")
    done = checkout.review(_harmless(), KEYTURN_STACK="northwind")
    assert done.returncode == 0, done.stderr
    stack = checkout.folder / "cdktf.out" / "stacks" / "northwind"
    assert (stack / ".terraform.lock.hcl").read_text(encoding="utf-8") == "# locked"
    assert "-lockfile=readonly" in (checkout.tools / "log").read_text(encoding="utf-8").splitlines()[0]


def test_the_action_takes_no_words_of_a_change_into_a_shell() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert action["runs"]["using"] == "composite"
    steps = action["runs"]["steps"]
    assert all("uses" not in step and step["shell"] == "sh" for step in steps)
    assert all("${{" not in step["run"] for step in steps)
    (review,) = [step for step in steps if step.get("id") == "review"]
    assert "pull_request.base.sha" in action["inputs"]["base-commit"]["default"]
    assert review["env"]["KEYTURN_BASE_COMMIT"] == "${{ inputs.base-commit }}"
    assert steps[-1]["if"] == "always()"


def test_the_actions_steps_do_what_they_say(checkout: Checkout) -> None:
    """The review's and the verdict's own text, run by sh as GitHub's runner does."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    by_name = {step["name"]: step["run"] for step in action["runs"]["steps"]}
    checkout.review(PlanBuilder().add(KEY, 1, ("delete",)))
    plan = checkout.tools / "terraform-plan.json"
    plan.write_bytes(PlanBuilder().add(KEY, 1, ("delete",)).data())
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_OUTPUT": str(checkout.tools / "output"),
        "GITHUB_STEP_SUMMARY": str(checkout.tools / "summary"),
        "RUNNER_TEMP": str(checkout.tools),
        "KEYTURN_REPOSITORY": str(checkout.folder),
        "KEYTURN_REPORTS": str(checkout.tools / "keyturn-reports"),
        "KEYTURN_BASE_COMMIT": checkout.base,
        "KEYTURN_PLAN": str(plan),
    }

    def step(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-e", "-c", by_name[name]], env=environment, capture_output=True, text=True, check=False
        )

    done = step("Plan and review")
    assert done.returncode == 0, done.stderr
    assert "::error file=terraform-plan.json" in done.stdout
    assert "verdict=block" in (checkout.tools / "output").read_text(encoding="utf-8")
    assert (checkout.tools / "summary").read_text(encoding="utf-8").startswith(MARKER)
    assert step("Verdict").returncode == 1
    (checkout.tools / "keyturn-reports" / "exit-code").unlink()
    assert step("Verdict").returncode != 0


def test_the_gitlab_include_takes_nothing_that_is_not_pinned() -> None:
    header, job = yaml.safe_load_all((ROOT / "pipelines" / "gitlab.yml").read_text(encoding="utf-8"))
    inputs = header["spec"]["inputs"]
    assert re.fullmatch(inputs["image"]["regex"], "registry.example/image@sha256:" + "0" * 64)
    assert not re.fullmatch(inputs["image"]["regex"], "registry.example/image:latest")
    assert re.fullmatch(inputs["keyturn-commit"]["regex"], "0" * 40)
    assert not re.fullmatch(inputs["keyturn-commit"]["regex"], "main")
    review = job["keyturn-review"]
    assert review["variables"]["KEYTURN_BASE_COMMIT"] == "refs/heads/$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"
    assert all("$[[" not in line for line in review["script"])
    assert "plan" not in " ".join(review["artifacts"]["paths"])
    for line in review["script"]:
        subprocess.run(["sh", "-n", "-c", line], check=True)


def test_the_documented_workflow_is_pinned_and_has_the_least_permissions() -> None:
    text = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
    github, gitlab = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL))
    assert github["permissions"] == {}
    job = github["jobs"]["review"]
    assert job["permissions"] == {"contents": "read", "id-token": "write", "pull-requests": "write"}
    assert all(re.search(r"@[0-9a-f]{40}$", step["uses"]) for step in job["steps"])
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert set(job["steps"][-1]["with"]) <= set(action["inputs"])
    header, _ = yaml.safe_load_all((ROOT / "pipelines" / "gitlab.yml").read_text(encoding="utf-8"))
    inputs = gitlab["include"][0]["inputs"]
    assert set(inputs) <= set(header["spec"]["inputs"])
    for name in ("image", "keyturn-commit", "keyturn-repository"):
        assert re.match(header["spec"]["inputs"][name]["regex"], inputs[name])
