"""Whatever is done to the objects of a vault, in a folder or in a bucket, is found, named, and harms nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from engine.errors import DamagedError, ExitCode
from engine.jobs.report import ProblemKind
from engine.jobs.verification import verify_vault
from tests.engine.jobs.world import only, succeeded

if TYPE_CHECKING:
    from tests.engine.jobs.raw_objects import RawObjects
    from tests.engine.jobs.world import World


@dataclass
class Vault:
    """Anna has two snapshots, the second refers to content of the first; Bob has one."""

    world: World
    objects: RawObjects

    def name(self, workload: str, number: int, what: str) -> str:
        """The full name of an object of a snapshot: `pack-000001`, `manifest`, or `commit`."""
        key = self.world.record(f"onedrive/{workload}").data_key_id
        begins = f"snapshots/{key}/" if what == "commit" else f"data/{key}/"
        ends = ".json" if what == "commit" else f"/{what}"
        (name,) = [
            name for name in self.objects.names() if name.startswith(f"{begins}{number:06}-") and name.endswith(ends)
        ]
        return name

    def restored(self) -> set[str]:
        """Restore all to a new place: the files that came back with their content."""
        self.report = self.world.restore("restored")
        folder = self.world.root / "restored"
        files = [path for path in folder.rglob("*") if path.is_file()]
        for path in files:
            assert path.read_bytes() == (self.world.source / path.relative_to(folder)).read_bytes()
        return {path.name for path in files}

    def named(self) -> set[str]:
        """What the restore names as damaged."""
        assert self.report.exit_code is ExitCode.DAMAGED
        errors = {result.workload for result in self.report.results if isinstance(result.error, DamagedError)}
        problems = [problem for result in self.report.results for problem in result.problems]
        named = errors | {problem.path for problem in problems if problem.kind is ProblemKind.DAMAGED}
        verified = verify_vault(self.world.context, {})
        assert verified.exit_code is ExitCode.DAMAGED
        assert named <= {d.path or found.workload for found in verified.workloads for d in found.damage}
        return named


@pytest.fixture
def vault(stored: tuple[World, RawObjects]) -> Vault:
    world, objects = stored
    world.write("onedrive/anna/kept", "kept content")
    world.write("onedrive/bob/file", "content of b")
    assert succeeded(world.back_up())
    world.write("onedrive/anna/new", "new content!")
    assert succeeded(world.back_up())
    return Vault(world, objects)


def test_an_intact_vault_gives_everything_back(vault: Vault) -> None:
    assert vault.restored() == {"kept", "new", "file"}
    assert succeeded(vault.report)
    assert verify_vault(vault.world.context, {}).exit_code is ExitCode.DONE


@pytest.mark.parametrize("place", [0, 20, 45, -1])
def test_an_altered_pack(vault: Vault, place: int) -> None:
    name = vault.name("anna", 2, "pack-000001")
    data = bytearray(vault.objects.get(name))
    data[place] ^= 1
    vault.objects.put(name, bytes(data))
    assert vault.restored() == {"kept", "file"}
    assert vault.named() == {"new"}


def test_a_truncated_pack(vault: Vault) -> None:
    name = vault.name("anna", 2, "pack-000001")
    vault.objects.put(name, vault.objects.get(name)[:-1])
    assert vault.restored() == {"kept", "file"}
    assert vault.named() == {"new"}


def test_a_missing_pack(vault: Vault) -> None:
    vault.objects.delete(vault.name("anna", 1, "pack-000001"))
    assert vault.restored() == {"new", "file"}
    assert vault.named() == {"kept"}


@pytest.mark.parametrize("other", [("anna", 2), ("bob", 1)])
def test_packs_swapped_between_snapshots_or_workloads(vault: Vault, other: tuple[str, int]) -> None:
    one, another = vault.name("anna", 1, "pack-000001"), vault.name(*other, "pack-000001")
    kept = vault.objects.get(one)
    vault.objects.put(one, vault.objects.get(another))
    vault.objects.put(another, kept)
    lost = {"kept", "new" if other[0] == "anna" else "file"}
    assert vault.restored() == {"kept", "new", "file"} - lost
    assert vault.named() == lost


def test_a_pack_under_the_name_of_another(vault: Vault) -> None:
    one, another = vault.name("anna", 1, "pack-000001"), vault.name("anna", 2, "pack-000001")
    vault.objects.put(another, vault.objects.get(one))
    vault.objects.delete(one)
    assert vault.restored() == {"file"}
    assert vault.named() == {"kept", "new"}


def test_an_older_manifest_replayed_as_the_newest(vault: Vault) -> None:
    new = vault.name("anna", 2, "manifest")
    old = vault.objects.get(vault.name("anna", 1, "manifest"))
    vault.objects.put(new, old)
    commit = vault.name("anna", 2, "commit")
    record = json.loads(vault.objects.get(commit)) | {"manifest_bytes": len(old)}
    vault.objects.put(commit, json.dumps(record).encode())
    assert vault.restored() == {"file"}
    assert vault.named() == {"onedrive/anna"}
    assert succeeded(vault.world.restore("earlier", "onedrive/anna", snapshot="1"))


def test_an_older_snapshot_replayed_whole_as_a_newer_one(vault: Vault) -> None:
    old = vault.name("anna", 1, "commit")
    snapshot = old.rpartition("/")[2].removesuffix(".json")
    replayed = snapshot.replace("000001", "000003", 1)
    for name in [name for name in vault.objects.names() if f"/{snapshot}" in name]:
        vault.objects.put(name.replace(snapshot, replayed), vault.objects.get(name))
    record = json.loads(vault.objects.get(old)) | {"snapshot": replayed}
    vault.objects.put(old.replace(snapshot, replayed), json.dumps(record).encode())
    assert vault.restored() == {"file"}
    assert vault.named() == {"onedrive/anna"}
    assert succeeded(vault.world.restore("earlier", "onedrive/anna", snapshot="2"))


@pytest.mark.parametrize("what", ["manifest", "commit"])
def test_a_snapshot_whose_manifest_or_commit_record_is_of_another_workload(vault: Vault, what: str) -> None:
    vault.objects.put(vault.name("anna", 2, what), vault.objects.get(vault.name("bob", 2, what)))
    assert vault.restored() == {"file"}
    assert vault.named() == {"onedrive/anna"}


def test_a_missing_manifest(vault: Vault) -> None:
    vault.objects.delete(vault.name("anna", 2, "manifest"))
    assert vault.restored() == {"file"}
    assert vault.named() == {"onedrive/anna"}
    error = only(vault.world.restore("again", "onedrive/anna")).error
    assert error is not None
    assert "manifest" in error.message


def test_the_next_backup_stores_anew_what_is_missing_and_makes_it_whole(vault: Vault) -> None:
    vault.objects.delete(vault.name("anna", 1, "pack-000001"))
    assert succeeded(vault.world.back_up())
    assert vault.restored() == {"kept", "new", "file"}
