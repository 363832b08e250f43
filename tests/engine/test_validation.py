"""Which keys may become a generation, tried on real keys of the sandbox (EKM-23, EKM-29)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from engine.arn import KeyArn, parse_key_arn
from engine.errors import InputError, KeyAccessError, RefusedError
from engine.lifecycle import Confirm, Enable, FinishRewrap, Register, Transition, decide
from engine.validation import Outcome, ValidationReport, validate_key
from stacks.custody import VENDOR_GRANT_OPERATIONS
from tests.builders import DECLARATION, NOW, cloud_state, declaration, declared_generations, key_arn
from tests.sandbox_fixtures import refused
from tests.tenant_keys import callers, make_key

if TYPE_CHECKING:
    from engine.lifecycle import TenantState
    from tests.sandbox_fixtures import Account

DECLARED = declaration()


def validate(customer: Account, arn: str, vendor: Account | None = None, number: int = 1) -> ValidationReport:
    return validate_key(DECLARED, number, arn, cloud_state(), callers(customer, vendor))


def failed(report: ValidationReport) -> dict[str, str]:
    return {check.name: check.message for check in report.checks if check.outcome is Outcome.FAILED}


def statements(arn: str, customer: Account) -> list[dict[str, object]]:
    policy = customer.kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
    found: list[dict[str, object]] = json.loads(policy)["Statement"]
    return found


def put_statements(arn: str, customer: Account, kept: list[dict[str, object]]) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": kept})
    customer.kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=policy)


@pytest.mark.requirement("EKM-23")
@pytest.mark.requirement("EKM-29")
def test_a_key_as_the_stacks_make_it_passes_and_the_vendor_really_can_use_it(
    customer: Account, vendor: Account
) -> None:
    report = validate(customer, make_key(customer, DECLARED, 1), vendor)
    assert failed(report) == {}
    assert report.passed
    assert [check.name for check in report.checks] == [
        *("place", "declared", "unused", "found", "kind", "origin", "enabled", "tags"),
        *("administrators", "vendor access", "vendor paths", "round trip", "vendor round trip"),
    ]
    assert all(check.outcome is Outcome.PASSED for check in report.checks)


def test_without_the_vendors_credentials_its_access_is_said_to_be_not_exercised(customer: Account) -> None:
    report = validate(customer, make_key(customer, DECLARED, 1))
    assert report.passed
    assert report.checks[-1].outcome is Outcome.NOT_EXERCISED


def test_credentials_of_another_account_prove_nothing_about_the_vendor(customer: Account) -> None:
    report = validate(customer, make_key(customer, DECLARED, 1), customer)
    assert "not of Druva's 210987654321" in failed(report)["vendor round trip"]


@pytest.mark.requirement("EKM-05")
@pytest.mark.parametrize(
    ("arn", "message"),
    [
        (str(key_arn(1, account_id="999999999999")), "not in yours"),
        (str(key_arn(1, account_id="210987654321")), "Druva's own account"),
        (str(key_arn(1, region="eu-west-1")), "eu-west-1"),
    ],
)
def test_a_key_elsewhere_is_refused_before_aws_is_asked(customer: Account, arn: str, message: str) -> None:
    report = validate(customer, arn)
    assert message in failed(report)["place"]
    assert [check.name for check in report.checks] == ["place", "declared", "unused"]


@pytest.mark.requirement("EKM-07")
def test_a_key_outside_aws_is_refused_by_its_hosts_name(customer: Account) -> None:
    with pytest.raises(InputError) as caught:
        validate(customer, "https://acme.vault.azure.net/keys/ekm")
    assert "Azure Key Vault" in caught.value.message


@pytest.mark.requirement("EKM-09")
def test_the_keys_real_state_is_observed(customer: Account) -> None:
    arn = make_key(customer, DECLARED, 1)
    customer.kms.disable_key(KeyId=arn)
    assert failed(validate(customer, arn)) == {"enabled": "its state is Disabled, not Enabled"}
    assert "finds no key" in failed(validate(customer, str(key_arn(9))))["found"]


@pytest.mark.requirement("EKM-14")
def test_an_asymmetric_key_is_refused(customer: Account) -> None:
    arn = make_key(customer, DECLARED, 1, grant=False, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    customer.kms.disable_key(KeyId=arn)
    assert "RSA_2048" in failed(validate(customer, arn))["kind"]


@pytest.mark.requirement("EKM-14")
def test_a_key_that_aws_manages_is_refused(customer: Account) -> None:
    arn = customer.kms.describe_key(KeyId="alias/aws/backup")["KeyMetadata"].get("Arn", "")
    assert "a key of AWS's own" in failed(validate(customer, arn))["kind"]


@pytest.mark.requirement("EKM-29")
def test_a_key_of_another_generation_or_tenant_is_refused(customer: Account) -> None:
    tags = {"keyturn:tenant": "southwind", "keyturn:generation": "2"}
    message = failed(validate(customer, make_key(customer, DECLARED, 1, tags=tags)))["tags"]
    assert "'southwind' instead of 'northwind'" in message
    assert "'2' instead of '1'" in message
    assert "is missing" in failed(validate(customer, make_key(customer, DECLARED, 1, tags={})))["tags"]


def test_an_existing_key_that_is_declared_by_its_arn_needs_no_tags(customer: Account) -> None:
    arn = make_key(customer, DECLARED, 1, tags={})
    declared = declaration(DECLARATION + f"    key_arn: {arn}\n")
    assert validate_key(declared, 1, arn, cloud_state(), callers(customer)).passed
    other = make_key(customer, DECLARED, 1, tags={})
    report = validate_key(declared, 1, other, cloud_state(), callers(customer))
    assert "the declaration says" in failed(report)["declared"]


@pytest.mark.requirement("EKM-18")
@pytest.mark.requirement("EKM-20")
@pytest.mark.parametrize("missing", ["kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"])
def test_a_vendor_that_lacks_anything_it_needs_is_noticed(customer: Account, vendor: Account, missing: str) -> None:
    arn = make_key(customer, DECLARED, 1, grant=False)
    kept = statements(arn, customer)
    for statement in kept:
        if statement["Sid"] == "Allow use of the Key for Druva inSync":
            statement["Action"] = [action for action in statement["Action"] if action != missing]  # type: ignore[attr-defined]
    put_statements(arn, customer, kept)
    assert "lacks" in failed(validate(customer, arn, vendor))["vendor access"]


def test_what_a_vendor_lacks_for_one_reason_is_told_once(customer: Account, vendor: Account) -> None:
    arn = make_key(customer, DECLARED, 1, grant=False)
    put_statements(arn, customer, statements(arn, customer)[:1])
    told = failed(validate(customer, arn, vendor))["vendor access"]
    assert "lacks Encrypt, Decrypt, " in told
    assert told.count("no grant allows it to account") == 1


@pytest.mark.requirement("EKM-20")
def test_a_vendor_whose_access_depends_on_a_condition_is_not_a_yes(customer: Account) -> None:
    arn = make_key(customer, DECLARED, 1, grant=False)
    kept = statements(arn, customer)
    for statement in kept:
        if statement["Sid"] == "Allow use of the Key for Druva inSync":
            statement["Condition"] = {"StringEquals": {"aws:SourceVpce": "vpce-1234"}}
    put_statements(arn, customer, kept)
    assert "depends" in failed(validate(customer, arn))["vendor access"]


@pytest.mark.parametrize(
    ("declared", "grant", "policy_kept", "passes"),
    [
        ("both", True, True, True),
        ("both", False, True, False),
        ("both", True, False, False),
        ("key_policy", False, True, True),
        ("grant", True, False, True),
    ],
)
def test_each_declared_way_of_the_vendors_access_must_suffice_alone(
    customer: Account, declared: str, grant: bool, policy_kept: bool, passes: bool
) -> None:
    arn = make_key(customer, DECLARED, 1, grant=grant)
    if not policy_kept:
        kept = [s for s in statements(arn, customer) if "Druva" not in str(s["Sid"])]
        put_statements(arn, customer, kept)
    access = declaration(DECLARATION.replace("vendor_access: both", f"vendor_access: {declared}"))
    report = validate_key(access, 1, arn, cloud_state(), callers(customer))
    assert report.passed is passes
    assert ("vendor paths" in failed(report)) is not passes


@pytest.mark.requirement("EKM-16")
def test_an_administrator_without_power_over_the_key_is_noticed(customer: Account) -> None:
    arn = make_key(customer, DECLARED, 1)
    deny: dict[str, object] = {
        "Sid": "No",
        "Effect": "Deny",
        "Principal": {"AWS": "arn:aws:iam::123456789012:role/KeyAdmin"},
        "Action": "kms:DisableKey",
        "Resource": "*",
    }
    put_statements(arn, customer, [*statements(arn, customer), deny])
    assert "KeyAdmin cannot DisableKey" in failed(validate(customer, arn))["administrators"]


@pytest.mark.requirement("EKM-11")
def test_a_key_that_was_used_before_is_refused(customer: Account) -> None:
    arn = make_key(customer, DECLARED, 1)
    state = enabled_with(parse_key_arn(arn))
    declared = declaration(declared_generations(2))
    report = validate_key(declared, 2, arn, state, callers(customer))
    assert failed(report) == {"unused": "it is or was the key of generation 1"}


def enabled_with(arn: KeyArn) -> TenantState:
    state = cloud_state()
    for command in (
        Register(1, arn, activated=True),
        Enable(1, arn, "Ada", "ab" * 32),
        FinishRewrap(1, 0, 0, 0),
        Confirm(1, arn, "Ada"),
    ):
        answer = decide(state, command, NOW)
        assert isinstance(answer, Transition)
        state = answer.state
    return state


@pytest.mark.requirement("EKM-24")
def test_what_failed_is_refused_with_every_reason(customer: Account) -> None:
    arn = make_key(customer, DECLARED, 1, tags={})
    customer.kms.disable_key(KeyId=arn)
    with pytest.raises(RefusedError) as caught:
        validate(customer, arn).require()
    assert "enabled: its state is Disabled" in caught.value.message
    assert "tags: keyturn:tenant is missing" in caught.value.message
    assert "EKM-24" in caught.value.requirements
    with pytest.raises(RefusedError):
        ValidationReport(1, key_arn(1), ()).require()


@pytest.mark.requirement("EKM-08")
def test_credentials_without_access_to_kms_are_not_the_keys_fault(customer: Account, vendor: Account) -> None:
    arn = make_key(customer, DECLARED, 1, grant=False, Policy=json.dumps(_customer_only(customer)))
    with pytest.raises(KeyAccessError) as caught:
        validate(vendor, arn)
    assert caught.value.exit_code == 4


def _customer_only(customer: Account) -> dict[str, object]:
    statement = {"Effect": "Allow", "Principal": {"AWS": customer.root}, "Action": "kms:*", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


NARROWED = declaration(
    DECLARATION.replace(
        "alias: alias/northwind-ekm\n",
        "vendor_narrowing: {encryption_context: {keyturn:tenant: northwind}}\nalias: alias/northwind-ekm\n",
    )
)


@pytest.mark.requirement("EKM-18")
def test_a_narrowed_vendor_passes_by_what_its_calls_are_declared_to_bring_and_really_can_use_the_key(
    customer: Account, vendor: Account
) -> None:
    constraints = {"EncryptionContextSubset": {"keyturn:tenant": "northwind"}}
    arn = make_key(customer, NARROWED, 1, grant=False)
    customer.kms.create_grant(
        KeyId=arn,
        GranteePrincipal=vendor.root,
        Operations=list(VENDOR_GRANT_OPERATIONS),  # type: ignore[arg-type]
        Constraints=constraints,  # type: ignore[arg-type]
    )
    report = validate_key(NARROWED, 1, arn, cloud_state(), callers(customer, vendor))
    assert failed(report) == {}
    with refused("AccessDeniedException"):
        vendor.kms.encrypt(KeyId=arn, Plaintext=b"data", EncryptionContext={"keyturn:tenant": "southwind"})
    assert vendor.kms.describe_key(KeyId=arn)["KeyMetadata"]["Arn"] == arn
    # The same key by a declaration that says nothing of it hangs on what nobody has declared.
    assert "Encrypt" in failed(validate(customer, make_key(customer, TAGGED, 1, grant=False)))["vendor access"]


TAGGED = declaration(
    DECLARATION.replace(
        "vendor_access: both\n",
        "vendor_access: key_policy\nvendor_narrowing: {principal_tags: {service: backup}}\n",
    )
)


def test_principal_tags_that_the_vendors_calls_do_not_bring_fail_when_they_are_tried(
    customer: Account, vendor: Account
) -> None:
    arn = make_key(customer, TAGGED, 1, grant=False)
    assert validate_key(TAGGED, 1, arn, cloud_state(), callers(customer)).passed
    report = validate_key(TAGGED, 1, arn, cloud_state(), callers(customer, vendor))
    assert set(failed(report)) == {"vendor round trip"}
