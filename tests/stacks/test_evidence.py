"""The stacks follow the ledger: the alias moves on signed evidence, and evidence is never contradicted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.errors import InputError, RefusedError, UntrustedError
from engine.evidence import (
    Evidence,
    FileSigner,
    GenerationEvidence,
    JournalHead,
    Origin,
    Subject,
    sign_statement,
)
from engine.lifecycle import GenerationState
from stacks.evidence import tenants_whose_alias_may_move
from stacks.synthesis import Synthesis
from tests.builders import CUSTOMER, REGION, key_arn
from tests.stacks.declared import VENDOR, declaration_text, declare, read_stack
from tests.stacks.test_app import run

if TYPE_CHECKING:
    from pathlib import Path

SIGNER = FileSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
BOTH = [{"number": 1}, {"number": 2}]


def evidence(
    *, first: GenerationState = GenerationState.RETAINED, integrated: bool = True, revoked: bool = False
) -> Evidence:
    now = datetime.now(UTC)
    return Evidence(
        subject=Subject("northwind", CUSTOMER, VENDOR, REGION, Origin.AWS),
        issued_at=now,
        expires_at=now + timedelta(hours=1),
        journal=JournalHead(9, "ab" * 32),
        enabled=True,
        revoked=revoked,
        current=2,
        rotation=None,
        generations=(
            GenerationEvidence(1, key_arn(1), first, 0, integrated=True, certificate=None),
            GenerationEvidence(2, key_arn(2), GenerationState.CURRENT, 5, integrated=integrated, certificate=None),
        ),
    )


def settings(folder: Path, told: Evidence) -> dict[str, str]:
    path = folder / "evidence.json"
    path.write_bytes(sign_statement(told, SIGNER))
    return {"KEYTURN_EVIDENCE": str(path), "KEYTURN_EVIDENCE_KEY": SIGNER.verification_key.base64}


def test_without_evidence_the_alias_stays_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "ekm.yaml").write_text(declaration_text(current=2, generations=BOTH))
    finished = run(tmp_path)
    assert finished.returncode == 0
    assert "the alias of tenant northwind stays where it is" in finished.stderr
    alias = read_stack(tmp_path / "cdktf.out", "northwind")["resource"]["aws_kms_alias"]["current"]
    assert alias["lifecycle"] == {"ignore_changes": ["target_key_id"]}


@pytest.mark.requirement("EKM-33")
def test_evidence_that_the_generation_is_integrated_moves_the_alias(tmp_path: Path) -> None:
    declaration = declare(current=2, generations=BOTH)
    movable = tenants_whose_alias_may_move((declaration,), settings(tmp_path, evidence()))
    assert movable == {"northwind"}
    Synthesis((declaration,), tmp_path, movable).write()
    alias = read_stack(tmp_path, "northwind")["resource"]["aws_kms_alias"]["current"]
    assert "generation_2" in alias["target_key_id"]
    assert "lifecycle" not in alias


def test_the_first_generation_needs_no_evidence() -> None:
    assert tenants_whose_alias_may_move((declare(),), {}) == {"northwind"}


@pytest.mark.requirement("EKM-33")
@pytest.mark.parametrize(
    ("changes", "told", "reason"),
    [
        ({"current": 2}, evidence(integrated=False), "generation 2 is declared current, and is not integrated"),
        ({"generations": [{"number": 1, "state": "retired"}, {"number": 2}]}, evidence(), "is retained in the ledger"),
        (
            {"generations": [{"number": 1, "state": "released"}, {"number": 2}]},
            evidence(first=GenerationState.RETIRED),
            "is retired in the ledger",
        ),
        (
            {"generations": [{"number": 1, "state": "deleted"}, {"number": 2}]},
            evidence(first=GenerationState.RETIRED),
            "is retired in the ledger",
        ),
        ({}, evidence(revoked=True), "the access is revoked"),
    ],
)
def test_a_declaration_that_is_ahead_of_the_ledger_is_refused(
    tmp_path: Path, changes: dict[str, object], told: Evidence, reason: str
) -> None:
    declaration = declare(**{"generations": BOTH, "current": 2, **changes})
    with pytest.raises(RefusedError) as caught:
        tenants_whose_alias_may_move((declaration,), settings(tmp_path, told))
    assert reason in caught.value.message


@pytest.mark.parametrize("state", [GenerationState.RELEASED, GenerationState.DELETED])
def test_a_generation_that_the_ledger_has_released_may_be_dropped(tmp_path: Path, state: GenerationState) -> None:
    declaration = declare(generations=[{"number": 1, "state": "deleted"}, {"number": 2}], current=2)
    told = evidence(first=state)
    assert tenants_whose_alias_may_move((declaration,), settings(tmp_path, told)) == {"northwind"}


def test_evidence_without_a_key_of_a_sandbox_or_of_another_key_ends_the_synthesis(tmp_path: Path) -> None:
    declarations = (declare(current=2, generations=BOTH),)
    given = settings(tmp_path, evidence())
    with pytest.raises(UntrustedError, match="KEYTURN_EVIDENCE_KEY is not"):
        tenants_whose_alias_may_move(declarations, {**given, "KEYTURN_EVIDENCE_KEY": ""})
    other = FileSigner(Ed25519PrivateKey.from_private_bytes(bytes(32))).verification_key.base64
    with pytest.raises(UntrustedError, match="is signed with the key"):
        tenants_whose_alias_may_move(declarations, {**given, "KEYTURN_EVIDENCE_KEY": other})
    with pytest.raises(InputError):
        tenants_whose_alias_may_move(declarations, {**given, "KEYTURN_EVIDENCE": str(tmp_path / "none.json")})
    told = evidence()
    rehearsed = settings(tmp_path, replace(told, subject=replace(told.subject, origin=Origin.SANDBOX)))
    with pytest.raises(UntrustedError, match="made with a sandbox"):
        tenants_whose_alias_may_move(declarations, rehearsed)
    assert tenants_whose_alias_may_move(declarations, {**rehearsed, "KEYTURN_EVIDENCE_SANDBOX": "1"})


def test_a_folder_holds_the_evidence_of_each_tenant_under_its_name(tmp_path: Path) -> None:
    given = settings(tmp_path, evidence())
    folder = tmp_path / "evidence"
    folder.mkdir()
    declaration = declare(current=2, generations=BOTH)
    assert not tenants_whose_alias_may_move((declaration,), {**given, "KEYTURN_EVIDENCE": str(folder)})
    (tmp_path / "evidence.json").rename(folder / "northwind.json")
    assert tenants_whose_alias_may_move((declaration,), {**given, "KEYTURN_EVIDENCE": str(folder)})
