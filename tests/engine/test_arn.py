"""Key ARNs: parsed once, and an error that names the part that is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.arn import foreign_host, is_principal_arn, parse_key_arn, partition_of, principal_account
from engine.errors import InputError

UUID = "1234abcd-12ab-34cd-56ef-1234567890ab"
MRK = "mrk-" + "0123456789abcdef" * 2
FULL_WIDTH = "".join(chr(0xFF10 + digit) for digit in (1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2))
GOOD = f"arn:aws:kms:us-east-1:123456789012:key/{UUID}"


@pytest.mark.requirement("EKM-23")
@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"arn:aws:kms:eu-central-1:000000000001:key/{MRK}",
        f"arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/{UUID}",
        f"arn:aws-cn:kms:cn-north-1:123456789012:key/{UUID}",
    ],
)
def test_a_key_arn_reads_back_as_it_was_written(text: str) -> None:
    assert str(parse_key_arn(text)) == text


@pytest.mark.requirement("EKM-23")
@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "not a key ARN"),
        (UUID, "not a key ARN"),
        (GOOD + ":x", "not a key ARN"),
        (GOOD.replace("arn:aws", "arn:amazon"), "the partition 'amazon'"),
        (GOOD.replace(":kms:", ":s3:"), "the service"),
        (GOOD.replace("us-east-1", "us_east_1"), "the Region 'us_east_1'"),
        (GOOD.replace("us-east-1", "cn-north-1"), "is not in the partition 'aws'"),
        (GOOD.replace("123456789012", "12345678901"), "the account '12345678901'"),
        (GOOD.replace("123456789012", FULL_WIDTH), "the account"),
        (GOOD.replace("key/", "alias/"), "an alias"),
        ("alias/northwind-ekm", "an alias"),
        (GOOD.replace("key/", "keys/"), "the resource"),
        (GOOD.replace(UUID, "1234"), "the key id '1234'"),
        (GOOD.upper(), "not a key ARN"),
        (f" {GOOD}", "not a key ARN"),
        (f"{GOOD}\n", "the key id"),
    ],
)
def test_an_error_names_the_part_that_is_wrong(text: str, part: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_key_arn(text)
    assert part in caught.value.message
    assert caught.value.hint


@pytest.mark.requirement("EKM-07")
@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://acme.vault.azure.net/keys/ekm/0123", "Azure Key Vault"),
        ("https://acme.managedhsm.azure.net/keys/ekm", "Azure Key Vault"),
        ("/subscriptions/1/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v", "Azure Key Vault"),
        ("projects/acme/locations/eu/keyRings/r/cryptoKeys/k", "Google Cloud KMS"),
        ("gcp-kms://projects/acme/locations/eu/keyRings/r/cryptoKeys/k", "Google Cloud KMS"),
        ("ocid1.key.oc1.iad.x", "Oracle Cloud Infrastructure Vault"),
        ("acs:kms:cn-hangzhou:1:key/x", "Alibaba Cloud KMS"),
        ("https://vault.acme.example/v1/transit/keys/ekm", "HashiCorp Vault"),
    ],
)
def test_a_key_outside_aws_is_refused_by_the_name_of_its_host(text: str, host: str) -> None:
    assert foreign_host(text) == host
    with pytest.raises(InputError) as caught:
        parse_key_arn(text)
    assert host in caught.value.message
    assert "EKM-07" in caught.value.message


@given(st.text(max_size=80))
def test_any_text_is_an_arn_or_an_input_error(text: str) -> None:
    try:
        assert str(parse_key_arn(text)) == text
    except InputError as error:
        assert error.message


def test_replicas_of_one_multi_region_key_are_one_family() -> None:
    first = parse_key_arn(f"arn:aws:kms:us-east-1:123456789012:key/{MRK}")
    replica = parse_key_arn(f"arn:aws:kms:eu-west-1:123456789012:key/{MRK}")
    assert first.family == replica.family
    assert first.family != parse_key_arn(GOOD).family


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("us-gov-east-1", "aws-us-gov"), ("cn-northwest-1", "aws-cn")]
)
def test_a_regions_partition(region: str, partition: str) -> None:
    assert partition_of(region) == partition


def test_a_principals_account() -> None:
    assert principal_account("arn:aws:iam::123456789012:role/a/b") == "123456789012"
    assert principal_account("123456789012") == "123456789012"
    assert principal_account("*") is None
    assert is_principal_arn("arn:aws:iam::123456789012:root")
    assert not is_principal_arn("arn:aws:iam::123456789012:role/*")
