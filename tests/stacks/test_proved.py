"""What goes beyond a first deployment is synthesised on signed evidence alone."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import InputError, UntrustedError
from engine.evidence import Origin, Subject
from engine.lifecycle import GenerationState
from stacks.custody import key_addresses
from stacks.declarations import load_declarations
from stacks.evidence import EvidenceSource, evidence_source
from stacks.synthesis import Synthesis
from tests.stacks.declared import CUSTOMER, VENDOR, declaration_text, declare, emitted, read_stack
from tests.stacks.proofs import NOW, PUBLIC, evidence, generation
from tests.stacks.test_app import run

if TYPE_CHECKING:
    from pathlib import Path

MULTI_REGION_KEY = f"arn:aws:kms:us-east-1:{CUSTOMER}:key/mrk-1234abcd12ab34cd56ef1234567890ab"
TWO = [{"number": 1, "description": "first key"}, {"number": 2}]


def refused(folder: Path, source: EvidenceSource | None, **changes: Any) -> str:
    """Why a declaration is not synthesised."""
    file = folder / "ekm.yaml"
    file.write_text(declaration_text(**changes))
    with pytest.raises(InputError) as caught:
        load_declarations(file, source, folder)
    return "\n".join(str(mistake) for mistake in caught.value.mistakes)


def accepted(folder: Path, source: EvidenceSource | None, **changes: Any) -> bool:
    file = folder / "ekm.yaml"
    file.write_text(declaration_text(**changes))
    return len(load_declarations(file, source, folder)) == 1


CURRENT, RETAINED, RETIRED = GenerationState.CURRENT, GenerationState.RETAINED, GenerationState.RETIRED
RELEASED, DELETED = GenerationState.RELEASED, GenerationState.DELETED


def test_a_first_deployment_and_one_more_generation_need_no_evidence(tmp_path: Path) -> None:
    assert accepted(tmp_path, None)
    assert accepted(tmp_path, None, generations=TWO)


@pytest.mark.requirement("EKM-32")
@pytest.mark.requirement("EKM-33")
def test_the_alias_moves_only_on_evidence_that_the_generation_is_integrated(tmp_path: Path) -> None:
    def second(*, integrated: bool) -> EvidenceSource:
        return evidence(tmp_path, generation(1, RETAINED), generation(2, CURRENT, 40, integrated=integrated))

    file = tmp_path / "ekm.yaml"
    for source, moves in (
        (EvidenceSource(None, None, sandbox=False, now=NOW), False),
        (second(integrated=True), True),
    ):
        assert accepted(tmp_path, source, generations=TWO, current=2)
        (declaration,) = load_declarations(file, source)
        assert source.lets_alias_move(declaration) is moves
        Synthesis((declaration,), tmp_path / "out", frozenset({"northwind"} if moves else ())).write()
        alias = read_stack(tmp_path / "out", "northwind")["resource"]["aws_kms_alias"]["current"]
        assert alias["target_key_id"] == "${aws_kms_key.generation_2.key_id}"
        assert alias.get("lifecycle") == (None if moves else {"ignore_changes": ["target_key_id"]})
    assert "does not say that it is integrated (it is current)" in refused(
        tmp_path, second(integrated=False), generations=TWO, current=2
    )
    only_first = evidence(tmp_path, generation(1, CURRENT, 40))
    assert "does not know that generation" in refused(tmp_path, only_first, generations=TWO, current=2)


def test_without_evidence_a_note_says_that_the_alias_stays(tmp_path: Path) -> None:
    (tmp_path / "ekm.yaml").write_text(declaration_text(current=2, generations=TWO))
    finished = run(tmp_path)
    assert finished.returncode == 0
    assert "the alias of tenant northwind stays where it is" in finished.stderr


@pytest.mark.parametrize(
    ("declared", "proved", "passes"),
    [
        ("retired", RETAINED, False),
        ("retired", RETIRED, True),
        ("retired", RELEASED, True),
        ("released", RETIRED, False),
        ("released", RELEASED, True),
        ("deleted", RETIRED, False),
        ("deleted", RELEASED, True),
        ("deleted", DELETED, True),
    ],
)
@pytest.mark.requirement("EKM-34")
def test_a_generation_is_let_go_only_as_far_as_is_proved(
    tmp_path: Path, declared: str, proved: GenerationState, passes: bool
) -> None:
    source = evidence(tmp_path, generation(1, proved), generation(2, CURRENT, 40))
    changes = {"generations": [{"number": 1, "state": declared}, {"number": 2}], "current": 2}
    if passes:
        assert accepted(tmp_path, source, **changes)
    else:
        assert f"generation 1 is declared {declared}, and the evidence does not say" in refused(
            tmp_path, source, **changes
        )
    assert "no evidence says" in refused(tmp_path, None, **changes)


def test_a_released_generation_without_its_certificate_or_with_data_keys_stays(tmp_path: Path) -> None:
    changes = {"generations": [{"number": 1, "state": "released"}, {"number": 2}], "current": 2}
    for entry in (generation(1, RELEASED, certified=False), generation(1, RELEASED, 3)):
        source = evidence(tmp_path, entry, generation(2, CURRENT, 40))
        assert "generation 1 is declared released" in refused(tmp_path, source, **changes)


@pytest.mark.requirement("EKM-33")
def test_a_generation_taken_from_the_declaration_too_early_stops_the_synthesis(tmp_path: Path) -> None:
    source = evidence(tmp_path, generation(1, CURRENT, 40), generation(2, GenerationState.REGISTERED))
    assert "generation 2 is not declared, and the evidence knows it" in refused(tmp_path, source)
    instance = {"attributes": {"tags": {"keyturn:tenant": "northwind", "keyturn:generation": "2"}}}
    other = {"attributes": {"tags": {"keyturn:tenant": "contoso", "keyturn:generation": "3"}}}
    instances = [instance, other, {"attributes": {"tags": None}}]
    state = {"resources": [{"type": "aws_kms_key", "name": "generation_2", "instances": instances}]}
    (tmp_path / "terraform.northwind.tfstate").write_text(json.dumps(state))
    assert "generation 2 is not declared, and its key stands in the Terraform state" in refused(tmp_path, None)
    assert accepted(tmp_path, None, generations=TWO)


@pytest.mark.parametrize(
    ("declared", "lost"),
    [
        ({}, []),
        ({"replicas": ["eu-west-1"]}, []),
        ({"replicas": []}, ["aws_kms_replica_key.generation_1_eu_west_1"]),
        ({"key_arn": MULTI_REGION_KEY}, ["aws_kms_key.generation_1", "aws_kms_replica_key.generation_1_eu_west_1"]),
        ({"origin": "EXTERNAL"}, ["aws_kms_key.generation_1", "aws_kms_replica_key.generation_1_eu_west_1"]),
    ],
)
@pytest.mark.requirement("EKM-33")
def test_a_declaration_that_lets_go_of_a_key_in_the_state_stops_the_synthesis(
    tmp_path: Path, declared: dict[str, Any], lost: list[str]
) -> None:
    tags = {"keyturn:tenant": "northwind", "keyturn:generation": "1"}
    keys = [("aws_kms_key", "generation_1"), ("aws_kms_replica_key", "generation_1_eu_west_1")]
    instances = [{"attributes": {"tags": tags}}]
    resources = [{"mode": "managed", "type": kind, "name": name, "instances": instances} for kind, name in keys]
    looked_up = {"mode": "data", "type": "aws_kms_key", "name": "any", "instances": instances}
    (tmp_path / "terraform.northwind.tfstate").write_text(json.dumps({"resources": [*resources, looked_up]}))
    first = {"number": 1, "multi_region": True, "replicas": ["eu-west-1"]} | declared
    if not lost:
        assert accepted(tmp_path, None, generations=[first])
        return
    told = refused(tmp_path, None, generations=[first])
    assert [address for address in told.split() if address.startswith("aws_kms_")] == lost
    assert "it would be destroyed" in told


@pytest.mark.parametrize("origin", ["AWS_KMS", "EXTERNAL"])
def test_the_addresses_of_keys_are_those_that_are_emitted(tmp_path: Path, origin: str) -> None:
    first = {"number": 1, "origin": origin, "multi_region": True, "replicas": ["eu-west-1", "us-west-2"]}
    declaration = declare(generations=[first, {"number": 2}])
    resources = emitted(tmp_path, declaration)["resource"]
    keys = {
        f"{kind}.{name}"
        for kind, named in resources.items()
        if kind not in {"aws_kms_alias", "aws_kms_grant"}
        for name in named
    }
    assert keys == key_addresses(declaration.generation(1)) | key_addresses(declaration.generation(2))


def test_a_state_that_cannot_be_read_stops_the_synthesis(tmp_path: Path) -> None:
    (tmp_path / "terraform.northwind.tfstate").write_text('{"resources": [')
    file = tmp_path / "ekm.yaml"
    file.write_text(declaration_text())
    with pytest.raises(InputError, match="cannot be read, so nothing tells which keys it holds"):
        load_declarations(file, None, tmp_path)


@pytest.mark.requirement("EKM-10")
def test_a_deployment_never_undoes_a_revocation(tmp_path: Path) -> None:
    source = evidence(tmp_path, generation(1, CURRENT, 40), revoked=True)
    assert "the evidence says that the access is revoked" in refused(tmp_path, source)
    assert accepted(tmp_path, source, revoked=True)
    assert accepted(tmp_path, None, revoked=True)


def test_evidence_that_does_not_hold_is_not_taken_for_none(tmp_path: Path) -> None:
    file = tmp_path / "ekm.yaml"
    file.write_text(declaration_text())
    good = evidence(tmp_path, generation(1, CURRENT, 40))
    assert good.path is not None
    for source, message in (
        (EvidenceSource(good.path, None, sandbox=False, now=NOW), "with which key to check it"),
        (EvidenceSource(tmp_path / "missing.json", PUBLIC, sandbox=False, now=NOW), "does not exist"),
        (EvidenceSource(good.path, base64.b64encode(bytes(32)).decode(), sandbox=False, now=NOW), "is signed with"),
        (EvidenceSource(good.path, PUBLIC, sandbox=False, now=NOW + timedelta(days=2)), "expired"),
    ):
        with pytest.raises(InputError, match=message):
            load_declarations(file, source, tmp_path)
    sandboxed = evidence(
        tmp_path,
        generation(1, CURRENT, 40),
        subject=Subject("northwind", CUSTOMER, VENDOR, "us-east-1", Origin.SANDBOX),
    )
    with pytest.raises(UntrustedError, match="was made with a sandbox"):
        load_declarations(file, sandboxed, tmp_path)
    assert load_declarations(file, EvidenceSource(sandboxed.path, PUBLIC, sandbox=True, now=NOW), tmp_path)


def test_a_folder_holds_the_evidence_of_each_tenant(tmp_path: Path) -> None:
    folder = tmp_path / "proofs"
    folder.mkdir()
    written = evidence(tmp_path, generation(1, RETAINED), generation(2, CURRENT, 40)).path
    assert written is not None
    environment = {"KEYTURN_EVIDENCE": str(folder), "KEYTURN_EVIDENCE_KEY": PUBLIC}
    source = evidence_source(environment, NOW)
    file = tmp_path / "ekm.yaml"
    file.write_text(declaration_text(generations=TWO, current=2))
    (declaration,) = load_declarations(file, source)
    assert not source.lets_alias_move(declaration)
    (folder / "northwind.json").symlink_to(folder / "gone.json")
    with pytest.raises(InputError, match="does not exist"):
        source.lets_alias_move(declaration)
    written.replace(folder / "northwind.json")
    assert source.lets_alias_move(declaration)


def test_an_empty_setting_is_no_evidence() -> None:
    assert evidence_source({"KEYTURN_EVIDENCE": "", "KEYTURN_EVIDENCE_KEY": ""}, NOW) == EvidenceSource(
        None, None, sandbox=False, now=NOW
    )
