"""The guards in the construct tree: an aspect that runs in every synthesis of a tenant's stack.

The aspect stands at a post of its own, so that CDKTF calls it once and not for every resource. The post is set up
anew as a synthesis begins, behind all else in the stack but the outputs that CDKTF makes for another stack: CDKTF
visits in that order, so whatever other aspects change is changed by then. There all that the stack is about to emit
is judged, resource by resource and as a whole; a refusal stands as an error annotation, so the synthesis ends before
the stack is written.

The document that was judged is kept for the one that asks next, which is the writer: to make it anew would cost as
much again. Whoever asks besides, as CDKTF's `Testing` does, gets one that was judged for it, or the refusal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stacks.cdktf_imports import Annotations, Aspects, Construct, IAspect, implements
from stacks.findings import EmittedResource, GuardError
from stacks.guards import judge_generations, judge_resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from engine.declaration import Declaration
    from stacks.cdktf_imports import IConstruct
    from stacks.findings import Finding


_POST = "guards"


@implements(IAspect)
class Guards:
    """The guards of one stack.

    Args:
        stack: The stack.
        declaration: What it is made of.
        make_document: Makes the stack's document as it stands now.

    Attributes:
        findings: Every refusal of what they judged last, in the order of the stack.
    """

    def __init__(
        self, stack: Construct, declaration: Declaration, make_document: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._stack = stack
        self._make_document = make_document
        self._declaration = declaration
        self._post: Construct | None = None
        self._judged: Mapping[str, Any] | None = None
        self.findings: tuple[Finding, ...] = ()

    def stand_last(self) -> None:
        """Set up the post behind all that the stack holds by now."""
        if self._post is not None:
            self._stack.node.try_remove_child(_POST)
        self._post = Construct(self._stack, _POST)
        Aspects.of(self._post).add(self)

    def visit(self, node: IConstruct) -> None:
        """Judge what the stack is about to emit; CDKTF calls this in every synthesis."""
        self._judged = self._judge_anew()
        for finding in self.findings:
            Annotations.of(node).add_error(str(finding))

    def judged_document(self) -> Mapping[str, Any]:
        """The stack's document as the guards saw it.

        Raises:
            GuardError: They refuse something in it.
        """
        document, self._judged = self._judged or self._judge_anew(), None
        if self.findings:
            raise GuardError(self.findings)
        return document

    def _judge_anew(self) -> Mapping[str, Any]:
        document = self._make_document()
        self.findings = tuple(self._judge(document.get("resource") or {}))
        return document

    def _judge(self, emitted: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
        resources = [
            EmittedResource(terraform_type, name, attributes)
            for terraform_type, named in emitted.items()
            for name, attributes in named.items()
        ]
        for resource in resources:
            yield from judge_resource(self._declaration, resource)
        yield from judge_generations(self._declaration, resources)
