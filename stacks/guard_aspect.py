"""The guards in the construct tree: an aspect that runs in every synthesis of a tenant's stack.

The aspect stands at a post of its own in the stack, so that CDKTF calls it once and not for every resource.
There all that the stack is about to emit is judged, resource by resource; a refusal stands as an error
annotation, so the synthesis ends before the stack is written. What only the whole stack can tell
(`every_generation`) is a validation, which runs after all aspects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.cdktf_imports import (
    Annotations,
    Aspects,
    Construct,
    IAspect,
    IValidation,
    implements,
)
from stacks.findings import EmittedResource
from stacks.guards import judge_generations, judge_resource

if TYPE_CHECKING:
    from engine.declaration import Declaration
    from stacks.cdktf_imports import IConstruct, TerraformStack
    from stacks.findings import Finding


@implements(IAspect)
class _ResourceGuard:
    """Judges each resource of the stack, and remembers what it saw."""

    def __init__(self, stack: TerraformStack, declaration: Declaration) -> None:
        self._stack = stack
        self._declaration = declaration
        self.seen: list[EmittedResource] = []
        self.findings: list[Finding] = []

    def visit(self, node: IConstruct) -> None:
        self.seen.clear()
        self.findings.clear()
        for terraform_type, resources in (self._stack.to_terraform().get("resource") or {}).items():
            for name, attributes in resources.items():
                resource = EmittedResource(terraform_type, name, attributes)
                self.seen.append(resource)
                for finding in judge_resource(self._declaration, resource):
                    self.findings.append(finding)
                    Annotations.of(node).add_error(str(finding))


@implements(IValidation)
class _StackGuard:
    """Judges the stack as a whole once every resource was seen."""

    def __init__(self, declaration: Declaration, resources: _ResourceGuard) -> None:
        self._declaration = declaration
        self._resources = resources

    def validate(self) -> list[str]:
        findings = judge_generations(self._declaration, self._resources.seen)
        self._resources.findings.extend(findings)
        return [str(finding) for finding in findings]


class Guards:
    """The guards of one stack, with what they found in the last synthesis."""

    def __init__(self, stack: TerraformStack, declaration: Declaration) -> None:
        self._resources = _ResourceGuard(stack, declaration)
        self._stack = _StackGuard(declaration, self._resources)
        self._post = Construct(stack, "guards")
        Aspects.of(self._post).add(self._resources)
        stack.node.add_validation(self._stack)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every refusal, in the order of the stack."""
        return tuple(self._resources.findings)
