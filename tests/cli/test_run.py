"""`keyturn run`: every workflow of the catalogue as a person runs it, with the key and after its revocation."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.catalogue import APPLICATIONS, LEGAL_HOLD_DOWNLOAD, Delivery, Product, WorkflowKind, workflows_of
from engine.catalogue.page import command_line
from tests.cli.conftest import VENDOR

if TYPE_CHECKING:
    from engine.catalogue import Workflow
    from tests.cli.conftest import Ended, Repository

_NEEDS_SOURCE = {WorkflowKind.DISCOVERY, WorkflowKind.CONFIGURATION, WorkflowKind.BACKUP}


@pytest.fixture
def tenant(repository: Repository) -> tuple[Repository, str]:
    """An enabled tenant, with a source that has one workload of each application; and the key's ARN."""
    for application in APPLICATIONS:
        folder = repository.folder / "source" / application.name / "one"
        folder.mkdir(parents=True)
        name, content = ("1.eml", "Subject: one\n\ntext\n") if application.mail else ("one.json", "{}")
        (folder / name).write_text(content)
    return repository, repository.enabled()


def run_workflow(repository: Repository, workflow: Workflow, *more: str) -> Ended:
    """Run a workflow by the command that the documentation gives for it."""
    _, *words = shlex.split(command_line(workflow))
    if workflow.kind in _NEEDS_SOURCE:
        words += ["--source", "source"]
    elif workflow.delivery is Delivery.LINK:
        words += ["--valid-for", "1"]
    elif "--in-place" not in words:
        words += ["--to", f"out/{workflow.variant}"]
    return repository.keyturn(*words, "--product", workflow.product.value, *VENDOR, *more)


@pytest.mark.requirement("EKM-37")
@pytest.mark.requirement("EKM-38")
@pytest.mark.requirement("EKM-39")
@pytest.mark.requirement("EKM-42")
@pytest.mark.requirement("EKM-43")
@pytest.mark.requirement("EKM-51")
@pytest.mark.parametrize("product", Product)
def test_every_workflow_of_a_product_runs_and_after_a_revocation_exactly_those_fail_that_use_the_key(
    tenant: tuple[Repository, str], product: Product
) -> None:
    repository, key_arn = tenant
    workflows = workflows_of((product,))
    held = any(workflow.variant == LEGAL_HOLD_DOWNLOAD for workflow in workflows)
    label = next(app.name for app in APPLICATIONS if app.product is product) + "/one"
    hold = ("--legal-hold", label) if held else ()
    first = repository.keyturn("run", "backup", "--source", "source", "--product", product.value, *hold, *VENDOR)
    assert first.exit_code == 0, first.err

    def outcomes() -> dict[str, int]:
        return {workflow.title: run_workflow(repository, workflow).exit_code for workflow in workflows}

    # A link that nobody uses ends with its time, and is then no success.
    unused = {workflow.title: 1 if workflow.delivery is Delivery.LINK else 0 for workflow in workflows}
    assert outcomes() == unused
    repository.customer.kms.disable_key(KeyId=key_arn)
    expected = {workflow.title: 4 if workflow.uses_customer_key else 0 for workflow in workflows}
    assert outcomes() == expected
    repository.customer.kms.enable_key(KeyId=key_arn)
    assert outcomes() == unused


@pytest.mark.requirement("EKM-50")
@pytest.mark.parametrize(
    "arguments",
    [
        ("backup", "--trigger", "bulk", "--source", "source"),
        ("discovery", "--source", "source"),
        ("configuration", "--source", "source"),
        ("restore", "--to", "out"),
        ("restore",),
        ("download", "--kind", "PST URL download"),
        ("download", "--legal-hold", "--to", "out"),
    ],
)
def test_what_is_no_workflow_of_entra_id_is_refused_as_such_whatever_the_key_is(
    tenant: tuple[Repository, str], arguments: tuple[str, ...]
) -> None:
    repository, key_arn = tenant
    repository.customer.kms.disable_key(KeyId=key_arn)
    before = repository.ledger_state()
    ended = repository.keyturn("run", *arguments, "--product", "entra_id", *VENDOR)
    assert ended.exit_code == 3
    assert "is not a workflow of Microsoft Entra ID" in ended.err
    assert "Microsoft Entra ID has:" in ended.err
    assert repository.ledger_state() == before


def test_a_link_is_printed_and_a_mailbox_download_says_that_pst_cannot_be_written(
    tenant: tuple[Repository, str],
) -> None:
    repository, _ = tenant
    assert repository.keyturn("run", "backup", "--source", "source", *VENDOR).exit_code == 0
    link = ("--kind", "PST URL download", "--workload", "exchange_online/one", "--valid-for", "1")
    ended = repository.keyturn("run", "download", *link, *VENDOR)
    assert "http://127.0.0.1:" in ended.out
    assert "ended before anybody had downloaded" in ended.err
    mailboxes = ("--kind", "PST and mBox download", "--to", "out")
    ended = repository.keyturn("run", "download", *mailboxes, "--json", *VENDOR)
    assert [result["workload"] for result in ended.document["results"]] == [
        *("exchange_online/one", "groups/one", "public_folder/one")
    ]
    assert "PST is a proprietary format" in ended.document["notes"][0]
    assert (repository.folder / "out/exchange_online/one.mbox").read_text().startswith("From MAILER-DAEMON ")


def test_snapshots_are_listed_without_a_key_and_restored_by_what_is_listed(tenant: tuple[Repository, str]) -> None:
    repository, key_arn = tenant
    assert repository.keyturn("run", "snapshots", "--json").document == []
    for content in ("first", "second"):
        (repository.folder / "source/onedrive/one/one.json").write_text(content)
        assert repository.keyturn("run", "backup", "--source", "source", *VENDOR).exit_code == 0
    repository.customer.kms.disable_key(KeyId=key_arn)
    listed = repository.keyturn("run", "snapshots", "--json")
    assert listed.exit_code == 0
    assert len(listed.document) == 6
    (one,) = repository.keyturn("run", "snapshots", "--workload", "onedrive/one", "--json").document
    assert [snapshot["number"] for snapshot in one["snapshots"]] == [1, 2]
    assert one["key_arn"] == key_arn
    assert "onedrive/one" in repository.keyturn("run", "snapshots").out
    assert one["snapshots"][0]["id"] in repository.keyturn("run", "snapshots", "--workload", "onedrive/one").out
    assert repository.keyturn("run", "snapshots", "--workload", "onedrive/two").exit_code == 3
    repository.customer.kms.enable_key(KeyId=key_arn)
    chosen = ("--workload", "onedrive/one", "--snapshot", one["snapshots"][0]["id"])
    assert repository.keyturn("run", "restore", "--to", "out", *chosen, *VENDOR).exit_code == 0
    assert (repository.folder / "out/onedrive/one/one.json").read_text() == "first"


def test_a_discovery_shows_what_it_found(tenant: tuple[Repository, str]) -> None:
    repository, _ = tenant
    ended = repository.keyturn("run", "discovery", "--source", "source", "--application", "teams", *VENDOR)
    assert ended.exit_code == 0
    assert "found teams/one" in ended.out
    assert "sharepoint" not in ended.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("download",), "'--to'"),
        (("restore",), "'--to'"),
        (("download", "--kind", "PST URL download", "--to", "out"), "leave --to out"),
        (("download", "--kind", "restore download", "--legal-hold", "--to", "out"), "takes no --kind"),
        (("discovery", "--source", ".", "--workload", "teams/one"), "no --workload"),
    ],
)
def test_options_that_do_not_go_together_are_a_mistake_of_usage(
    repository: Repository, arguments: tuple[str, ...], told: str
) -> None:
    ended = repository.keyturn("run", *arguments)
    assert ended.exit_code == 2
    assert told in ended.err


def test_without_a_terminal_progress_comes_in_lines_with_rate_and_time_left(
    tenant: tuple[Repository, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, _ = tenant
    monkeypatch.setattr("cli.progress._PLAIN_SECONDS", 0.0)
    ended = repository.keyturn("run", "backup", "--source", "source", *VENDOR)
    assert ended.exit_code == 0
    assert "MB/s, 0:00:00 left" in ended.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_job_that_is_asked_to_end_does_so_at_once_and_is_told_as_canceled(
    tenant: tuple[Repository, str], number: int, code: int
) -> None:
    repository, _ = tenant
    assert repository.keyturn("run", "backup", "--source", "source", *VENDOR).exit_code == 0
    kind = ("--kind", "PST URL download", "--workload", "exchange_online/one")
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "run", "download", *kind, *VENDOR],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    try:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=180)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, "Traceback" in out + err) == (code, False)
    assert repository.keyturn("jobs", "--last", "1", "--json").document[0]["status"] == "Canceled"


def test_verify_reads_the_vault_names_what_is_damaged_and_the_rest_is_restored(
    tenant: tuple[Repository, str],
) -> None:
    repository, key_arn = tenant
    backup = ("run", "backup", "--source", "source", *VENDOR)
    assert repository.keyturn(*backup).exit_code == 0
    assert "nothing damaged or missing" in repository.keyturn("verify", "--vault", *VENDOR).out
    (one,) = repository.keyturn("run", "snapshots", "--workload", "onedrive/one", "--json").document
    snapshot = one["snapshots"][0]["id"]
    (pack,) = (repository.folder / ".keyturn/vault/data").glob(f"*/{snapshot}/pack-000001")
    data = bytearray(pack.read_bytes())
    data[-1] ^= 1
    pack.write_bytes(data)
    ended = repository.keyturn("verify", "--vault", *VENDOR)
    assert ended.exit_code == 5
    assert f"onedrive/one: {snapshot} one.json: " in ended.err
    document = repository.keyturn("verify", "--vault", "--json", *VENDOR).document
    assert [found["workload"] for found in document["vault"]["workloads"] if found["damage"]] == ["onedrive/one"]
    assert repository.keyturn("verify").exit_code == 0, "the ledger is whole"
    restored = repository.keyturn("run", "restore", "--to", "out", *VENDOR)
    assert restored.exit_code == 5
    assert "workloads done, but for 1 file that could not be restored: " in restored.out.splitlines()[-1]
    assert not (repository.folder / "out/onedrive/one/one.json").exists()
    assert (repository.folder / "out/teams/one/one.json").read_text() == "{}"
    repository.customer.kms.disable_key(KeyId=key_arn)
    assert repository.keyturn("verify", "--vault", *VENDOR).exit_code == 4
    repository.customer.kms.enable_key(KeyId=key_arn)


def test_a_ledger_that_was_backed_up_with_its_repository_is_never_brought_back_over_todays(
    tenant: tuple[Repository, str],
) -> None:
    repository, _ = tenant
    backup = ("run", "backup", "--source", ".", *VENDOR)
    assert repository.keyturn(*backup, "--workload", "files/.keyturn").exit_code == 0
    assert repository.keyturn(*backup, "--workload", "files/source").exit_code == 0
    events = (repository.folder / ".keyturn" / "events.jsonl").read_bytes()
    before = repository.ledger_state()
    restored = repository.keyturn(
        "run", "restore", "--in-place", "--overwrite", "--workload", "files/.keyturn", *VENDOR
    )
    assert restored.exit_code == 0, restored.err
    assert "ledger.db is not restored: vault, ledger and declaration stay as they are" in restored.err
    assert repository.ledger_state() == before
    assert (repository.folder / ".keyturn" / "events.jsonl").read_bytes().startswith(events)
    assert repository.keyturn("run", "restore", "--to", "out", "--workload", "files/source", *VENDOR).exit_code == 0


def test_a_declaration_that_was_backed_up_is_never_brought_back_over_todays(tenant: tuple[Repository, str]) -> None:
    repository, _ = tenant
    backup = ("run", "backup", "--source", ".", "--workload", "files/.", *VENDOR)
    assert repository.keyturn(*backup).exit_code == 0
    declaration = repository.folder / "ekm.yaml"
    declaration.write_text(declaration.read_text() + "\n# today's\n")
    restored = repository.keyturn("run", "restore", "--in-place", "--overwrite", "--workload", "files/.", *VENDOR)
    assert restored.exit_code == 0, restored.err
    assert "ekm.yaml is not restored: vault, ledger and declaration stay as they are" in restored.err
    assert declaration.read_text().endswith("# today's\n")


def test_a_declaration_and_a_ledger_behind_links_are_never_brought_back_over_todays(
    tenant: tuple[Repository, str],
) -> None:
    repository, _ = tenant
    folder = repository.folder
    (folder / "real").mkdir()
    (folder / "ekm.yaml").rename(folder / "real" / "own.yaml")
    (folder / "ekm.yaml").symlink_to("real/own.yaml")
    with closing(sqlite3.connect(folder / ".keyturn" / "ledger.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(folder / "real" / "own.db"),))
    (folder / ".keyturn" / "ledger.db").unlink()
    (folder / ".keyturn" / "ledger.db").symlink_to("../real/own.db")
    workload = ("--workload", "files/real", *VENDOR)
    assert repository.keyturn("run", "backup", "--source", ".", *workload).exit_code == 0
    declaration = folder / "real" / "own.yaml"
    declaration.write_text(declaration.read_text() + "\n# today's\n")
    before = repository.ledger_state()
    restored = repository.keyturn("run", "restore", "--in-place", "--overwrite", *workload)
    assert restored.exit_code == 0, restored.err
    assert "own.yaml is not restored" in restored.err
    assert "own.db is not restored" in restored.err
    assert declaration.read_text().endswith("# today's\n")
    assert repository.ledger_state() == before
