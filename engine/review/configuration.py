"""What a value that is known only after apply points to, by the configuration's references.

An alias or a grant for a key that the same plan creates has no known key id. Terraform's configuration tells
which expressions it comes from:

- A reference to a key resource in the same module names it; an index in the reference names the instance.
- `each.key` or `count.index` beside it mean the instance with the resource's own index; `each.value` means the
  resource that `for_each` names, with the same index.
- `module.NAME.OUTPUT` is followed into the module's output, `var.NAME` out to the module's call.
- A variable or an output without references is a constant, and so is not what makes the value unknown.
- Anything else, `local` above all (Terraform does not tell what locals are), leaves the target uncertain.

Terraform lists a reference together with its prefixes; only the longest of each is looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Index = str | int | None
Place = tuple[str, str, str]

_STEP = re.compile(r'\.?([^.\[\]"]+)((?:\[(?:"(?:[^"\\]|\\.)*"|[0-9]+|\*)\])*)')
_INDEX = re.compile(r'\[("(?:[^"\\]|\\.)*"|[0-9]+|\*)\]')
_MAX_DEPTH = 20
_NO_PROVIDERS: Mapping[str, Any] = MappingProxyType({})
_OF_ITSELF = ("each", "count")
_IDENTITIES = frozenset({"aws_iam_role", "aws_iam_user"})
_NOT_WHO = frozenset({"region", "default_tags", "ignore_tags", "max_retries", "retry_mode", "endpoints"})
_HARMLESS = ("path", "terraform", "self")


@dataclass(frozen=True, slots=True)
class Step:
    """One part of an address or a reference: a name, and its index where it has one."""

    name: str
    index: Index = None


@dataclass(frozen=True, slots=True)
class Target:
    """Resources that a value may come from.

    Attributes:
        module: The module's address as steps, one a module; the index of a step may be None for "any".
        type: The resource type.
        name: The resource's name.
        index: The instance, or None for "any".
        attribute: The attribute that is taken of it, or None where the reference names none.
    """

    module: tuple[Step, ...]
    type: str
    name: str
    index: Index
    attribute: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Resolution:
    """The targets of a value, and whether they are all there can be."""

    targets: tuple[Target, ...]
    certain: bool


def parse_steps(text: str) -> tuple[Step, ...]:
    """Split an address or reference such as `module.a["x.y"].aws_kms_key.this[0].arn` into its steps."""
    steps: list[Step] = []
    for match in _STEP.finditer(text):
        indexes = _INDEX.findall(match.group(2))
        steps.append(Step(match.group(1), _index(indexes[0]) if indexes else None))
    return tuple(steps)


def module_steps(module_address: str) -> tuple[Step, ...]:
    """The steps of a module's address, without the word `module` before each."""
    return parse_steps(module_address)[1::2]


def _index(text: str) -> Index:
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return int(text) if text.isdigit() else None


class Configuration:
    """The configuration of a plan.

    Args:
        root_module: `configuration.root_module`; empty where the plan holds none.
        providers: `configuration.provider_config`, likewise.
    """

    def __init__(self, root_module: Mapping[str, Any], providers: Mapping[str, Any] = _NO_PROVIDERS) -> None:
        self._root = root_module
        self._providers = providers
        self._resources: dict[int, dict[tuple[str, str, str], Mapping[str, Any]]] = {}

    def expression(
        self, module_address: str, kind: str, name: str, attribute: str, mode: str = "managed"
    ) -> Mapping[str, Any] | None:
        """The expression of a resource's attribute; None where it is not set or the resource is not there."""
        found = self._resource(module_steps(module_address), kind, name, mode)
        expression = _mapping(found.get("expressions")).get(attribute) if found is not None else None
        return expression if isinstance(expression, dict) else None

    def block(self, module_address: str, kind: str, name: str, block: str) -> tuple[Mapping[str, Any], ...]:
        """The expressions of a data source's nested blocks, in order; empty where they are not told one by one."""
        found = self._resource(module_steps(module_address), kind, name, "data")
        expressions = _mapping(found.get("expressions")).get(block) if found is not None else None
        if not isinstance(expressions, list) or not all(isinstance(entry, dict) for entry in expressions):
            return ()
        return tuple(expressions)

    def region(self, module_address: str, kind: str, name: str) -> str | None:
        """The Region that the provider of a managed resource is set to, where the configuration holds it as text."""
        found = self._resource(module_steps(module_address), kind, name, "managed")
        key = None if found is None else found.get("provider_config_key")
        provider = _mapping(self._providers.get(key)) if isinstance(key, str) else {}
        region = _mapping(_mapping(provider.get("expressions")).get("region")).get("constant_value")
        return region if isinstance(region, str) and region else None

    def made_by_the_same(self, place: Place, resolution: Resolution) -> bool:
        """Whether principals known only after apply are roles and users that the owner of a resource makes.

        Only the ARN itself will do: a name may stand in the ARN of any account. A role whose provider differs in more
        than the Region and tags may be made in another account.

        Args:
            place: The resource's module address, type and name.
            resolution: What the principals come from.
        """
        one = self._resource(module_steps(place[0]), place[1], place[2], "managed")
        return (
            one is not None
            and resolution.certain
            and bool(resolution.targets)
            and all(
                target.type in _IDENTITIES and target.attribute == "arn" and self._same_caller(one, target)
                for target in resolution.targets
            )
        )

    def _same_caller(self, one: Mapping[str, Any], target: Target) -> bool:
        other = self._resource(target.module, target.type, target.name, "managed")
        if other is None:
            return False
        keys = (one.get("provider_config_key"), other.get("provider_config_key"))
        return keys[0] == keys[1] or self._who(keys[0]) == self._who(keys[1])

    def principals(self, module_address: str, references: list[Any]) -> Resolution:
        """What the principals that a policy document's block refers to come from."""
        return self._follow(_longest(references), _Scope(module_steps(module_address), None, ()), 0)

    def _who(self, provider: Any) -> Mapping[str, Any]:
        """What a provider's configuration says of who calls."""
        expressions = _mapping(
            _mapping(self._providers.get(provider) if isinstance(provider, str) else None).get("expressions")
        )
        return {name: value for name, value in expressions.items() if name not in _NOT_WHO}

    def has_resource(self, module_address: str, kind: str, name: str) -> bool:
        """Whether the configuration holds this managed resource."""
        return self._resource(module_steps(module_address), kind, name, "managed") is not None

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
        resource = self._resource(module, kind, name, "managed")
        if resource is None:
            return Resolution((), certain=False)
        expression = _mapping(_mapping(resource.get("expressions")).get(attribute))
        references = expression.get("references")
        if not references:
            return Resolution((), certain=False)
        scope = _Scope(module, index, _references(resource.get("for_each_expression")))
        return self._follow(_longest(references), scope, 0)

    def is_constant(self, module_address: str, reference: str) -> bool:
        """Whether a reference is to a variable that its module's call sets to a constant, or not at all."""
        steps = parse_steps(reference)
        if len(steps) < 2 or steps[0].name != "var":
            return False
        found = self._follow_variable(steps[1].name, _Scope(module_steps(module_address), None, ()), 0)
        return found.certain and not found.targets

    def _module(self, module: tuple[Step, ...]) -> Mapping[str, Any] | None:
        node: Mapping[str, Any] = self._root
        for step in module:
            call = _mapping(_mapping(node.get("module_calls")).get(step.name))
            inner = call.get("module")
            if not isinstance(inner, dict):
                return None
            node = inner
        return node

    def _resource(self, module: tuple[Step, ...], kind: str, name: str, mode: str) -> Mapping[str, Any] | None:
        node = self._module(module)
        if node is None:
            return None
        known = self._resources.get(id(node))
        if known is None:
            entries = node.get("resources")
            known = {
                (str(entry.get("mode")), str(entry.get("type")), str(entry.get("name"))): entry
                for entry in (entries if isinstance(entries, list) else ())
                if isinstance(entry, dict)
            }
            self._resources[id(node)] = known
        return known.get((mode, kind, name))

    def _follow(self, references: tuple[str, ...], scope: _Scope, depth: int) -> Resolution:
        if depth > _MAX_DEPTH:
            return Resolution((), certain=False)
        parsed = [parse_steps(reference) for reference in references]
        same_index = any(steps and steps[0].name in _OF_ITSELF for steps in parsed)
        targets: list[Target] = []
        certain = True
        for steps in parsed:
            found = self._follow_one(steps, scope, same_index=same_index, depth=depth)
            targets.extend(found.targets)
            certain = certain and found.certain
        return Resolution(tuple({(target, target.attribute): target for target in targets}.values()), certain)

    def _follow_one(self, steps: tuple[Step, ...], scope: _Scope, *, same_index: bool, depth: int) -> Resolution:
        nothing = Resolution((), certain=True)
        if not steps:
            return Resolution((), certain=False)
        head = steps[0].name
        if head in _HARMLESS or (head in _OF_ITSELF and (len(steps) < 2 or steps[1].name != "value")):
            return nothing
        if head == "each":
            if not scope.for_each:  # a set of constants: the value is the key
                return nothing
            inner = _Scope(scope.module, scope.index, ())
            found = self._follow(scope.for_each, inner, depth + 1)
            attribute = steps[2].name if len(steps) > 2 else None
            return Resolution(tuple(_with(target, scope.index, attribute) for target in found.targets), found.certain)
        if head == "var" and len(steps) > 1:
            return self._follow_variable(steps[1].name, scope, depth)
        if head == "module" and len(steps) > 2:
            return self._follow_output(steps, scope, same_index=same_index, depth=depth)
        if head in {"local", "data", "module", "var"} or len(steps) < 2:
            return Resolution((), certain=False)
        index = steps[1].index
        if index is None and same_index:
            index = scope.index
        attribute = steps[2].name if len(steps) > 2 else None
        return Resolution((Target(scope.module, head, steps[1].name, index, attribute),), certain=True)

    def _follow_variable(self, name: str, scope: _Scope, depth: int) -> Resolution:
        """From a module's variable out to the expression of its call; the root's variables are constants."""
        if not scope.module:
            return Resolution((), certain=True)
        outer, step = scope.module[:-1], scope.module[-1]
        node = self._module(outer)
        call = _mapping(_mapping(_mapping(node).get("module_calls")).get(step.name))
        expression = _mapping(call.get("expressions")).get(name)
        if not isinstance(expression, dict):
            return Resolution((), certain=True)
        inner = _Scope(outer, step.index, _references(call.get("for_each_expression")))
        if not expression.get("references"):
            return Resolution((), certain="constant_value" in expression)
        return self._follow(_longest(expression["references"]), inner, depth + 1)

    def _follow_output(self, steps: tuple[Step, ...], scope: _Scope, *, same_index: bool, depth: int) -> Resolution:
        """From `module.NAME.OUTPUT` into the expression of the output."""
        index = steps[1].index
        if index is None and same_index:
            index = scope.index
        module = (*scope.module, Step(steps[1].name, index))
        node = self._module(module)
        output = _mapping(_mapping(_mapping(node).get("outputs")).get(steps[2].name))
        expression = _mapping(output.get("expression"))
        if not expression.get("references"):
            return Resolution((), certain="constant_value" in expression)
        return self._follow(_longest(expression["references"]), _Scope(module, None, ()), depth + 1)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where references are read: a module instance, the instance's index, and what its `for_each` names."""

    module: tuple[Step, ...]
    index: Index
    for_each: tuple[str, ...]


def _with(target: Target, index: Index, attribute: str | None) -> Target:
    index = index if target.index is None else target.index
    return Target(target.module, target.type, target.name, index, attribute or target.attribute)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _references(expression: Any) -> tuple[str, ...]:
    found = _mapping(expression).get("references")
    return _longest(found) if found else ()


def _longest(references: Any) -> tuple[str, ...]:
    """The references without those that are a prefix of another, which Terraform lists with it."""
    if not isinstance(references, list):
        return ()
    texts = [reference for reference in references if isinstance(reference, str)]
    return tuple(_without_prefixes(texts))


def _without_prefixes(texts: list[str]) -> Iterator[str]:
    for text in texts:
        if not any(other != text and other.startswith(text) and other[len(text)] in ".[" for other in texts):
            yield text
