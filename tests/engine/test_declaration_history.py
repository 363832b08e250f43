"""What a later declaration may never take back (EKM-11, EKM-34)."""

from __future__ import annotations

import pytest

from engine.declaration import read_declaration, typed_declaration
from engine.declaration_history import check_against
from tests.builders import DECLARATION, declaration, declared_generations, key_arn

ARN_1, ARN_2 = f"    key_arn: {key_arn(1)}\n", f"    key_arn: {key_arn(2)}\n"

BY_POLICY, BY_GRANT = (
    DECLARATION.replace("vendor_access: both", f"vendor_access: {way}") for way in ("key_policy", "grant")
)

FAMILY, REPLICA = "    multi_region: true\n", "    replicas: [eu-west-1]\n"

RETIRED_1 = declared_generations(2, current=2).replace("description: first key", "state: retired")


def steps_back(new: str, old: str) -> list[str]:
    document = read_declaration("ekm.yaml", new.encode())
    return [str(mistake) for mistake in check_against(document, typed_declaration(document), declaration(old))]


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (DECLARATION, DECLARATION),
        (declared_generations(2), DECLARATION),
        (DECLARATION, BY_GRANT),
        (BY_POLICY, DECLARATION),
        (BY_GRANT, BY_GRANT),
        (declared_generations(2, current=2), declared_generations(2)),
        (
            declared_generations(2, current=2).replace("description: first key", "state: retired"),
            declared_generations(2),
        ),
        (DECLARATION.replace("first key", "the first"), DECLARATION),
        (DECLARATION + FAMILY + "    replicas: [eu-west-1, eu-west-2]\n", DECLARATION + FAMILY + REPLICA),
    ],
)
def test_going_on_is_allowed(new: str, old: str) -> None:
    assert steps_back(new, old) == []


@pytest.mark.requirement("EKM-11")
@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (DECLARATION, declared_generations(2), "generation 2 is gone"),
        (BY_POLICY, BY_GRANT, "vendor_access is key_policy and was grant"),
        (BY_GRANT, BY_POLICY, "vendor_access is grant and was key_policy"),
        (declared_generations(2), declared_generations(2, current=2), "current is 1 and was 2"),
        (DECLARATION + ARN_2, DECLARATION + ARN_1, "another key_arn"),
        (DECLARATION, DECLARATION + ARN_1, "lost its key_arn"),
        (DECLARATION.replace("northwind\n", "southwind\n"), DECLARATION, "tenant is 'southwind'"),
        (DECLARATION.replace("us-east-1", "us-east-2"), DECLARATION, "aws.region is 'us-east-2'"),
        (DECLARATION.replace('"123456789012"', '"123456789013"'), DECLARATION, "aws.account_id is '123456789013'"),
        (DECLARATION + "    multi_region: true\n", DECLARATION, "multi_region is True"),
        (DECLARATION + "    origin: EXTERNAL\n", DECLARATION, "origin is EXTERNAL"),
        (DECLARATION + FAMILY, DECLARATION + FAMILY + REPLICA, "the replica in eu-west-1 is gone"),
        (DECLARATION + "    address: aws_kms_key.mine\n", DECLARATION, "was made by the stacks"),
        (DECLARATION + ARN_1, DECLARATION, "was made by the stacks"),
        (DECLARATION, DECLARATION + "    address: aws_kms_key.mine\n", "was made elsewhere"),
        (
            declared_generations(2, current=2),
            declared_generations(2, current=2).replace("description: first key", "state: released"),
            "state is 'active' and was 'released'",
        ),
    ],
)
def test_a_step_back_is_found_with_its_place(new: str, old: str, expected: str) -> None:
    (mistake,) = steps_back(new, old)
    assert expected in mistake
    assert mistake.startswith("ekm.yaml:")
