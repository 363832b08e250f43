from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import ExitCode, InputError
from engine.lifecycle import GenerationState
from stacks.declarations import declared_path, load_declarations
from tests.stacks.declared import CUSTOMER, EXISTING_KEY, declaration_text
from tests.stacks.proofs import evidence, generation

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, name: str = "ekm.yaml", **changes: Any) -> Path:
    file = folder / name
    file.write_text(declaration_text(**changes))
    return file


def mistakes(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_declarations(path)
    assert caught.value.exit_code is ExitCode.INPUT
    return [str(mistake).removeprefix(f"{path}") for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, "ekm.yaml"), ({"KEYTURN_DECLARATION": ""}, "ekm.yaml"), ({"KEYTURN_DECLARATION": "tenants"}, "tenants")],
)
def test_the_environment_names_the_declaration(environment: dict[str, str], expected: str) -> None:
    assert str(declared_path(environment)) == expected


def test_a_file_is_one_tenant(tmp_path: Path) -> None:
    assert [declaration.tenant for declaration in load_declarations(write(tmp_path))] == ["northwind"]


def test_a_folder_is_a_tenant_for_each_file_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "b.yaml")
    write(tmp_path, "a.yml", tenant="contoso", alias="alias/contoso-ekm")
    (tmp_path / "README.md").write_text("# not a declaration")
    (tmp_path / ".draft.yaml").write_text("not: a declaration")
    (tmp_path / "archive").mkdir()
    assert [declaration.tenant for declaration in load_declarations(tmp_path)] == ["contoso", "northwind"]


def test_a_missing_declaration_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist") as caught:
        load_declarations(tmp_path / "ekm.yaml")
    assert caught.value.hint is not None
    assert "keyturn init" in caught.value.hint


def test_a_name_that_no_file_can_have_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: File name too long"):
        load_declarations(tmp_path / ("a" * 300))


def test_a_folder_without_declarations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no declaration"):
        load_declarations(tmp_path)


def test_every_mistake_of_every_file_is_reported_at_its_place(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", revoked="no", current=3)
    (tmp_path / "b.yaml").write_bytes(b"tenant: \xff")
    (tmp_path / "c.yaml").mkdir()
    found = mistakes(tmp_path)
    assert found[0].startswith("/a.yaml:22:14: current is 3; expected ")
    assert found[1].startswith("/a.yaml:23:14: revoked is ")
    assert found[2].startswith("/b.yaml:1:9: the byte 0xff is not UTF-8")
    assert "is a folder" in found[3]
    assert len(found) == 4


def test_an_alias_on_a_current_key_of_unknown_arn_is_refused(tmp_path: Path) -> None:
    (found,) = mistakes(write(tmp_path, generations=[{"number": 1, "address": "aws_kms_key.ekm"}]))
    assert found.startswith(":27:18: the stacks cannot point the alias 'alias/northwind-ekm'")
    assert "expected" in found


@pytest.mark.parametrize("origin", ["EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])
def test_a_key_of_any_origin_that_exists_can_be_declared(tmp_path: Path, origin: str) -> None:
    file = write(tmp_path, generations=[{"number": 1, "origin": origin, "key_arn": EXISTING_KEY}])
    (declaration,) = load_declarations(file)
    assert not declaration.generation(1).made_by_stacks


def test_what_a_deleted_generation_once_was_no_longer_matters(tmp_path: Path) -> None:
    deleted = {"number": 1, "state": "deleted", "origin": "EXTERNAL", "alias": "alias/one"}
    file = write(tmp_path, current=2, generations=[deleted, {"number": 2}])
    proved = evidence(tmp_path, generation(1, GenerationState.DELETED), generation(2, GenerationState.CURRENT, 40))
    assert len(load_declarations(file, proved)) == 1


def test_an_alias_on_a_key_of_unknown_arn_is_refused(tmp_path: Path) -> None:
    made_elsewhere = {"number": 2, "address": "aws_kms_key.ekm", "alias": "alias/two"}
    file = write(tmp_path, generations=[{"number": 1}, made_elsewhere])
    (found,) = mistakes(file)
    assert found.startswith(":31:16: the stacks cannot point the alias 'alias/two' to generation 2")


def test_a_key_policy_beyond_the_limit_of_aws_is_refused(tmp_path: Path) -> None:
    administrators = [f"arn:aws:iam::{CUSTOMER}:role/path/{number:0500}" for number in range(64)]
    (found,) = mistakes(write(tmp_path, key_administrators=administrators))
    assert "the key policy would be" in found
    assert "at most 32768 bytes" in found


def test_two_files_cannot_declare_the_same_tenant_alias_or_key(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", generations=[{"number": 1, "key_arn": EXISTING_KEY, "alias": "alias/one"}])
    write(tmp_path, "b.yaml", generations=[{"number": 1, "key_arn": EXISTING_KEY, "alias": "alias/one"}])
    found = mistakes(tmp_path)
    assert [message.split(": ", 1)[1].split(" is declared")[0] for message in found] == [
        "the tenant 'northwind'",
        "the alias 'alias/northwind-ekm'",
        "the alias 'alias/one'",
        f"the key {EXISTING_KEY}",
    ]
    assert all(message.startswith("/b.yaml:") and "/a.yaml too" in message for message in found)


def test_no_two_stacks_have_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", tenant="acme", alias="alias/a", alerts={"emails": ["keys@example.com"]})
    write(tmp_path, "b.yaml", tenant="acme-alerts", alias="alias/b", ledger="dynamodb://the.ledger")
    write(tmp_path, "c.yaml", tenant="ledger-the-ledger", alias="alias/c", vault="s3://the-vault/c")
    write(tmp_path, "d.yaml", tenant="contoso", alias="alias/d", ledger="dynamodb://the_ledger", vault="s3://the-vault")
    found = [message.split(" would have the name of that of ") for message in mistakes(tmp_path)]
    assert [(of.split(": ")[1], other.split("; ")[0]) for of, other in found] == [
        ("the stack 'acme-alerts' of the tenant 'acme-alerts'", f"the alerts of 'acme' in {tmp_path}/a.yaml"),
        (
            "the stack 'ledger-the-ledger' of the tenant 'ledger-the-ledger'",
            f"the table 'the.ledger' in {tmp_path}/b.yaml",
        ),
        ("the stack 'ledger-the-ledger' of the table 'the_ledger'", f"the table 'the.ledger' in {tmp_path}/b.yaml"),
    ]


@pytest.mark.parametrize(
    ("elsewhere", "named"),
    [
        ({"account_id": CUSTOMER, "region": "eu-west-1"}, f"the account {CUSTOMER} and Region eu-west-1"),
        ({"account_id": "111122223333", "region": "us-east-1"}, "the account 111122223333 and Region us-east-1"),
    ],
)
def test_a_table_of_the_same_name_elsewhere_is_another_and_not_left_unmade(
    tmp_path: Path, elsewhere: dict[str, str], named: str
) -> None:
    table = {"ledger": "dynamodb://keyturn"}
    administrators = [f"arn:aws:iam::{elsewhere['account_id']}:role/KeyAdmin"]
    write(tmp_path, "a.yaml", tenant="northwind", **table)
    write(tmp_path, "b.yaml", tenant="beside", alias="alias/beside", **table)
    assert len(load_declarations(tmp_path)) == 2
    write(tmp_path, "c.yaml", tenant="far", aws=elsewhere, key_administrators=administrators, **table)
    (found,) = mistakes(tmp_path)
    assert found.endswith(
        f"the stack 'ledger-keyturn' of the table 'keyturn' in {named} would have the name of that of the table "
        f"'keyturn' in the account {CUSTOMER} and Region us-east-1 in {tmp_path}/a.yaml; "
        "expected a name of its own for each stack"
    )


def test_tenants_of_different_regions_may_share_an_alias(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    write(tmp_path, "b.yaml", tenant="northwind-eu", aws={"account_id": CUSTOMER, "region": "eu-west-1"})
    assert len(load_declarations(tmp_path)) == 2
