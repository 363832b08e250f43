"""Reading a whole vault: every byte once, what is missing found, keys that may not be used told apart from damage."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from engine.envelope.data_keys import LEGAL_HOLD, PAYLOAD
from engine.errors import ExitCode
from engine.jobs.backup import backup
from engine.jobs.history import told_snapshots
from engine.jobs.vault import Vault
from engine.jobs.verification import VaultVerification, VerifiedWorkload, verify_vault
from tests.engine.jobs.world import MANUAL_BACKUP, succeeded, tree

if TYPE_CHECKING:
    from tests.engine.jobs.raw_objects import RawObjects
    from tests.engine.jobs.world import World


def verified(world: World) -> VaultVerification:
    return verify_vault(world.context, told_snapshots(world.events))


def of(found: VaultVerification, workload: str, purpose: str = PAYLOAD) -> VerifiedWorkload:
    (one,) = [one for one in found.workloads if (one.workload, one.purpose) == (workload, purpose)]
    return one


def reasons(found: VerifiedWorkload) -> list[str]:
    return [damage.reason for damage in found.damage]


def test_a_whole_vault_is_read_to_its_last_byte_and_each_byte_once(world: World) -> None:
    world.vault = Vault(world.vault._store, "northwind", 1_000_000)
    world.write("onedrive/bob/big", os.urandom(2_500_000))
    world.write("onedrive/bob/empty", b"")
    world.back_up("onedrive/bob")
    world.write("onedrive/bob/new", os.urandom(1000))
    world.back_up()
    before = tree(world.vault_folder)
    found = verified(world)
    assert found.exit_code is ExitCode.DONE
    payload, held = of(found, "onedrive/bob"), of(found, "onedrive/bob", LEGAL_HOLD)
    assert (payload.snapshots, payload.files, payload.bytes) == (2, 5, 2_501_000)
    assert (held.snapshots, held.bytes) == (2, 2_501_000)
    assert tree(world.vault_folder) == before, "nothing was written"


def test_of_a_damaged_pack_the_files_in_the_damaged_megabyte_are_named_alone(world: World) -> None:
    for number in range(4):
        world.write(f"onedrive/bob/{number}", os.urandom(900_000))
    world.back_up()
    (pack,) = world.vault_folder.glob("data/*/*/pack-000001")
    data = bytearray(pack.read_bytes())
    data[2_500_000] ^= 1
    pack.write_bytes(data)
    found = verified(world)
    assert found.exit_code is ExitCode.DAMAGED
    assert [damage.path for damage in of(found, "onedrive/bob").damage] == ["2", "3"]
    assert world.restore().exit_code is ExitCode.DAMAGED
    assert {path.name for path in (world.root / "restored/onedrive/bob").iterdir()} == {"0", "1"}


def test_lost_commit_records_are_found_also_the_newest(stored: tuple[World, RawObjects]) -> None:
    world, objects = stored
    for content in ("one", "two", "three"):
        world.write("onedrive/bob/file", content)
        assert succeeded(world.back_up())
    newest = world.vault.snapshots(world.record("onedrive/bob"))[-1].text
    for name in [name for name in objects.names() if name.startswith("snapshots/")]:
        if "/000002-" in name or newest in name:
            objects.delete(name)
    found = of(verified(world), "onedrive/bob")
    assert "the commit record of snapshot 2 is missing" in reasons(found)
    assert [damage.snapshot for damage in found.damage if "the job history tells of it" in damage.reason][-1] == newest
    assert found.snapshots == 1
    assert found.unfinished == 1


def test_a_wrapped_key_record_that_is_damaged_or_missing_is_found_and_stops_no_restore(
    stored: tuple[World, RawObjects],
) -> None:
    world, objects = stored
    world.write("onedrive/anna/file")
    world.write("onedrive/bob/file")
    world.back_up()
    anna, bob = (world.record(f"onedrive/{name}").data_key_id for name in ("anna", "bob"))
    objects.put(f"keys/{anna}/000001.json", objects.get(f"keys/{bob}/000001.json"))
    objects.delete(f"keys/{bob}/000001.json")
    found = verified(world)
    assert found.exit_code is ExitCode.DAMAGED
    assert [f"keys/{anna}/000001.json is damaged" in damage for damage in found.damage] == [True]
    for workload in ("onedrive/anna", "onedrive/bob"):
        assert reasons(of(found, workload)) == [
            "its wrapped-key record is missing: a lost ledger could not be recovered"
        ]
    assert succeeded(world.restore())


def test_a_wrapped_key_record_of_an_earlier_key_alone_is_not_enough(world: World) -> None:
    """Behind a rotation the earlier key is deleted one day: a ledger that is lost then is lost for good."""
    world.write("onedrive/bob/file")
    world.back_up()
    world.start_rotation()
    moved = world.rewrap(world.record("onedrive/bob"))
    world.vault.put_key_record(moved)
    assert verified(world).exit_code is ExitCode.DONE
    (world.vault_folder / f"keys/{moved.data_key_id}/000002.json").unlink()
    assert reasons(of(verified(world), "onedrive/bob")) == [
        "its wrapped-key record is missing: a lost ledger could not be recovered"
    ]
    assert succeeded(world.back_up()), "the next backup puts it back"
    assert verified(world).exit_code is ExitCode.DONE


def test_what_a_killed_backup_left_is_told_and_is_no_damage(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up()
    begun = world.vault_folder / "data" / world.record("onedrive/bob").data_key_id / "000002-20260101T000000Z-00000000"
    begun.mkdir()
    (begun / "pack-000001").write_bytes(b"half a pack")
    found = verified(world)
    assert found.exit_code is ExitCode.DONE
    assert of(found, "onedrive/bob").unfinished == 1


def test_a_lost_copy_on_legal_hold_is_found_also_the_newest(world: World) -> None:
    clock = world.context.clock()
    for minute in range(3):
        world.write("onedrive/bob/file", str(minute))
        context = replace(world.context, clock=partial(datetime.fromtimestamp, clock.timestamp() + 60 * minute, UTC))
        backup(context, MANUAL_BACKUP, world.source, None, ("onedrive/bob",) if minute else ())
    assert verified(world).exit_code is ExitCode.DONE
    newest = world.vault.snapshots(world.record("onedrive/bob"))[-1]
    held = world.record("onedrive/bob", LEGAL_HOLD)
    copy = world.vault.snapshots(held)[-1]
    (world.vault_folder / f"snapshots/{held.data_key_id}/{copy}.json").unlink()
    found = verified(world)
    assert found.exit_code is ExitCode.DAMAGED
    assert reasons(of(found, "onedrive/bob", LEGAL_HOLD)) == [
        f"the copy that was made with snapshot {newest} is missing"
    ]


def test_with_the_key_revoked_nothing_is_called_damaged_and_the_legal_hold_copy_is_read(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up("onedrive/bob")
    world.revoke()
    found = verified(world)
    assert found.exit_code is ExitCode.AWS
    assert of(found, "onedrive/bob").error is not None
    assert of(found, "onedrive/bob").damage == ()
    assert of(found, "onedrive/bob", LEGAL_HOLD).snapshots == 1
