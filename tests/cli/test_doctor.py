"""`keyturn doctor`: each difference is found, says what it means, and names what mends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stacks.key_policy import key_policy
from tests.builders import CUSTOMER, REGION, VENDOR, declaration, declared_generations
from tests.cli.conftest import VENDOR as AS_VENDOR
from tests.cli.test_revoke import declared, grants, rotated, statements, with_replicas
from tests.tenant_keys import make_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Repository


@pytest.fixture
def healthy(repository: Repository) -> Iterator[str]:
    """A tenant in order: enabled, its alias on its key; the key's ARN."""
    repository.declare(declared(repository).replace("alias/northwind-ekm", "alias/doctor-ekm"))
    first = repository.enabled()
    repository.customer.kms.create_alias(AliasName="alias/doctor-ekm", TargetKeyId=first)
    yield first
    repository.customer.kms.delete_alias(AliasName="alias/doctor-ekm")


def differences(repository: Repository) -> dict[str, dict[str, Any]]:
    """What the doctor finds, by what it is; every one has a meaning and a mend."""
    before = repository.ledger_state()
    ended = repository.keyturn("doctor", "--json")
    found = ended.document["differences"]
    assert ended.exit_code == (1 if found else 0)
    assert ended.document["healthy"] is not bool(found)
    assert all(difference["meaning"] and difference["mend"] for difference in found)
    assert repository.ledger_state() == before
    return {difference["what"]: difference for difference in found}


@pytest.mark.usefixtures("healthy")
def test_where_all_agree_there_is_nothing_to_say(repository: Repository) -> None:
    assert differences(repository) == {}
    ended = repository.keyturn("doctor")
    assert (ended.exit_code, ended.out) == (0, "tenant northwind: declaration, keys and ledger agree\n")


@pytest.mark.requirement("EKM-09")
def test_a_disabled_key_on_which_data_depends_is_told_with_what_mends_it(repository: Repository, healthy: str) -> None:
    repository.customer.kms.disable_key(KeyId=healthy)
    found = differences(repository)
    assert (found["key state"]["seen"], found["key state"]["expected"]) == ("Disabled", "Enabled")
    assert "aws kms enable-key" in found["key state"]["mend"]
    text = repository.keyturn("doctor").out
    assert "generation 1: key state: Disabled" in text
    assert "mend: `aws kms enable-key" in text


@pytest.mark.requirement("EKM-09")
def test_a_key_that_is_pending_deletion_is_told_with_its_day(repository: Repository, healthy: str) -> None:
    allowed = [statement for statement in statements(repository, healthy) if statement["Effect"] == "Allow"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    repository.customer.kms.put_key_policy(KeyId=healthy, PolicyName="default", Policy=policy)
    repository.customer.kms.schedule_key_deletion(KeyId=healthy, PendingWindowInDays=7)
    found = differences(repository)
    assert found["key state"]["seen"].startswith("PendingDeletion until 20")
    assert "cancel-key-deletion" in found["key state"]["mend"]
    repository.customer.kms.cancel_key_deletion(KeyId=healthy)


def test_a_changed_policy_is_told_by_its_meaning_and_by_what_the_vendor_lacks(
    repository: Repository, healthy: str
) -> None:
    kept = [s for s in statements(repository, healthy) if VENDOR not in json.dumps(s["Principal"])]
    policy = json.dumps({"Version": "2012-10-17", "Statement": kept})
    repository.customer.kms.put_key_policy(KeyId=healthy, PolicyName="default", Policy=policy)
    assert set(differences(repository)) == {"key policy"}  # the grant still gives all that is needed
    for grant in grants(repository, healthy):
        repository.customer.kms.revoke_grant(KeyId=healthy, GrantId=grant["GrantId"])
    found = differences(repository)
    assert set(found) == {"key policy", "vendor access", "grant"}
    assert "Decrypt" in found["vendor access"]["seen"]
    assert "cdktf deploy" in found["vendor access"]["mend"]


def test_a_policy_of_the_same_meaning_is_no_difference(repository: Repository, healthy: str) -> None:
    reordered = json.loads(key_policy(declaration(declared(repository)), 1).to_json())["Statement"][::-1]
    policy = json.dumps({"Version": "2012-10-17", "Id": "another", "Statement": reordered})
    repository.customer.kms.put_key_policy(KeyId=healthy, PolicyName="default", Policy=policy)
    assert differences(repository) == {}


def test_more_than_the_vendor_needs_and_a_grant_to_a_stranger_are_told(repository: Repository, healthy: str) -> None:
    too_much = {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "kms:PutKeyPolicy", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [*statements(repository, healthy), too_much]})
    repository.customer.kms.put_key_policy(KeyId=healthy, PolicyName="default", Policy=policy)
    repository.customer.kms.create_grant(
        KeyId=healthy, GranteePrincipal="arn:aws:iam::999999999999:root", Operations=["Decrypt"]
    )
    found = differences(repository)
    assert found["vendor access"]["seen"] == "more than it needs: PutKeyPolicy"
    assert found["grant"]["seen"] == "to account 999999999999"


def test_tags_rotation_and_alias_are_compared(repository: Repository, healthy: str) -> None:
    kms = repository.customer.kms
    kms.untag_resource(KeyId=healthy, TagKeys=["keyturn:tenant"])
    kms.enable_key_rotation(KeyId=healthy, RotationPeriodInDays=180)
    other = kms.create_key()["KeyMetadata"]["Arn"]
    kms.update_alias(AliasName="alias/doctor-ekm", TargetKeyId=other)
    found = differences(repository)
    assert set(found) == {"tags", "automatic rotation", "alias"}
    assert found["tags"]["seen"] == "keyturn:tenant = missing"
    assert found["automatic rotation"]["seen"] == "every 180 days"
    assert found["alias"]["seen"] == f"alias/doctor-ekm points to {other}"


def test_what_may_not_be_looked_at_is_a_difference_and_not_a_match(repository: Repository, healthy: str) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": ["kms:ListGrants", "kms:GetKeyPolicy"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [*statements(repository, healthy), deny]})
    repository.customer.kms.put_key_policy(KeyId=healthy, PolicyName="default", Policy=policy)
    found = differences(repository)
    assert set(found) == {"key policy", "key grants"}
    assert "not to be seen (denied: AccessDeniedException)" in found["key grants"]["seen"]


@pytest.mark.requirement("EKM-10")
def test_a_revocation_that_was_undone_behind_the_ledgers_back_is_told(repository: Repository, healthy: str) -> None:
    assert repository.keyturn("revoke", "--yes").exit_code == 0
    repository.customer.kms.enable_key(KeyId=healthy)
    found = differences(repository)
    assert "an enabled key, on which the vendor has Encrypt" in found["revocation"]["seen"]
    assert found["revocation"]["mend"] == "`keyturn revoke`"
    repository.declare(declared(repository).replace("revoked: true", "revoked: false"))
    ended = repository.keyturn("doctor")
    assert "declared not revoked, ledger revoked" in ended.out


def test_a_declaration_that_is_ahead_of_or_behind_the_ledger_is_told(repository: Repository) -> None:
    first, second = rotated(repository)
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    assert differences(repository)["current"]["seen"] == "declared 1, ledger 2"
    ahead = declared_generations(2, current=2).replace("description: first key", "state: retired")
    repository.declare(ahead)
    found = differences(repository)
    assert found["state"]["seen"] == "declared retired, ledger active"
    assert "keyturn retire 1" in found["state"]["mend"]
    assert first


@pytest.mark.requirement("EKM-33")
def test_a_use_of_the_old_key_after_the_rotation_is_told(repository: Repository) -> None:
    first, second = rotated(repository)
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    assert "last use" not in differences(repository)
    repository.customer.kms.create_grant(
        KeyId=first, GranteePrincipal=f"arn:aws:iam::{CUSTOMER}:root", Operations=["Encrypt"]
    )
    repository.customer.kms.encrypt(KeyId=first, Plaintext=b"somebody else's data")
    found = differences(repository)["last use"]
    assert "CloudTrail" in found["mend"]


def test_replicas_are_held_against_the_declared_ones_each_with_its_state(repository: Repository) -> None:
    first = with_replicas(repository, "eu-west-1", "eu-west-3", declared="[eu-west-1, eu-west-2]")
    replica = first.replace(REGION, "eu-west-1")
    repository.customer.client("kms", "eu-west-1").disable_key(KeyId=replica)
    seen = [difference["seen"] for difference in repository.keyturn("doctor", "--json").document["differences"]]
    assert "none in eu-west-2" in seen
    assert "one in eu-west-3" in seen
    assert f"{replica} is Disabled" in seen


@pytest.mark.requirement("EKM-34")
def test_a_replica_on_which_the_vendor_has_no_access_is_told(repository: Repository) -> None:
    first = with_replicas(repository, "eu-west-1", declared="[eu-west-1]")
    replica, there = first.replace(REGION, "eu-west-1"), repository.customer.client("kms", "eu-west-1")
    assert "vendor access" not in differences(repository)
    policy = json.loads(there.get_key_policy(KeyId=replica, PolicyName="default")["Policy"])
    policy["Statement"] = [one for one in policy["Statement"] if VENDOR not in json.dumps(one["Principal"])]
    there.put_key_policy(KeyId=replica, Policy=json.dumps(policy))
    for grant in there.list_grants(KeyId=replica)["Grants"]:
        there.revoke_grant(KeyId=replica, GrantId=grant["GrantId"])
    found = differences(repository)["vendor access"]
    assert found["seen"].endswith(f"on {replica}")
    assert "Decrypt" in found["seen"]
    assert "Backups and restores" in found["meaning"]


@pytest.mark.requirement("EKM-33")
def test_a_use_of_the_old_keys_replica_after_the_rotation_is_told(repository: Repository) -> None:
    first = with_replicas(repository, "eu-west-1", declared="[eu-west-1]")
    replica, there = first.replace(REGION, "eu-west-1"), repository.customer.client("kms", "eu-west-1")
    second = make_key(repository.customer, repository.declare(declared_generations(2)), 2)
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *AS_VENDOR).exit_code == 0
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    assert "last use" not in differences(repository)
    there.create_grant(KeyId=replica, GranteePrincipal=f"arn:aws:iam::{CUSTOMER}:root", Operations=["Encrypt"])
    there.encrypt(KeyId=replica, Plaintext=b"somebody else's data")
    found = differences(repository)["last use"]
    assert found["seen"].endswith(f"of {replica}")


@pytest.mark.requirement("EKM-34")
def test_a_replicas_policy_and_grants_are_held_against_the_declared_ones(repository: Repository) -> None:
    first = with_replicas(repository, "eu-west-1", declared="[eu-west-1]")
    replica, there = first.replace(REGION, "eu-west-1"), repository.customer.client("kms", "eu-west-1")
    assert set(differences(repository)) == {"alias"}
    there.create_grant(KeyId=replica, GranteePrincipal="arn:aws:iam::999999999999:root", Operations=["Decrypt"])
    assert differences(repository)["grant"]["seen"] == f"to account 999999999999 on {replica}"
    policy = json.loads(there.get_key_policy(KeyId=replica, PolicyName="default")["Policy"])
    policy["Statement"] = [one for one in policy["Statement"] if one["Effect"] != "Deny"]
    there.put_key_policy(KeyId=replica, Policy=json.dumps(policy))
    found = differences(repository)["replica policy"]
    assert found["seen"] == f"another meaning than declared on {replica}"
    assert "key policy" not in differences(repository)


@pytest.mark.requirement("EKM-34")
def test_the_vendors_grant_that_a_replica_lacks_is_told(repository: Repository) -> None:
    first = with_replicas(repository, "eu-west-1", declared="[eu-west-1]")
    replica, there = first.replace(REGION, "eu-west-1"), repository.customer.client("kms", "eu-west-1")
    (grant,) = there.list_grants(KeyId=replica)["Grants"]
    there.revoke_grant(KeyId=replica, GrantId=grant["GrantId"])
    assert differences(repository)["grant"]["seen"] == f"none for the vendor on {replica}"


@pytest.mark.requirement("EKM-10")
@pytest.mark.parametrize("way", ["disable", "access"])
def test_a_replica_that_was_revoked_either_way_is_no_difference(repository: Repository, way: str) -> None:
    first = with_replicas(repository, "eu-west-1", declared="[eu-west-1]")
    assert repository.keyturn("revoke", "--yes", "--way", way).exit_code == 0
    assert not {"replica state", "revocation"} & set(differences(repository))
    replica, there = first.replace(REGION, "eu-west-1"), repository.customer.client("kms", "eu-west-1")
    there.enable_key(KeyId=replica)
    there.put_key_policy(KeyId=replica, Policy=key_policy(declaration(), 1).to_json())
    found = differences(repository)["revocation"]
    assert found["seen"].endswith(f"on {replica}")
    assert "keyturn revoke" in found["mend"]
