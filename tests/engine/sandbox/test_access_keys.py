from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sandbox.access_keys import SESSION_PREFIX, USER_PREFIX, account_of_access_key, make_access_key_id

ACCOUNTS = st.integers(0, 10**12 - 1).map(lambda number: f"{number:012d}")


@given(ACCOUNTS, st.sampled_from([USER_PREFIX, SESSION_PREFIX]))
def test_an_access_key_id_always_tells_its_account(account_id: str, prefix: str) -> None:
    access_key_id = make_access_key_id(account_id, prefix)
    assert len(access_key_id) == 20
    assert access_key_id.startswith(prefix)
    assert account_of_access_key(access_key_id) == account_id


def test_an_id_as_aws_makes_it_is_read() -> None:
    # The example of the public write-up of the format.
    assert account_of_access_key("ASIAQNZGKIQY56JQ7WML") == "029608264753"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AKIA",
        "AKIAIOSFODNN7EXAMPLE",
        "akiaqnzgkiqy56jq7wml",
        "AROAQNZGKIQY56JQ7WML",
        "AKIA7777777777777777",
        "ÄKIA",
    ],
)
def test_what_is_no_id_of_this_form_has_no_account(text: str) -> None:
    assert account_of_access_key(text) is None


@pytest.mark.parametrize("account_id", ["", "1", "12345678901a", "1234567890123"])
def test_no_id_is_made_for_what_is_no_account(account_id: str) -> None:
    with pytest.raises(ValueError, match="not an account id"):
        make_access_key_id(account_id)


def test_ids_of_one_account_differ() -> None:
    assert len({make_access_key_id("123456789012") for _ in range(100)}) == 100
