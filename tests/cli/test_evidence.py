"""Evidence on the command line: exported with a key of one's own, checked without the ledger."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import declared_generations
from tests.cli.test_revoke import rotated

if TYPE_CHECKING:
    from tests.cli.conftest import Repository


def signing_key(repository: Repository, tmp_path_factory: Any) -> tuple[str, str]:
    """A key file kept apart from the repository, and its public key."""
    path: Path = tmp_path_factory.mktemp("apart") / "evidence.key"
    made = repository.keyturn("evidence", "new-key", str(path), "--json")
    assert made.exit_code == 0, made.err
    return str(path), str(made.document["public_key"])


def test_evidence_is_exported_and_believed_with_the_public_key_alone(
    repository: Repository, tmp_path_factory: Any
) -> None:
    first, second = rotated(repository)
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    key, public = signing_key(repository, tmp_path_factory)
    ended = repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", key, "--json")
    assert ended.exit_code == 0, ended.err
    assert ended.document["evidence"]["file"] == "evidence.json"
    (repository.folder / ".keyturn").rename(repository.folder / "elsewhere")
    refused = repository.keyturn("evidence", "check", "evidence.json", "--evidence-key", public)
    assert refused.exit_code == 3
    assert "made with a sandbox" in refused.err
    checked = repository.keyturn("evidence", "check", "evidence.json", "--evidence-key", public, "--sandbox", "--json")
    assert checked.exit_code == 0, checked.err
    told = {g["number"]: (g["key_arn"], g["state"], g["data_keys"]) for g in checked.document["generations"]}
    assert told == {1: (first, "retained", 0), 2: (second, "current", 1)}
    assert {g["number"]: g["certificate"] for g in checked.document["generations"]} == {1: True, 2: False}
    assert "private" not in (repository.folder / "evidence.json").read_text().lower()


def test_evidence_is_bound_to_the_tenant_and_its_vendor(repository: Repository, tmp_path_factory: Any) -> None:
    repository.enabled()
    key, public = signing_key(repository, tmp_path_factory)
    assert repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", key).exit_code == 0
    text = (repository.folder / "ekm.yaml").read_text()
    for changed in (text.replace("northwind", "southwind"), text.replace("210987654321", "999999999999")):
        repository.declare(changed)
        ended = repository.keyturn("evidence", "check", "evidence.json", "--evidence-key", public, "--sandbox")
        assert ended.exit_code == 3
        assert "is about the" in ended.err


def test_a_signing_key_beside_the_ledger_or_open_to_others_is_refused(repository: Repository) -> None:
    repository.enabled()
    beside = repository.folder / ".keyturn" / "evidence.key"
    assert repository.keyturn("evidence", "new-key", str(beside)).exit_code == 0
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    ended = repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", str(beside))
    assert ended.exit_code == 6
    assert "lies beside the ledger" in ended.err
    open_to_all = beside.rename(repository.folder / "evidence.key")
    open_to_all.chmod(0o644)
    ended = repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", str(open_to_all))
    assert ended.exit_code == 6
    assert "others can read" in ended.err
    assert not (repository.folder / "evidence.json").exists()


def test_a_key_file_is_never_overwritten_and_its_public_key_can_be_printed_again(
    repository: Repository, tmp_path_factory: Any
) -> None:
    key, public = signing_key(repository, tmp_path_factory)
    assert repository.keyturn("evidence", "new-key", key).exit_code == 3
    assert repository.keyturn("evidence", "public-key", key, "--json").document["public_key"] == public
    assert repository.keyturn("evidence", "public-key", key).out.startswith("-----BEGIN PUBLIC KEY-----\n")


def test_a_statement_replaces_an_earlier_one_and_nothing_else(repository: Repository, tmp_path_factory: Any) -> None:
    repository.enabled()
    key, _ = signing_key(repository, tmp_path_factory)
    precious = [repository.folder / "ekm.yaml", repository.folder / ".keyturn" / "ledger.db", Path(key)]
    before = [path.read_bytes() for path in precious]
    for path in precious:
        for command in (
            ("status", "--evidence", path),
            ("history", "--checkpoint", path),
            ("evidence", "certificate", "1", path),
        ):
            ended = repository.keyturn(*map(str, command), "--signing-key", key)
            assert ended.exit_code != 0
            assert [path.read_bytes() for path in precious] == before
        assert "is there already and is no signed statement" in (
            repository.keyturn("history", "--checkpoint", str(path), "--signing-key", key).err
        )
    for _ in range(2):
        assert repository.keyturn("history", "--checkpoint", "point.json", "--signing-key", key).exit_code == 0


def test_nothing_is_signed_about_keys_that_this_endpoint_does_not_show(
    repository: Repository, tmp_path_factory: Any
) -> None:
    first, second = rotated(repository)
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    key, _ = signing_key(repository, tmp_path_factory)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:DescribeKey", "Resource": "*"}
    policy = json.loads(repository.customer.kms.get_key_policy(KeyId=first, PolicyName="default")["Policy"])
    policy["Statement"].append(deny)
    repository.customer.kms.put_key_policy(KeyId=first, PolicyName="default", Policy=json.dumps(policy))
    for command in (("status", "--evidence", "file.json"), ("evidence", "certificate", "1", "file.json")):
        ended = repository.keyturn(*command, "--signing-key", key)
        assert ended.exit_code == 4
        assert "AWS KMS does not show" in ended.err
        assert not (repository.folder / "file.json").exists()


def test_evidence_asks_for_a_key_and_for_a_ledger(repository: Repository, tmp_path_factory: Any) -> None:
    assert repository.keyturn("status", "--evidence", "evidence.json").exit_code == 2
    key, _ = signing_key(repository, tmp_path_factory)
    assert repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", key).exit_code == 3
    repository.enabled()
    ended = repository.keyturn("status", "--offline", "--evidence", "evidence.json", "--signing-key", key)
    assert ended.exit_code == 2
    repository.declare(declared_generations(1))


def test_evidence_is_signed_inside_kms_by_an_ed25519_key(repository: Repository) -> None:
    repository.enabled()
    made = repository.customer.kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_EDWARDS25519")
    key = made["KeyMetadata"]["Arn"]
    pem = repository.keyturn("evidence", "public-key", key)
    assert pem.exit_code == 0, pem.err
    (repository.folder / "evidence.pem").write_text(pem.out)
    ended = repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", key)
    assert ended.exit_code == 0, ended.err
    checked = repository.keyturn("evidence", "check", "evidence.json", "--evidence-key", "evidence.pem", "--sandbox")
    assert checked.exit_code == 0, checked.err
    text = (repository.folder / "evidence.json").read_text()
    (repository.folder / "evidence.json").write_text(text.replace('"current": 1', '"current": 2'))
    altered = repository.keyturn("evidence", "check", "evidence.json", "--evidence-key", "evidence.pem", "--sandbox")
    assert altered.exit_code == 3
    assert "the signature does not hold" in altered.err


def test_a_key_that_cannot_sign_evidence_is_refused_and_nothing_is_written(repository: Repository) -> None:
    first = repository.enabled()
    ended = repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", first)
    assert ended.exit_code == 4
    made = repository.customer.kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")
    ended = repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", made["KeyMetadata"]["Arn"])
    assert ended.exit_code == 3
    assert "is not an Ed25519 key" in ended.err
    assert not (repository.folder / "evidence.json").exists()


def test_evidence_is_signed_with_a_key_that_never_leaves_kms(repository: Repository) -> None:
    repository.enabled()
    kms = repository.customer.kms
    signing = kms.create_key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")["KeyMetadata"].get("Arn", "")
    public = repository.keyturn("evidence", "public-key", signing, "--json").document["public_key"]
    assert repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", signing).exit_code == 0
    kms.disable_key(KeyId=signing)
    checked = repository.keyturn("evidence", "check", "evidence.json", "--evidence-key", public, "--sandbox")
    assert checked.exit_code == 0, checked.err
    before = (repository.folder / "evidence.json").read_bytes()
    ended = repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", signing)
    assert ended.exit_code == 4
    assert "DisabledException" in ended.err
    assert (repository.folder / "evidence.json").read_bytes() == before
    other = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"].get("Arn", "")
    ended = repository.keyturn("status", "--evidence", "evidence.json", "--signing-key", other)
    assert ended.exit_code == 3
    assert "is not an Ed25519 key" in ended.err


@pytest.mark.requirement("EKM-33")
def test_a_certificate_that_stands_alone_is_read_and_checked(repository: Repository, tmp_path_factory: Any) -> None:
    first, second = rotated(repository)
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    key, public = signing_key(repository, tmp_path_factory)
    made = repository.keyturn("evidence", "certificate", "1", "certificate.json", "--signing-key", key)
    assert made.exit_code == 0, made.err
    arguments = ("evidence", "check", "certificate.json", "--evidence-key", public)
    assert "made with a sandbox" in repository.keyturn(*arguments).err
    checked = repository.keyturn(*arguments, "--sandbox")
    assert checked.exit_code == 0, checked.err
    assert f"no data key was left then under {first}" in checked.out
    document = repository.keyturn(*arguments, "--sandbox", "--json").document
    assert (document["kind"], document["generation"], document["moved_to"]) == ("certificate", 1, 2)
    text = (repository.folder / "ekm.yaml").read_text()
    repository.declare(text.replace("description: first key", f"key_arn: {second}"))
    contradicted = repository.keyturn(*arguments, "--sandbox")
    assert contradicted.exit_code == 3
    assert "says that generation 1 is" in contradicted.err
    repository.declare(text)
    (repository.folder / "certificate.json").write_text(
        (repository.folder / "certificate.json").read_text().replace('"moved_to"', '"moved_so"')
    )
    assert repository.keyturn(*arguments, "--sandbox").exit_code == 3
