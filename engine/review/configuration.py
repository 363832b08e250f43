"""What a plan's configuration says of its resources: expressions, providers, and where unknown values come from."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from engine.review.callers import Callers
from engine.review.configured_modules import Modules, mapping
from engine.review.reference_following import Follower, Scope, references_of
from engine.review.references import Resolution, longest, module_steps, parse_steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.review.references import Index, Step

Place = tuple[str, str, str]

_NO_PROVIDERS: Mapping[str, Any] = MappingProxyType({})
_IDENTITIES = frozenset({"aws_iam_role", "aws_iam_user"})
_THEMSELVES = ("arn", "unique_id")


class Configuration:
    """The configuration of a plan.

    Args:
        root_module: `configuration.root_module`; empty where the plan holds none.
        providers: `configuration.provider_config`, likewise.
    """

    def __init__(self, root_module: Mapping[str, Any], providers: Mapping[str, Any] = _NO_PROVIDERS) -> None:
        self._modules = Modules(root_module)
        self._follower = Follower(self._modules)
        self._providers = providers
        self._callers = Callers(providers)

    def expression(
        self, module_address: str, kind: str, name: str, attribute: str, mode: str = "managed"
    ) -> Mapping[str, Any] | None:
        """The expression of a resource's attribute; None where it is not set or the resource is not there."""
        found = self._modules.resource(module_steps(module_address), kind, name, mode)
        expression = mapping(found.get("expressions")).get(attribute) if found is not None else None
        return expression if isinstance(expression, dict) else None

    def block(self, module_address: str, kind: str, name: str, block: str) -> tuple[Mapping[str, Any], ...]:
        """The expressions of a data source's nested blocks, in order; empty where they are not told one by one."""
        found = self._modules.resource(module_steps(module_address), kind, name, "data")
        expressions = mapping(found.get("expressions")).get(block) if found is not None else None
        if not isinstance(expressions, list) or not all(isinstance(entry, dict) for entry in expressions):
            return ()
        return tuple(expressions)

    def region(self, module_address: str, kind: str, name: str) -> str | None:
        """The Region that the provider of a managed resource is set to, where the configuration holds it as text."""
        found = self._modules.resource(module_steps(module_address), kind, name, "managed")
        key = None if found is None else found.get("provider_config_key")
        provider = mapping(self._providers.get(key)) if isinstance(key, str) else {}
        region = mapping(mapping(provider.get("expressions")).get("region")).get("constant_value")
        return region if isinstance(region, str) and region else None

    def made_by_the_same(self, place: Place, resolution: Resolution, account_id: str) -> bool:
        """Whether principals known only after apply are roles and users that the owner of a resource makes.

        Only the ARN itself will do: a name may stand in the ARN of any account.

        Args:
            place: The resource's module address, type and name.
            resolution: What the principals come from.
            account_id: The resource's account.
        """
        if not self.has_resource(*place):
            return False
        owner = self._provider(module_steps(place[0]), *place[1:])
        return (
            resolution.certain
            and bool(resolution.targets)
            and all(
                target.type in _IDENTITIES
                and target.attribute == "arn"
                and self._modules.resource(target.module, target.type, target.name, "managed") is not None
                and self._callers.same(owner, self._provider(target.module, target.type, target.name), account_id)
                for target in resolution.targets
            )
        )

    def made_by_another(self, place: Place, resolution: Resolution, account_id: str) -> bool:
        """Whether among such principals is a role or user, by its ARN, that plainly others than the owner make."""
        owner = self._provider(module_steps(place[0]), *place[1:])
        return any(
            target.type in _IDENTITIES
            and target.attribute in _THEMSELVES
            and self._callers.different(owner, self._provider(target.module, target.type, target.name), account_id)
            for target in resolution.targets
        )

    def _provider(self, module: tuple[Step, ...], kind: str, name: str) -> Any:
        """The key of a managed resource's provider; None where the configuration does not hold the resource."""
        found = self._modules.resource(module, kind, name, "managed")
        return None if found is None else found.get("provider_config_key")

    def principals(self, module_address: str, references: list[Any]) -> Resolution:
        """What the principals that a policy document's block refers to come from."""
        return self._follower.follow(longest(references), Scope(module_steps(module_address), None, ()))

    def has_resource(self, module_address: str, kind: str, name: str) -> bool:
        """Whether the configuration holds this managed resource."""
        return self._modules.resource(module_steps(module_address), kind, name, "managed") is not None

    def resolve(self, module_address: str, kind: str, name: str, index: Index, attribute: str) -> Resolution:
        """What an attribute of a resource instance comes from.

        Args:
            module_address: The module instance, empty for the root.
            kind: The resource type.
            name: The resource's name.
            index: The instance's own index.
            attribute: The attribute whose value is not known.

        Returns:
            The targets; uncertain where the configuration does not say.
        """
        module = module_steps(module_address)
        resource = self._modules.resource(module, kind, name, "managed")
        if resource is None:
            return Resolution((), certain=False)
        expression = mapping(mapping(resource.get("expressions")).get(attribute))
        references = expression.get("references")
        if not references:
            return Resolution((), certain=False)
        scope = Scope(module, index, references_of(resource.get("for_each_expression")))
        return self._follower.follow(longest(references), scope)

    def is_constant(self, module_address: str, reference: str) -> bool:
        """Whether a reference is to a variable that its module's call sets to a constant, or not at all."""
        steps = parse_steps(reference)
        if len(steps) < 2 or steps[0].name != "var":
            return False
        found = self._follower.follow_variable(steps[1].name, Scope(module_steps(module_address), None, ()))
        return found.certain and not found.targets
