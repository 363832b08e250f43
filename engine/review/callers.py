"""Who calls AWS for a resource, as far as the configuration of its provider tells.

- Two providers are one caller where nothing of them differs but what does not decide whose credentials are used.
- What a provider makes is in the one account that its `allowed_account_ids` name, since it works in no other; else in
  the account of the role that it assumes, by the role's ARN. Then nothing else counts. Only what stands there as text
  tells so: where references make it, it may be any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.arn import principal_account
from engine.review.configured_modules import mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_WHO = frozenset(
    {
        "allowed_account_ids",
        "default_tags",
        "endpoints",
        "forbidden_account_ids",
        "ignore_tags",
        "max_retries",
        "region",
        "retry_mode",
        "skip_credentials_validation",
        "skip_region_validation",
        "skip_requesting_account_id",
        "sts_region",
        "use_dualstack_endpoint",
        "use_fips_endpoint",
    }
)
_ASSUMING = ("assume_role", "assume_role_with_web_identity")  # the first is done last


@dataclass(frozen=True, slots=True)
class _Caller:
    """What a provider's configuration says of who calls.

    Attributes:
        module: The module in which its references are read; empty where it holds none.
        expressions: All that decides whose credentials are used.
        account_id: The account that they are of, where it is told.
    """

    module: str
    expressions: Mapping[str, Any]
    account_id: str | None


class Callers:
    """Compares the callers of a plan's providers.

    Args:
        providers: `configuration.provider_config`; empty where the plan holds none.
    """

    def __init__(self, providers: Mapping[str, Any]) -> None:
        self._providers = providers

    def same(self, one: Any, other: Any, account_id: str) -> bool:
        """Whether what the other provider makes is surely in the account of the first.

        Args:
            one: The provider of whose account is asked, by its key in the configuration.
            other: The provider that makes it, likewise.
            account_id: The account of the first where its provider does not tell it.
        """
        if one == other:
            return True
        callers = (self._who(one), self._who(other))
        if callers[0] is None or callers[1] is None:
            return False
        if callers[1].account_id is not None:
            return callers[1].account_id == (callers[0].account_id or account_id)
        return callers[0] == callers[1]

    def different(self, one: Any, other: Any, account_id: str) -> bool:
        """Whether plainly others call by the other provider: in another account, or where both differ.

        Args: as `same`.
        """
        callers = (self._who(one), self._who(other))
        if callers[0] is None or callers[1] is None or self.same(one, other, account_id):
            return False
        if callers[1].account_id is not None:
            return True
        return callers[0].expressions != callers[1].expressions  # that they are read in two modules says nothing yet

    def _who(self, provider: Any) -> _Caller | None:
        """What a provider's configuration says of who calls.

        None where the plan does not tell of the provider: Terraform before 1.1 names one that is passed to a module so.
        """
        found = self._providers.get(provider) if isinstance(provider, str) else None
        if not isinstance(found, dict):
            return None
        expressions = mapping(found.get("expressions"))
        caller = {name: value for name, value in expressions.items() if name not in _NOT_WHO}
        module = str(found.get("module_address") or "") if _refers(caller) else ""
        return _Caller(module, caller, _only_allowed(expressions) or _assumed(expressions))


def _only_allowed(expressions: Mapping[str, Any]) -> str | None:
    """The one account in which a provider works."""
    allowed = mapping(expressions.get("allowed_account_ids")).get("constant_value")
    one = allowed[0] if isinstance(allowed, list) and len(allowed) == 1 else None
    return one if isinstance(one, str) and one else None


def _assumed(expressions: Mapping[str, Any]) -> str | None:
    """The account of the role that a provider assumes; of several in a row, nothing is told."""
    blocks = next((expressions[name] for name in _ASSUMING if name in expressions), None)
    if not isinstance(blocks, list) or len(blocks) != 1:
        return None
    arn = mapping(mapping(blocks[0]).get("role_arn")).get("constant_value")
    return principal_account(arn) if isinstance(arn, str) else None


def _refers(value: Any) -> bool:
    """Whether an expression holds a reference anywhere."""
    if isinstance(value, dict):
        return "references" in value or any(_refers(inner) for inner in value.values())
    return isinstance(value, list) and any(_refers(inner) for inner in value)
