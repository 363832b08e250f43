"""The modules of a plan's configuration, and what stands in each: resources, calls and outputs, as parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.review.references import Step


class Modules:
    """Finds modules and what is in them; what is not as Terraform writes it is not there.

    Args:
        root_module: `configuration.root_module`; empty where the plan holds none.
    """

    def __init__(self, root_module: Mapping[str, Any]) -> None:
        self._root = root_module
        self._resources: dict[int, dict[tuple[str, str, str], Mapping[str, Any]]] = {}

    def call(self, module: tuple[Step, ...], name: str) -> Mapping[str, Any]:
        """The call of a module within another; empty where there is none."""
        return mapping(mapping(mapping(self._module(module)).get("module_calls")).get(name))

    def output(self, module: tuple[Step, ...], name: str) -> Mapping[str, Any]:
        """The expression of a module's output; empty where there is none."""
        output = mapping(mapping(mapping(self._module(module)).get("outputs")).get(name))
        return mapping(output.get("expression"))

    def resource(self, module: tuple[Step, ...], kind: str, name: str, mode: str) -> Mapping[str, Any] | None:
        """A resource or data source; None where there is none."""
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

    def _module(self, module: tuple[Step, ...]) -> Mapping[str, Any] | None:
        node: Mapping[str, Any] = self._root
        for step in module:
            call = mapping(mapping(node.get("module_calls")).get(step.name))
            inner = call.get("module")
            if not isinstance(inner, dict):
                return None
            node = inner
        return node


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, where it is an object; else an empty one."""
    return value if isinstance(value, dict) else {}
