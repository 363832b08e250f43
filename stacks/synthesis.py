"""From declarations to Terraform's JSON: one stack a tenant, judged by the guards before it is written.

Beside it stand the tenant's detective controls, and the tables and buckets that tenants share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import MachineError
from stacks.alert_stack import AlertStack
from stacks.cdktf_imports import FAILURES_OF_CDKTF, App, failure_of_cdktf
from stacks.findings import GuardError
from stacks.storage_stacks import storage_stacks
from stacks.tenant_stack import TenantStack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engine.declaration import Declaration


class Synthesis:
    """The stacks of some declarations, built and yet to be written.

    Args:
        declarations: One for each tenant; nothing of `stacks.limits` stands against them.
        folder: Where CDKTF's output goes: `manifest.json` and `stacks/TENANT/cdk.tf.json`.
        alias_may_move: The tenants whose alias may be moved; that of any other stays where it points.
        storage: The declarations whose tables and buckets are made; all of them by default.

    Attributes:
        stacks: The tenants' stacks, in the order of the declarations.
        alert_stacks: The detective controls of those that declare them.
        storage_stacks: The declared tables and buckets.

    Raises:
        MachineError: The folder cannot be made, or CDKTF failed.
    """

    def __init__(
        self,
        declarations: Sequence[Declaration],
        folder: Path,
        alias_may_move: frozenset[str] = frozenset(),
        storage: Sequence[Declaration] | None = None,
    ) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MachineError(f"the folder {str(folder)!r} cannot be made: {error.strerror}") from error
        try:
            self._app = App(outdir=str(folder), stack_traces=False)
            self.stacks = tuple(
                TenantStack(self._app, declaration, alias_may_move=declaration.tenant in alias_may_move)
                for declaration in declarations
            )
            self.alert_stacks = tuple(
                AlertStack(self._app, declaration, declaration.alerts, *stack.arns_for_another_stack())
                for declaration, stack in zip(declarations, self.stacks, strict=True)
                if declaration.alerts is not None
            )
            self.storage_stacks = storage_stacks(self._app, declarations if storage is None else storage)
        except FAILURES_OF_CDKTF as error:
            raise failure_of_cdktf(error) from error

    def write(self) -> None:
        """Run the guards and write the stacks.

        Raises:
            GuardError: A guard refused what a stack emits; that stack is not written.
            MachineError: The folder cannot be written, or CDKTF failed.
        """
        failure: Exception | None = None
        try:
            self._app.synth()
        except FAILURES_OF_CDKTF as error:
            failure = error
        findings = tuple(finding for stack in self.stacks for finding in stack.guards.findings)
        if findings:
            raise GuardError(findings) from failure
        if failure is not None:
            raise failure_of_cdktf(failure) from failure
