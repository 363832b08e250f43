"""What guards look at and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class EmittedResource:
    """A resource as Terraform will read it.

    Attributes:
        terraform_type: Such as `aws_kms_key`.
        name: Its name within the stack.
        attributes: Its JSON; `lifecycle` is among them.
    """

    terraform_type: str
    name: str
    attributes: Mapping[str, Any]

    @property
    def address(self) -> str:
        """Its Terraform address."""
        return f"{self.terraform_type}.{self.name}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A guard's refusal.

    Attributes:
        guard: The guard's name.
        address: The resource, such as `aws_kms_key.generation_1`, or the tenant for the stack as a whole.
        message: What is wrong and what it must be.
        requirements: The ids of the requirements at stake.
    """

    guard: str
    address: str
    message: str
    requirements: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The message with its address, guard and requirements."""
        return f"{self.address}: {self.message} [{', '.join((self.guard, *self.requirements))}]"


class GuardError(RefusedError):
    """Guards refused what a synthesis would emit; Terraform was given nothing of it.

    Args:
        findings: Every refusal, in the order of the stacks; at least one.
    """

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        requirements = tuple(sorted({requirement for finding in findings for requirement in finding.requirements}))
        super().__init__(
            "guards",
            f"the guards of the stacks refused {len(findings)} thing(s) that the synthesis would emit",
            requirements,
            "the stacks emit something else than the declaration asks for: take back what was changed in them",
        )
        self.findings = findings

    def diagnostics(self) -> tuple[str, ...]:
        """The findings, one a line."""
        return tuple(str(finding) for finding in self.findings)
