"""The guards in the construct tree: an aspect that runs in every synthesis of a tenant's stack.

The aspect stands at a post of its own in the stack, so that CDKTF calls it once and not for every resource.
There all that the stack is about to emit is judged, resource by resource and as a whole; a refusal stands as an
error annotation, so the synthesis ends before the stack is written.

The document that was judged is kept, and it is what the stack writes: to make it anew would cost as much again,
and could bring what no guard has seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stacks.cdktf_imports import Annotations, Aspects, Construct, IAspect, implements
from stacks.findings import EmittedResource
from stacks.guards import judge_generations, judge_resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.declaration import Declaration
    from stacks.cdktf_imports import IConstruct
    from stacks.findings import Finding
    from stacks.tenant_stack import TenantStack


@implements(IAspect)
class Guards(Construct):
    """The guards of one stack, with what they judged and found in the last synthesis.

    Attributes:
        judged: The stack's document as the guards saw it; None before the first synthesis.
        findings: Every refusal, in the order of the stack.
    """

    def __init__(self, stack: TenantStack, declaration: Declaration) -> None:
        super().__init__(stack, "guards")
        self._stack = stack
        self._declaration = declaration
        self.judged: Mapping[str, Any] | None = None
        self.findings: tuple[Finding, ...] = ()
        Aspects.of(self).add(self)

    def visit(self, node: IConstruct) -> None:
        """Judge what the stack is about to emit; CDKTF calls this in every synthesis."""
        self.judged = self._stack.to_terraform_anew()
        self.findings = tuple(self._judge(self.judged.get("resource") or {}))
        for finding in self.findings:
            Annotations.of(node).add_error(str(finding))

    def _judge(self, emitted: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
        resources = [
            EmittedResource(terraform_type, name, attributes)
            for terraform_type, named in emitted.items()
            for name, attributes in named.items()
        ]
        for resource in resources:
            yield from judge_resource(self._declaration, resource)
        yield from judge_generations(self._declaration, resources)
