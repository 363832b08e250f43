"""The story of the demonstration: a tenant's key from its first deploy to a revocation, on real parts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from cli.demonstration.backups import VENDOR as VENDOR_PROFILE
from cli.demonstration.backups import Backups
from cli.demonstration.compare import count_files, differences, plaintext_found
from cli.demonstration.infrastructure import (
    CUSTOMER,
    REGION,
    TERMS,
    VENDOR,
    add_terraform,
    declare,
    deploy,
    find_cdktf,
    plan,
    require_tools,
    synthesise,
    take_out,
    write_repository,
)
from cli.demonstration.stage import Stage
from engine.catalogue import Product
from engine.errors import ExitCode, InputError
from engine.jobs.sample_tenant import TenantSize, make_sample_tenant
from engine.jobs.workloads import find_workloads
from engine.sandbox import Identity, Sandbox, SandboxSettings, require_sandbox, scrubbed_environment

_LATE = TenantSize(
    users=1,
    mails=12,
    documents=0,
    sites=0,
    teams=0,
    groups=0,
    public_folders=0,
    google_users=0,
    team_drives=0,
    directory_users=0,
)


def tell_story(source: Path | None, keep: Path | None) -> ExitCode:
    """Show the main job.

    Args:
        source: The user's own folder to back up, or None for a made-up tenant.
        keep: A new folder to work in and to keep, or None.

    Raises:
        InputError: The folder to back up is not there, or the one to keep is.
        MachineError: Something that the demonstration needs is missing.
        ExpectationError: Something did not come out as it must.
    """
    require_tools()
    cdktf = find_cdktf()
    if source is not None and not source.is_dir():
        raise InputError(f"there is no folder {str(source)!r} to back up")
    if keep is not None and keep.exists():
        raise InputError(f"{str(keep)!r} exists already", "name a new folder")
    if keep is not None and source is not None and keep.resolve().is_relative_to(source.resolve()):
        raise InputError(f"{str(keep)!r} lies in the folder to back up", "name a folder apart from it")
    with ExitStack() as stack:
        folder = keep.resolve() if keep is not None else Path(tempfile.mkdtemp(prefix="keyturn-demo-"))
        if keep is None:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        settings = SandboxSettings(customer_account_id=CUSTOMER, vendor_account_id=VENDOR, region=REGION)
        sandbox = stack.enter_context(Sandbox.start(settings))
        require_sandbox(sandbox.endpoint_url, sandbox.nonce)
        repository = folder / "repository"
        write_repository(repository)
        environment = add_terraform(scrubbed_environment(os.environ), folder / "terraform")
        environment.pop("KEYTURN_DECLARATION", None)
        environment |= sandbox.environment(Identity.CUSTOMER) | {"NO_PROXY": "127.0.0.1"}
        stage = Stage(repository, environment)
        _Story(stage, cdktf, folder, source).tell()
    return ExitCode.DONE


class _Story:
    def __init__(self, stage: Stage, cdktf: Path, folder: Path, source: Path | None) -> None:
        self._stage = stage
        self._cdktf = cdktf
        self._folder = folder
        if source is None:
            make_sample_tenant(folder / "tenant")
        self._backups = Backups(stage, folder / "tenant" if source is None else source.resolve())

    def tell(self) -> None:
        click.echo(click.style("Keyturn: your own key for Druva's backups, on a sandbox on this machine", bold=True))
        first = self._provision()
        self._enable(first)
        self._back_up()
        second = self._second_generation()
        self._rotate(first, second)
        self._restore()
        self._block_the_dangerous_plan()
        self._revoke(second)
        self._reinstate()
        self._stage.summary()

    def _provision(self) -> str:
        stage = self._stage
        stage.chapter("A key in your own AWS account, provisioned as code")
        declare(stage.folder, {1: "active"}, current=1)
        stage.keyturn("check", show=["ekm.yaml: valid"])
        key_arn = deploy(stage, self._cdktf)["generation_1_key_arn"]
        stage.say(f"generation 1 is {key_arn}")
        status = stage.ask("status")
        stage.expect(status["alias"]["arn"] == key_arn, "the alias points to the key that was deployed", "EKM-21")
        return key_arn

    def _enable(self, key_arn: str) -> None:
        stage = self._stage
        stage.chapter("Enterprise Key Management, enabled")
        stage.keyturn("enable", "--key-arn", key_arn, *VENDOR_PROFILE, expect=1, show=["error:"])
        stage.expect(self._mode() == "Disabled", "without agreeing to the legal terms nothing is enabled", "EKM-26")
        digest = hashlib.sha256(TERMS.encode()).hexdigest()
        agreement = ("--terms", "terms.txt", "--agree-terms", digest, "--agreed-by", "Ada Lovelace")
        enabled = stage.keyturn("enable", "--key-arn", key_arn, *agreement, *VENDOR_PROFILE, show=["ok", "enabled"])
        stage.expect(
            "wrapped and unwrapped as the vendor" in enabled.stderr, "the vendor really can use the key", "EKM-23"
        )
        stage.keyturn("confirm", "1", "--key-arn", key_arn, "--by", "Ada Lovelace", show=["generation"])
        stage.expect(self._mode() == "Enabled", "External Cloud Key Management: Enabled", "EKM-27")

    def _back_up(self) -> None:
        stage = self._stage
        stage.chapter("A backup under your key")
        files, size = count_files(self._backups.source)
        stage.say(f"the tenant: {files} files, {size / 1_000_000:.0f} MB")
        self._backups.back_up(legal_hold=True)
        under = self._generation(1)["data_keys"]
        stage.expect(under == self._backups.count, f"{under} workloads, each under a data key of its own", "EKM-41")
        labels = [workload.label for workload in find_workloads(self._backups.source)]
        seen = plaintext_found(self._backups.source, stage.folder / ".keyturn" / "vault", labels)
        stage.expect(not seen, "no file's name or content can be read in the vault", "EKM-02")

    def _second_generation(self) -> str:
        stage = self._stage
        stage.chapter("A second key, reviewed before it is deployed")
        shutil.copy(stage.folder / "ekm.yaml", stage.folder / "base.yaml")
        declare(stage.folder, {1: "active", 2: "active"}, current=1)
        stage.keyturn("check", "--against", "base.yaml", show=["ekm.yaml: valid"])
        synthesise(stage, self._cdktf)
        reviewed = plan(stage, "second")
        stage.keyturn("review", reviewed.name, "--base-declaration", "base.yaml", show=["PASS"])
        stage.expect(True, "the plan that adds generation 2 passes the review", "EKM-29")
        key_arn = deploy(stage, self._cdktf)["generation_2_key_arn"]
        stage.say(f"generation 2 is {key_arn}")
        return key_arn

    def _rotate(self, first: str, second: str) -> None:
        stage = self._stage
        stage.chapter("The rotation, without interruption")
        stage.keyturn("rotate", "--to", "2", "--key-arn", first, *VENDOR_PROFILE, expect=1, show=["error:"])
        stage.expect(self._current() == first, "a key that was used before is refused, and the old one stays", "EKM-31")
        stage.keyturn("rotate", "--to", "2", "--key-arn", second, *VENDOR_PROFILE, show=["new data keys", "next"])
        stage.keyturn("retire", "1", expect=1, show=["error:"])
        stage.expect(self._generation(1)["ledger"] == "retained", "the old key is not let go too early", "EKM-33")
        stage.keyturn("confirm", "2", "--key-arn", second, "--by", "Ada Lovelace", show=["generation"])
        stage.expect(
            self._generation(1)["data_keys"] == 0 and self._generation(2)["data_keys"] > 0,
            "every data key has moved to generation 2, and each is proved to open there",
            "EKM-33",
        )

    def _restore(self) -> None:
        stage = self._stage
        stage.chapter("Everything comes back, byte for byte")
        later, label = self._folder / "later", "exchange_online/late.arrival"
        make_sample_tenant(self._folder / "made", _LATE, seed=7)
        (made,) = (self._folder / "made" / "exchange_online").iterdir()
        (later / "exchange_online").mkdir(parents=True)
        made.rename(later / label)
        added = Backups(stage, later)
        added.back_up()
        stage.expect(
            not self._backups.restore(self._folder / "restored"),
            "what was stored before the rotation is restored",
            "EKM-35",
        )
        stage.expect(not added.restore(self._folder / "restored-later"), "what was stored after it, too", "EKM-35")

    def _block_the_dangerous_plan(self) -> None:
        stage = self._stage
        stage.chapter("A pull request that would delete generation 1")
        shutil.copy(stage.folder / "ekm.yaml", stage.folder / "base.yaml")
        declare(stage.folder, {1: "deleted", 2: "active"}, current=2)
        refused = synthesise(stage, self._cdktf, expect=1)
        reasons = (line[line.index("error:") :] for line in refused.lines() if "error: ekm.yaml" in line)
        for reason in dict.fromkeys(reasons):  # CDKTF's command line tells them twice
            stage.say(reason)
        stage.expect(
            any("generation 1 is declared deleted, and no evidence" in line for line in refused.lines()),
            "the stacks do not even write it: nothing proves that the key may go",
            "EKM-34",
        )
        stage.say("somebody edits the stack by hand, around every guard")
        take_out(stage.folder, 1)
        dangerous = plan(stage, "dangerous")
        text = stage.keyturn("review", dangerous.name, "--base-declaration", "base.yaml", expect=1)
        for line in text.stdout.splitlines():
            stage.say(line)
        judged = stage.keyturn("review", dangerous.name, "--base-declaration", "base.yaml", "--json", expect=1)
        report = json.loads(judged.stdout)
        stage.expect(report["verdict"] == "block", "the plan is blocked", "EKM-33")
        effects = {(entry["workflow"], entry["variant"]) for entry in report["impact"]}
        stage.expect(bool(effects), f"the review names the {len(effects)} workflows that would break", "EKM-41")
        stage.expect(
            not any("legal hold" in variant for _, variant in effects), "legal hold is not among them", "EKM-43"
        )
        shutil.copy(stage.folder / "base.yaml", stage.folder / "ekm.yaml")

    def _revoke(self, key_arn: str) -> None:
        stage = self._stage
        stage.chapter("You revoke the key")
        stage.keyturn("revoke", "--yes", "--by", "Ada Lovelace", show=["workflows", "disabled", "revoked"])
        stage.say(f"{key_arn} is disabled in AWS KMS")
        failed = stage.keyturn("run", "backup", "--source", str(self._backups.source), *VENDOR_PROFILE, expect=4)
        stage.say(next((line for line in failed.stderr.splitlines() if line.startswith("error:")), ""))
        stage.expect("revoked" in failed.stderr, "the next backup fails, and says that the key is revoked", "EKM-46")
        nothing = self._folder / "refused"
        stage.keyturn("run", "restore", "--to", str(nothing), *VENDOR_PROFILE, expect=4)
        stage.expect(count_files(nothing)[0] == 0, "a restore fails and writes nothing", "EKM-10")
        held = self._backups.held
        if held is None:
            stage.say("nothing in this folder is of a product that has legal hold")
            return
        to, product = self._folder / "held", held.product or Product.MICROSOFT_365
        hold = ("--legal-hold", "--workload", held.label, "--product", product.value)
        stage.keyturn("run", "download", *hold, "--to", str(to), *VENDOR_PROFILE, show=[held.label])
        folder = Path(*held.folder)
        stage.expect(
            count_files(to)[0] > 0 and (held.loose or not differences(self._backups.source / folder, to / folder)),
            "the legal hold download does not fail, byte for byte",
            "EKM-43",
        )

    def _reinstate(self) -> None:
        stage = self._stage
        stage.chapter("You give it back")
        stage.keyturn("reinstate", "--yes", "--by", "Ada Lovelace", show=["given back", "reinstated"])
        self._backups.back_up()
        stage.expect(not self._backups.restore(self._folder / "again"), "backups and restores work again", "EKM-09")
        stage.keyturn("history", show=["enabled", "rotation", "integrated"])

    def _mode(self) -> str:
        return str(self._stage.ask("status", "--offline")["external_cloud_key_management"])

    def _current(self) -> str:
        return str(self._stage.ask("status", "--offline")["key_arn"])

    def _generation(self, number: int) -> dict[str, Any]:
        generations = self._stage.ask("status", "--offline")["generations"]
        return next(generation for generation in generations if generation["number"] == number)
