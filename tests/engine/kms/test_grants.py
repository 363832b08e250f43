"""A grant that is made anew gives what the earlier one gave, and no more."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.stub import Stubber

from engine.kms import Kms
from tests.builders import CUSTOMER, REGION, VENDOR, key_arn


def test_a_grant_that_is_made_anew_is_bound_to_all_that_the_earlier_one_was_bound_to() -> None:
    session = boto3.session.Session("id", "secret", region_name=REGION)
    client = session.client("kms", endpoint_url="http://127.0.0.1:9")
    entry: dict[str, Any] = {
        "KeyId": str(key_arn(1)),
        "GranteePrincipal": f"arn:aws:iam::{VENDOR}:root",
        "Operations": ["Decrypt"],
        "Constraints": {
            "EncryptionContextSubset": {"keyturn:tenant": "northwind"},
            "SourceArn": f"arn:aws:s3:::{CUSTOMER}-backups",
        },
    }
    with Stubber(client) as stub:
        stub.add_response("list_grants", {"Grants": [{"GrantId": "1", **entry}]})
        stub.add_response("create_grant", {"GrantId": "2"}, entry)
        kms = Kms(client)
        (grant,) = kms.grants(str(key_arn(1)))
        assert kms.create_grant(str(key_arn(1)), grant) == "2"
        stub.assert_no_pending_responses()
