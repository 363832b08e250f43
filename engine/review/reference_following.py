"""What a value that is known only after apply points to, by the configuration's references.

An alias or a grant for a key that the same plan creates has no known key id. Terraform's configuration tells
which expressions it comes from:

- A reference to a key resource in the same module names it; an index in the reference names the instance.
- `each.key` or `count.index` beside it mean the instance with the resource's own index; `each.value` means the
  resource that `for_each` names, with the same index.
- `module.NAME.OUTPUT` is followed into the module's output, `var.NAME` out to the module's call.
- A variable or an output without references is a constant, and so is not what makes the value unknown.
- Anything else, `local` above all (Terraform does not tell what locals are), leaves the target uncertain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.review.configured_modules import mapping
from engine.review.references import Resolution, Step, Target, longest, parse_steps

if TYPE_CHECKING:
    from engine.review.configured_modules import Modules
    from engine.review.references import Index

_MAX_DEPTH = 20
_OF_ITSELF = ("each", "count")
_HARMLESS = ("path", "terraform", "self")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where references are read: a module instance, the instance's index, and what its `for_each` names."""

    module: tuple[Step, ...]
    index: Index
    for_each: tuple[str, ...]


class Follower:
    """Follows references through a configuration.

    Args:
        modules: The configuration's modules.
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def follow(self, references: tuple[str, ...], scope: Scope, depth: int = 0) -> Resolution:
        """What a value comes from that an expression with these references gives, read in a scope."""
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

    def _follow_one(self, steps: tuple[Step, ...], scope: Scope, *, same_index: bool, depth: int) -> Resolution:
        nothing = Resolution((), certain=True)
        if not steps:
            return Resolution((), certain=False)
        head = steps[0].name
        if head in _HARMLESS or (head in _OF_ITSELF and (len(steps) < 2 or steps[1].name != "value")):
            return nothing
        if head == "each":
            if not scope.for_each:  # a set of constants: the value is the key
                return nothing
            inner = Scope(scope.module, scope.index, ())
            found = self.follow(scope.for_each, inner, depth)
            attribute = steps[2].name if len(steps) > 2 else None
            return Resolution(tuple(_with(target, scope.index, attribute) for target in found.targets), found.certain)
        if head == "var" and len(steps) > 1:
            return self.follow_variable(steps[1].name, scope, depth)
        if head == "module" and len(steps) > 2:
            return self._follow_output(steps, scope, same_index=same_index, depth=depth)
        if head in {"local", "data", "module", "var"} or len(steps) < 2:
            return Resolution((), certain=False)
        index = steps[1].index
        if index is None and same_index:
            index = scope.index
        attribute = steps[2].name if len(steps) > 2 else None
        return Resolution((Target(scope.module, head, steps[1].name, index, attribute),), certain=True)

    def follow_variable(self, name: str, scope: Scope, depth: int = 0) -> Resolution:
        """From a module's variable out to the expression of its call; the root's variables are constants."""
        if not scope.module:
            return Resolution((), certain=True)
        outer, step = scope.module[:-1], scope.module[-1]
        call = self._modules.call(outer, step.name)
        expression = mapping(call.get("expressions")).get(name)
        if not isinstance(expression, dict):
            return Resolution((), certain=True)
        inner = Scope(outer, step.index, references_of(call.get("for_each_expression")))
        if not expression.get("references"):
            return Resolution((), certain="constant_value" in expression)
        return self.follow(longest(expression["references"]), inner, depth + 1)

    def _follow_output(self, steps: tuple[Step, ...], scope: Scope, *, same_index: bool, depth: int) -> Resolution:
        """From `module.NAME.OUTPUT` into the expression of the output."""
        index = steps[1].index
        if index is None and same_index:
            index = scope.index
        module = (*scope.module, Step(steps[1].name, index))
        expression = self._modules.output(module, steps[2].name)
        if not expression.get("references"):
            return Resolution((), certain="constant_value" in expression)
        return self.follow(longest(expression["references"]), Scope(module, None, ()), depth + 1)


def _with(target: Target, index: Index, attribute: str | None) -> Target:
    """The target with an instance and an attribute where it has none of its own."""
    index = index if target.index is None else target.index
    return Target(target.module, target.type, target.name, index, target.attribute or attribute)


def references_of(expression: Any) -> tuple[str, ...]:
    """The references of an expression, such as `for_each`; none where it has none."""
    found = mapping(expression).get("references")
    return longest(found) if found else ()
