"""The pipelines' roles do their work, and nothing beyond it: the shipped IAM policies, enforced by the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox import Identity, scrubbed_environment
from stacks.terraform_mirror import terraform_environment
from tests.builders import CUSTOMER, DECLARATION, VENDOR
from tests.cli.conftest import AGREEMENT, TERMS, Ended, Repository
from tests.ledger_stores import make_table
from tests.pipelines.roles import Session, make_roles
from tests.sandbox_fixtures import Account, refused, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
TABLE = "keyturn-ledger"
TWO = DECLARATION + f"  - number: 2\nledger: dynamodb://{TABLE}\n"


@pytest.fixture(scope="module")
def own() -> Iterator[Sandbox]:
    """A sandbox of these tests alone: the alias and the roles have their real names."""
    with start_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def owner(own: Sandbox) -> Iterator[Account]:
    account = Account(own, Identity.CUSTOMER, CUSTOMER)
    make_table(account.client("dynamodb"), TABLE)
    yield account
    account.client("dynamodb").delete_table(TableName=TABLE)


@pytest.fixture(scope="module")
def roles(owner: Account) -> Iterator[dict[str, Session]]:
    yield from make_roles(owner)


@dataclass(frozen=True)
class Pipelines:
    """A repository whose pipelines run with the roles."""

    repository: Repository
    roles: dict[str, Session]
    monkeypatch: pytest.MonkeyPatch

    def keyturn(self, role: str | None, *arguments: str) -> Ended:
        """Run a command as a role, or as the account's administrator."""
        with self.monkeypatch.context() as patched:
            for name, value in (self.roles[role].environment if role else {}).items():
                patched.setenv(name, value)
            return self.repository.keyturn(*arguments)

    def script(self, name: str, role: str, **words: str) -> subprocess.CompletedProcess[str]:
        """Run one of the pipelines' scripts as a role."""
        environment = {
            **scrubbed_environment(os.environ),
            **terraform_environment(self.repository.folder.parent / "terraform", os.environ),
            **{key: value for key, value in os.environ.items() if key.startswith("AWS_")},
            **self.roles[role].environment,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "KEYTURN_BASE_COMMIT": self.git("rev-parse", "HEAD"),
            "KEYTURN_REPORTS": str(self.repository.folder.parent / "reports"),
            "KEYTURN_STACK": "northwind",
            **words,
        }
        return subprocess.run(
            [ROOT / "pipelines" / name],
            cwd=self.repository.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@northwind.example", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=self.repository.folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=change")


@pytest.fixture
def pipelines(
    tmp_path: Path,
    owner: Account,
    roles: dict[str, Session],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Pipelines:
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, value in owner.sandbox.environment(Identity.CUSTOMER).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("CI", "true")
    made = Pipelines(Repository(folder, owner, capsys), roles, monkeypatch)
    made.repository.declare(TWO)
    (folder / "terms.txt").write_text(TERMS, encoding="utf-8")
    (folder / ".gitignore").write_text("cdktf.out/\nterraform.*.tfstate*\n.keyturn/\n", encoding="utf-8")
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit()
    return made


def findings(doctor: Ended) -> Any:
    assert doctor.exit_code in (0, 1), doctor.err
    return doctor.document


@pytest.mark.terraform
@pytest.mark.timeout(600)
@pytest.mark.requirement("EKM-16")
def test_each_role_can_do_its_work(pipelines: Pipelines) -> None:
    # Reviewed and deployed: two keys, made by a role that may make no other tenant's.
    reviewed = pipelines.script("review.sh", "planner")
    assert reviewed.returncode == 0, reviewed.stderr
    assert reviewed.stdout.startswith("PASS")
    deployed = pipelines.script("deploy.sh", "deployer")
    assert deployed.returncode == 0, deployed.stderr + deployed.stdout
    assert "5 added, 0 changed, 0 destroyed" in deployed.stdout
    state = json.loads((pipelines.repository.folder / "terraform.northwind.tfstate").read_text(encoding="utf-8"))[
        "outputs"
    ]
    first, second = (state[f"generation_{number}_key_arn"]["value"] for number in (1, 2))

    # Enabled by a person, rotated by the pipeline, with a ledger that both share.
    for role, arguments in (
        ("key-administrator", ("enable", "--key-arn", first, *AGREEMENT)),
        ("key-administrator", ("confirm", "1", "--key-arn", first, "--by", "Ada")),
        ("rotator", ("rotate", "--to", "2", "--key-arn", second)),
        ("rotator", ("confirm", "2", "--key-arn", second, "--by", "Ada")),
    ):
        done = pipelines.keyturn(role, *arguments)
        assert done.exit_code == 0, (arguments, done.err)

    # The doctor sees what an administrator sees.
    assert findings(pipelines.keyturn("doctor", "doctor", "--json")) == findings(
        pipelines.keyturn(None, "doctor", "--json")
    )

    # Evidence, signed by the one role that may.
    kms = pipelines.repository.customer.kms
    signing = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_EDWARDS25519")["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/keyturn-evidence", TargetKeyId=signing)
    export = ("status", "--evidence", "evidence.json", "--signing-key", signing)
    assert pipelines.keyturn("doctor", *export).exit_code == 4
    assert not (pipelines.repository.folder / "evidence.json").exists()
    done = pipelines.keyturn("witness", *export)
    assert done.exit_code == 0, done.err

    # Revoked and reinstated by a person.
    assert pipelines.keyturn("key-administrator", "revoke", "--yes").exit_code == 0
    assert {kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] for arn in (first, second)} == {"Disabled"}
    done = pipelines.keyturn("key-administrator", "reinstate", "--yes")
    assert done.exit_code == 0, done.err
    assert {kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] for arn in (first, second)} == {"Enabled"}


def plain_key(owner: Account, tenant: str | None = "northwind", **members: Any) -> str:
    """A key of the account whose policy leaves everything to IAM."""
    tags = [{"TagKey": "keyturn:tenant", "TagValue": tenant}] if tenant else []
    made: str = owner.client("kms").create_key(Tags=tags, **members)["KeyMetadata"]["Arn"]
    return made


def call(session: Session, operation: str, key: str | None = None, **members: Any) -> Any:
    """Call KMS as a role."""
    named = {"KeyId": key} if key is not None else {}
    return getattr(session.client("kms"), operation)(**named, **members)


STRANGER = "arn:aws:iam::444455556666:root"
GRANT = {"GranteePrincipal": f"arn:aws:iam::{VENDOR}:root", "Operations": ["Encrypt", "Decrypt"]}
OPEN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{CUSTOMER}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
)
POLICY = {"PolicyName": "default", "Policy": OPEN}
EVERYONE = {"planner", "deployer", "rotator", "doctor", "witness", "key-administrator"}
RULERS = {"deployer", "key-administrator"}
MOVERS = {"rotator", "key-administrator"}
ON_A_KEY: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "describe": ("describe_key", {}, EVERYONE),
    "read the policy": ("get_key_policy", {"PolicyName": "default"}, EVERYONE),
    "encrypt": ("encrypt", {"Plaintext": b"data"}, MOVERS),
    "make a data key": ("generate_data_key", {"KeySpec": "AES_256"}, MOVERS),
    "disable": ("disable_key", {}, RULERS),
    "change the policy": ("put_key_policy", POLICY, RULERS),
    "change the policy past AWS's check": (
        "put_key_policy",
        {**POLICY, "BypassPolicyLockoutSafetyCheck": True},
        set(),
    ),
    "grant to Druva": ("create_grant", GRANT, RULERS),
    "grant to a stranger": ("create_grant", {**GRANT, "GranteePrincipal": STRANGER}, set()),
    "grant what passes the key on": ("create_grant", {**GRANT, "Operations": ["CreateGrant", "Encrypt"]}, set()),
    "delete in thirty days": ("schedule_key_deletion", {"PendingWindowInDays": 30}, {"deployer"}),
    "delete in seven days": ("schedule_key_deletion", {"PendingWindowInDays": 7}, set()),
    "give it to another tenant": (
        "tag_resource",
        {"Tags": [{"TagKey": "keyturn:tenant", "TagValue": "southwind"}]},
        set(),
    ),
    "take its tag away": ("untag_resource", {"TagKeys": ["keyturn:tenant"]}, set()),
    "rotate the material": ("rotate_key_on_demand", {}, set()),
}


@pytest.mark.parametrize("what", ON_A_KEY)
def test_a_role_may_do_to_its_tenants_key_what_its_policy_says_and_nothing_else(
    what: str, owner: Account, roles: dict[str, Session]
) -> None:
    operation, members, may = ON_A_KEY[what]
    for role, session in roles.items():
        key = plain_key(owner)
        if role in may:
            call(session, operation, key, **members)
            continue
        before = looked_at(owner, key)
        with refused("AccessDeniedException"):
            call(session, operation, key, **members)
        assert looked_at(owner, key) == before


@pytest.mark.parametrize("what", ON_A_KEY)
def test_no_role_touches_another_tenants_key(what: str, owner: Account, roles: dict[str, Session]) -> None:
    operation, members, _ = ON_A_KEY[what]
    key = plain_key(owner, "southwind")
    before = looked_at(owner, key)
    for session in roles.values():
        with refused("AccessDeniedException"):
            call(session, operation, key, **members)
        with refused("AccessDeniedException"):
            call(session, "tag_resource", key, Tags=[{"TagKey": "keyturn:tenant", "TagValue": "northwind"}])
    assert looked_at(owner, key) == before


def looked_at(owner: Account, key: str) -> tuple[Any, ...]:
    """All that there is to see of a key."""
    kms = owner.kms
    return (
        kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"],
        kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"],
        kms.list_grants(KeyId=key)["Grants"],
        kms.list_resource_tags(KeyId=key)["Tags"],
        kms.list_aliases(KeyId=key)["Aliases"],
    )


def test_only_the_deployer_makes_keys_and_only_its_tenants(owner: Account, roles: dict[str, Session]) -> None:
    tags = {tenant: [{"TagKey": "keyturn:tenant", "TagValue": tenant}] for tenant in ("northwind", "southwind")}
    wanted: tuple[dict[str, Any], ...] = ({"Tags": tags["southwind"]}, {}, {"Tags": tags["northwind"]})
    there = owner.kms.list_keys()["Keys"]
    for role, session in roles.items():
        for members in wanted:
            if role == "deployer" and members.get("Tags") == tags["northwind"]:
                continue
            with refused("AccessDeniedException"):
                call(session, "create_key", **members)
        with refused("AccessDeniedException"):
            call(session, "create_key", Tags=tags["northwind"], Policy=OPEN, BypassPolicyLockoutSafetyCheck=True)
    assert owner.kms.list_keys()["Keys"] == there
    assert call(roles["deployer"], "create_key", Tags=tags["northwind"])["KeyMetadata"]["Enabled"]


def test_only_the_deployer_names_keys_and_only_its_tenants(owner: Account, roles: dict[str, Session]) -> None:
    key, foreign = plain_key(owner), plain_key(owner, "southwind")
    owner.kms.create_alias(AliasName="alias/southwind-ekm", TargetKeyId=foreign)
    call(roles["deployer"], "create_alias", AliasName="alias/northwind-next", TargetKeyId=key)
    before = owner.kms.list_aliases()["Aliases"]
    for role, session in roles.items():
        others = () if role == "deployer" else (("create_alias", "alias/northwind-more", key),)
        for operation, alias, target in (
            ("create_alias", "alias/other", key),
            ("create_alias", "alias/northwind-theirs", foreign),
            ("update_alias", "alias/southwind-ekm", key),
            *others,
        ):
            with refused("AccessDeniedException"):
                call(session, operation, AliasName=alias, TargetKeyId=target)
        with refused("AccessDeniedException"):
            call(session, "delete_alias", AliasName="alias/northwind-next")
    assert owner.kms.list_aliases()["Aliases"] == before


def test_the_witness_alone_signs_and_with_the_evidence_key_alone(owner: Account, roles: dict[str, Session]) -> None:
    members: dict[str, Any] = {"KeyUsage": "SIGN_VERIFY", "KeySpec": "ECC_NIST_EDWARDS25519"}
    named, other = plain_key(owner, None, **members), plain_key(owner, **members)
    aliases = {entry["AliasName"] for entry in owner.kms.list_aliases()["Aliases"]}
    name = owner.kms.update_alias if "alias/keyturn-evidence" in aliases else owner.kms.create_alias
    name(AliasName="alias/keyturn-evidence", TargetKeyId=named)
    message = {"Message": b"evidence", "SigningAlgorithm": "ED25519_SHA_512"}
    for role, session in roles.items():
        with refused("AccessDeniedException"):
            call(session, "sign", other, **message)
        if role != "witness":
            with refused("AccessDeniedException"):
                call(session, "sign", named, **message)
    assert call(roles["witness"], "sign", named, **message)["Signature"]


def test_the_doctor_and_the_witness_only_read_the_ledger_and_nobody_reads_another_tenants(
    owner: Account, roles: dict[str, Session]
) -> None:
    rows = {
        tenant: {"partition_key": {"S": f"{tenant}#head"}, "sort_key": {"S": "role-test"}}
        for tenant in ("northwind", "southwind")
    }
    readers = {"doctor", "witness", "rotator", "key-administrator"}
    for role, session in roles.items():
        client = session.client("dynamodb")
        for tenant, row in rows.items():
            if tenant == "northwind" and role in readers:
                client.get_item(TableName=TABLE, Key=row)
            else:
                with refused("AccessDeniedException"):
                    client.get_item(TableName=TABLE, Key=row)
            if tenant == "northwind" and role in MOVERS:
                client.put_item(TableName=TABLE, Item=row)
                client.delete_item(TableName=TABLE, Key=row)
            else:
                with refused("AccessDeniedException"):
                    client.put_item(TableName=TABLE, Item=row)
        with refused("AccessDeniedException"):
            client.scan(TableName=TABLE)
    assert owner.client("dynamodb").get_item(TableName=TABLE, Key=rows["southwind"]).get("Item") is None
