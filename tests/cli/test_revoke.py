"""`keyturn revoke` and `reinstate`: every key, whatever else is broken, and back again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from engine.access import KeyState
from engine.arn import parse_key_arn
from engine.declaration import parse_declaration
from engine.errors import MachineError
from engine.ledger.sqlite import SqliteLedger
from engine.lifecycle import Observe, Revoke, Rotate
from engine.transitions import carry_out
from stacks.custody import VENDOR_GRANT_OPERATIONS, custody_of
from stacks.key_policy import key_policy
from tests.builders import ACTOR, CUSTOMER, DECLARATION, NOW, REGION, VENDOR, declared_generations
from tests.cli.conftest import AGREEMENT, Repository
from tests.cli.conftest import VENDOR as AS_VENDOR
from tests.cli.test_rotate import fill
from tests.sandbox_fixtures import refused
from tests.tenant_keys import make_key

if TYPE_CHECKING:
    from engine.ledger.interface import Head
    from tests.sandbox_fixtures import Account


def state_of(repository: Repository, arn: str) -> str:
    return str(repository.customer.kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"])


def declared(repository: Repository) -> str:
    return (repository.folder / "ekm.yaml").read_text(encoding="utf-8")


def is_revoked(repository: Repository) -> bool:
    events = [e["event"] for e in repository.keyturn("history", "--json").document]
    turns = [event for event in events if event in {"revoked", "reinstated"}]
    return bool(turns) and turns[-1] == "revoked"


def statements(repository: Repository, arn: str) -> list[dict[str, Any]]:
    policy = repository.customer.kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
    found: list[dict[str, Any]] = json.loads(policy)["Statement"]
    return found


def grants(repository: Repository, arn: str) -> list[dict[str, Any]]:
    return [dict(grant) for grant in repository.customer.kms.list_grants(KeyId=arn)["Grants"]]


def rotated(repository: Repository) -> tuple[str, str]:
    """A tenant with data under generation 2, and generation 1 retained."""
    first = repository.enabled()
    fill(repository, "anna")
    second = repository.with_second_generation()
    assert repository.keyturn("rotate", "--to", "2", "--key-arn", second, *AS_VENDOR).exit_code == 0
    return first, second


def with_replicas(repository: Repository, *regions: str, declared: str) -> str:
    """A tenant that is enabled with a multi-Region key, which has replicas; the key's ARN."""
    text = DECLARATION.replace("first key", f"first key\n    multi_region: true\n    replicas: {declared}")
    declaration = repository.declare(text.replace("alias/northwind-ekm", "alias/none-ekm"))
    first = make_key(repository.customer, declaration, 1, MultiRegion=True)
    policy = key_policy(declaration, 1).to_json()
    for region in regions:
        repository.customer.kms.replicate_key(KeyId=first, ReplicaRegion=region, Policy=policy)
        repository.customer.client("kms", region).create_grant(
            KeyId=first.replace(REGION, region),
            GranteePrincipal=f"arn:aws:iam::{VENDOR}:root",
            Operations=list(VENDOR_GRANT_OPERATIONS),
        )
    assert repository.keyturn("enable", "--key-arn", first, *AGREEMENT, *AS_VENDOR).exit_code == 0
    return first


@pytest.mark.requirement("EKM-10")
@pytest.mark.parametrize("way", ["disable", "access"])
def test_replicas_are_revoked_in_their_own_regions_whether_declared_or_not(repository: Repository, way: str) -> None:
    first = with_replicas(repository, "eu-west-1", "eu-west-3", declared="[eu-west-1]")
    keys = {region: first.replace(REGION, region) for region in (REGION, "eu-west-1", "eu-west-3")}
    ended = repository.keyturn("revoke", "--yes", "--way", way, "--json")
    assert ended.exit_code == 0, ended.err
    assert {key["key_arn"] for key in ended.document["keys"]} == set(keys.values())
    for region, arn in keys.items():
        kms = repository.customer.client("kms", region)
        policy = kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
        assert kms.describe_key(KeyId=arn)["KeyMetadata"]["Enabled"] is (way == "access")
        assert (VENDOR in policy) is (way == "disable")
    assert repository.keyturn("reinstate", "--yes").exit_code == 0
    for region, arn in keys.items():
        kms = repository.customer.client("kms", region)
        assert kms.describe_key(KeyId=arn)["KeyMetadata"]["Enabled"] is True
        assert VENDOR in kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]


@pytest.mark.requirement("EKM-10")
@pytest.mark.requirement("EKM-43")
def test_the_impact_is_shown_first_and_every_unreleased_key_is_disabled(repository: Repository) -> None:
    first, second = rotated(repository)
    ended = repository.keyturn("revoke", "--yes")
    assert ended.exit_code == 0, ended.err
    shown = ended.err.splitlines()
    impact = next(number for number, line in enumerate(shown) if "This takes away the access to 2 keys" in line)
    assert impact < next(number for number, line in enumerate(shown) if line.startswith("SUCCESS"))
    assert "Microsoft 365: " in ended.err
    assert "Legal hold downloads go on" in ended.err
    assert (state_of(repository, first), state_of(repository, second)) == ("Disabled", "Disabled")
    assert is_revoked(repository)
    assert repository.keyturn("run", "backup", "--source", "tenant", *AS_VENDOR).exit_code == 4


@pytest.mark.requirement("EKM-10")
def test_the_declaration_says_revoked_afterwards_and_keeps_its_comments(repository: Repository) -> None:
    repository.enabled()
    text = declared(repository).replace("revoked: false\n", "# the switch\nrevoked: false   # never by hand\n")
    repository.declare(text)
    assert repository.keyturn("revoke", "--yes").exit_code == 0
    assert declared(repository) == text.replace("revoked: false  ", "revoked: true  ")
    declaration = parse_declaration("ekm.yaml", declared(repository).encode())
    custody = custody_of(declaration, declaration.generations[0])
    assert (custody.enabled, custody.vendor_by_key_policy, custody.vendor_by_grant) == (False, False, False)
    assert repository.keyturn("reinstate", "--yes").exit_code == 0
    assert declared(repository) == text


def test_without_a_terminal_and_without_yes_nothing_is_changed(repository: Repository) -> None:
    first = repository.enabled()
    before, text = repository.ledger_state(), declared(repository)
    for command in ("revoke", "revoke --way access"):
        ended = repository.keyturn(*command.split())
        assert ended.exit_code == 2
        assert "'northwind' is meant" in ended.err
    assert state_of(repository, first) == "Enabled"
    assert (repository.ledger_state(), declared(repository)) == (before, text)


@pytest.mark.requirement("EKM-10")
def test_what_is_revoked_comes_back_and_what_was_stored_is_restored(repository: Repository) -> None:
    first, second = rotated(repository)
    assert repository.keyturn("revoke", "--yes").exit_code == 0
    ended = repository.keyturn("reinstate", "--yes")
    assert ended.exit_code == 0, ended.err
    assert (state_of(repository, first), state_of(repository, second)) == ("Enabled", "Enabled")
    assert not is_revoked(repository)
    assert repository.keyturn("run", "restore", "--to", "restored", *AS_VENDOR).exit_code == 0
    again = repository.keyturn("reinstate", "--yes")
    assert again.exit_code == 1
    assert "is not revoked" in again.err


@pytest.mark.requirement("EKM-10")
def test_taking_the_access_away_ends_the_vendors_statements_and_grants_its_own_too(
    repository: Repository, vendor: Account
) -> None:
    first = repository.enabled()
    allowed = {
        "Sid": "Vendor's own grants",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{VENDOR}:root"},
        "Action": ["kms:CreateGrant", "kms:RetireGrant"],
        "Resource": "*",
    }
    policy = {"Version": "2012-10-17", "Statement": [*statements(repository, first), allowed]}
    repository.customer.kms.put_key_policy(KeyId=first, PolicyName="default", Policy=json.dumps(policy))
    vendor.kms.create_grant(KeyId=first, GranteePrincipal=f"arn:aws:iam::{VENDOR}:role/Worker", Operations=["Decrypt"])
    repository.customer.kms.create_grant(
        KeyId=first,
        GranteePrincipal=f"arn:aws:iam::{CUSTOMER}:role/Own",
        RetiringPrincipal=f"arn:aws:iam::{VENDOR}:role/Worker",
        Operations=["Decrypt"],
    )
    own = repository.customer.kms.create_grant(
        KeyId=first, GranteePrincipal=f"arn:aws:iam::{CUSTOMER}:role/Own", Operations=["Encrypt"]
    )["GrantId"]
    before = statements(repository, first)
    ended = repository.keyturn("revoke", "--yes", "--way", "access")
    assert ended.exit_code == 0, ended.err
    assert "1 grants that the vendor made are gone for good" in ended.err
    assert [grant["GrantId"] for grant in grants(repository, first)] == [own]
    assert VENDOR not in json.dumps([s["Principal"] for s in statements(repository, first)])
    assert state_of(repository, first) == "Enabled"
    with refused("AccessDeniedException"):
        vendor.kms.encrypt(KeyId=first, Plaintext=b"x")
    assert repository.keyturn("reinstate", "--yes").exit_code == 0
    assert statements(repository, first) == before
    assert len(grants(repository, first)) == 3
    vendor.kms.encrypt(KeyId=first, Plaintext=b"x")


@pytest.mark.requirement("EKM-10")
def test_an_interrupted_taking_away_is_run_again_and_gives_everything_back(repository: Repository) -> None:
    first = repository.enabled()
    before, held = statements(repository, first), len(grants(repository, first))
    assert repository.keyturn("revoke", "--yes", "--way", "access").exit_code == 0
    # As after a kill between the policy and the grants, and before anything was recorded.
    repository.customer.kms.create_grant(
        KeyId=first, GranteePrincipal=f"arn:aws:iam::{VENDOR}:root", Operations=["Decrypt"]
    )
    assert repository.keyturn("revoke", "--yes", "--way", "access").exit_code == 0
    assert grants(repository, first) == []
    assert repository.keyturn("reinstate", "--yes").exit_code == 0
    assert statements(repository, first) == before
    assert len(grants(repository, first)) == held + 1
    assert not (repository.folder / ".keyturn" / "revoked-access.json").exists()


@pytest.mark.requirement("EKM-10")
def test_a_grant_that_is_there_under_another_constraint_is_not_taken_for_the_one_to_give_back(
    repository: Repository,
) -> None:
    first = repository.enabled()

    def give(purpose: str) -> None:
        repository.customer.kms.create_grant(
            KeyId=first,
            GranteePrincipal=f"arn:aws:iam::{VENDOR}:role/Worker",
            Operations=["Decrypt"],
            Constraints={"EncryptionContextSubset": {"keyturn:purpose": purpose}},
        )

    give("payload")
    give("legal_hold")
    before = sorted(str(grant.get("Constraints")) for grant in grants(repository, first))
    assert repository.keyturn("revoke", "--yes", "--way", "access").exit_code == 0
    give("payload")  # as after a kill of `reinstate` between the two
    assert repository.keyturn("reinstate", "--yes").exit_code == 0
    assert sorted(str(grant.get("Constraints")) for grant in grants(repository, first)) == before


@pytest.mark.requirement("EKM-10")
def test_a_policy_that_was_changed_meanwhile_keeps_its_change(repository: Repository) -> None:
    first = repository.enabled()
    assert repository.keyturn("revoke", "--yes", "--way", "access").exit_code == 0
    mine = {"Sid": "Mine", "Effect": "Deny", "Principal": "*", "Action": "kms:DeleteAlias", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [*statements(repository, first), mine]}
    repository.customer.kms.put_key_policy(KeyId=first, PolicyName="default", Policy=json.dumps(policy))
    assert repository.keyturn("reinstate", "--yes").exit_code == 0
    assert mine in statements(repository, first)
    assert VENDOR in json.dumps(statements(repository, first))


@pytest.mark.requirement("EKM-10")
def test_a_statement_for_everyone_is_told_instead_of_overlooked(repository: Repository) -> None:
    first = repository.enabled()
    everyone = {"Sid": "Everyone", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [*statements(repository, first), everyone]}
    repository.customer.kms.put_key_policy(KeyId=first, PolicyName="default", Policy=json.dumps(policy))
    ended = repository.keyturn("revoke", "--yes", "--way", "access")
    assert ended.exit_code == 4
    assert "still has access" in ended.err
    assert "--way disable" in ended.err
    assert repository.keyturn("revoke", "--yes").exit_code == 0
    assert state_of(repository, first) == "Disabled"


@pytest.mark.requirement("EKM-10")
def test_one_key_that_fails_does_not_keep_the_others_from_being_revoked(repository: Repository) -> None:
    first, second = rotated(repository)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:DisableKey", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [*statements(repository, first), deny]}
    repository.customer.kms.put_key_policy(KeyId=first, PolicyName="default", Policy=json.dumps(policy))
    ended = repository.keyturn("revoke", "--yes", "--json")
    assert ended.exit_code == 4
    assert {key["key_arn"]: key["done"] for key in ended.document["keys"]} == {first: False, second: True}
    assert ended.document["revoked"] is False
    assert state_of(repository, second) == "Disabled"
    assert "revoked: true" in declared(repository)
    assert is_revoked(repository)
    kept = {"Version": "2012-10-17", "Statement": policy["Statement"][:-1]}
    repository.customer.kms.put_key_policy(KeyId=first, PolicyName="default", Policy=json.dumps(kept))
    again = repository.keyturn("revoke", "--yes", "--json")
    assert (again.exit_code, again.document["revoked"]) == (0, True)
    assert state_of(repository, first) == "Disabled"


@pytest.mark.requirement("EKM-10")
@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_without_the_ledger_the_keys_are_found_by_tag_and_revoked(repository: Repository, how: str) -> None:
    # A tenant of its own: the sandbox is shared, and the tag finds every key of this name.
    repository.declare(declared(repository).replace("northwind", f"tenant-{how}"))
    first = repository.enabled()
    repository.declare(declared(repository) + "  - number: 2\n")
    second = repository.deploy(2)
    ledger = repository.folder / ".keyturn"
    kept = ledger.rename(repository.folder / "elsewhere")
    if how == "damaged":
        ledger.mkdir()
        (ledger / "ledger.db").write_bytes(b"no database at all" * 100)
    ended = repository.keyturn("revoke", "--yes")
    assert ended.exit_code in {3, 5, 6}
    assert "the ledger is not at hand" in ended.err
    assert (state_of(repository, first), state_of(repository, second)) == ("Disabled", "Disabled")
    assert "revoked: true" in declared(repository)
    shutil.rmtree(ledger, ignore_errors=True)
    kept.rename(ledger)
    again = repository.keyturn("revoke", "--yes")
    assert again.exit_code == 0, again.err
    assert is_revoked(repository)


@pytest.mark.requirement("EKM-10")
def test_a_key_that_is_pending_deletion_already_counts_as_taken_away(repository: Repository) -> None:
    first = repository.enabled()
    policy = {
        "Version": "2012-10-17",
        "Statement": [s for s in statements(repository, first) if s["Effect"] == "Allow"],
    }
    repository.customer.kms.put_key_policy(KeyId=first, PolicyName="default", Policy=json.dumps(policy))
    repository.customer.kms.schedule_key_deletion(KeyId=first, PendingWindowInDays=7)
    ended = repository.keyturn("revoke", "--yes")
    assert ended.exit_code == 0, ended.err
    assert "was PendingDeletion already" in ended.err
    back = repository.keyturn("reinstate", "--yes")
    assert back.exit_code == 4
    assert is_revoked(repository)
    repository.customer.kms.cancel_key_deletion(KeyId=first)
    assert repository.keyturn("reinstate", "--yes").exit_code == 0


@pytest.mark.requirement("EKM-10")
def test_a_declaration_that_cannot_be_written_does_not_prevent_it(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.enabled()
    text = declared(repository)

    def refuse(*_: object, **__: object) -> bool:
        raise MachineError("'ekm.yaml' cannot be written: Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr("engine.declaration_edit.set_revoked", refuse)
        ended = repository.keyturn("revoke", "--yes")
    assert ended.exit_code == 6
    assert "Read-only file system" in ended.err
    assert (state_of(repository, first), declared(repository)) == ("Disabled", text)
    assert is_revoked(repository)


def test_keys_of_an_earlier_generation_that_was_retired_stay_disabled(repository: Repository) -> None:
    first, second = rotated(repository)
    assert repository.keyturn("confirm", "2", "--key-arn", second).exit_code == 0
    repository.declare(declared_generations(2) + "retention_days: 0\n")
    override = ("--override-by", "Ada", "--override-reason", "CloudTrail shows no use")
    assert repository.keyturn("retire", "1", *override).exit_code == 0
    repository.customer.kms.disable_key(KeyId=first)
    assert repository.keyturn("revoke", "--yes").exit_code == 0
    assert repository.keyturn("reinstate", "--yes").exit_code == 0
    assert (state_of(repository, first), state_of(repository, second)) == ("Disabled", "Enabled")


@pytest.mark.requirement("EKM-10")
@pytest.mark.parametrize("other", ["observes a key", "revokes too"])
def test_another_writer_in_between_does_not_keep_a_revocation_from_being_recorded(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    first = repository.enabled()
    commit, came = SqliteLedger.commit, list[str]()

    def after_another(ledger: SqliteLedger, *arguments: Any) -> Head:
        if not came:
            came.append(other)
            command = Revoke("Bob") if other == "revokes too" else Observe(1, KeyState.DISABLED)
            carry_out(ledger, command, ACTOR, NOW)
        return commit(ledger, *arguments)

    monkeypatch.setattr(SqliteLedger, "commit", after_another)
    ended = repository.keyturn("revoke", "--yes")
    assert (ended.exit_code, came) == (0, [other]), ended.err
    assert state_of(repository, first) == "Disabled"
    assert [e["event"] for e in repository.keyturn("history", "--json").document].count("revoked") == 1
    assert repository.keyturn("status", "--offline", "--json").document["revoked"] is True


@pytest.mark.requirement("EKM-10")
def test_a_generation_that_another_writer_rotates_to_in_between_is_revoked_too(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.enabled()
    repository.declare(declared_generations(2).replace("alias/northwind-ekm", "alias/none-ekm"))
    second = repository.deploy(2)
    commit, came = SqliteLedger.commit, list[str]()

    def after_a_rotation(ledger: SqliteLedger, *arguments: Any) -> Head:
        if not came:
            came.append(second)
            carry_out(ledger, Rotate(2, parse_key_arn(second)), ACTOR, NOW)
        return commit(ledger, *arguments)

    monkeypatch.setattr(SqliteLedger, "commit", after_a_rotation)
    ended = repository.keyturn("revoke", "--yes", "--json")
    assert (ended.exit_code, came) == (0, [second]), ended.err
    assert (state_of(repository, first), state_of(repository, second)) == ("Disabled", "Disabled")
    assert {key["key_arn"] for key in ended.document["keys"]} == {first, second}
    assert is_revoked(repository)


@pytest.mark.requirement("EKM-10")
def test_a_shared_ledger_that_is_out_of_reach_does_not_prevent_it(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.enabled()
    shared = declared(repository).replace("generations:", "ledger: dynamodb://keyturn-ledger\ngenerations:")
    repository.declare(shared.replace("northwind", "tenant-shared"))
    repository.customer.kms.tag_resource(KeyId=first, Tags=[{"TagKey": "keyturn:tenant", "TagValue": "tenant-shared"}])
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    ended = repository.keyturn("revoke", "--yes")
    assert ended.exit_code in {3, 4}
    assert "the ledger is not at hand" in ended.err
    assert state_of(repository, first) == "Disabled"
    assert "revoked: true" in declared(repository)


@pytest.mark.requirement("EKM-10")
def test_data_keys_that_cannot_be_counted_do_not_prevent_it(repository: Repository) -> None:
    first = repository.enabled()
    with closing(sqlite3.connect(repository.folder / ".keyturn" / "ledger.db", isolation_level=None)) as ledger:
        ledger.execute("DROP TABLE data_keys")
    ended = repository.keyturn("revoke", "--yes")
    assert ended.exit_code == 0, ended.err
    assert "cannot be counted" in ended.err
    assert state_of(repository, first) == "Disabled"
    assert is_revoked(repository)
