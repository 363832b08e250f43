"""Where Terraform keeps the state of a stack: in a file of the working folder, or in S3 with S3's own locking.

It is declared (`terraform_state`) and not left to the environment: a pipeline that forgot a setting would
find an empty state, and make every key anew. Each stack has a state of its own, `PREFIX/STACK.tfstate`.
Locking is a lock file beside it (Terraform, "Backend Type: s3", `use_lockfile`); nothing else is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.cdktf_imports import S3Backend

if TYPE_CHECKING:
    from engine.declaration import Declaration
    from stacks.cdktf_imports import TerraformStack


def keep_state(stack: TerraformStack, declaration: Declaration) -> None:
    """Give a stack the backend that its declaration names; without one it keeps CDKTF's local file."""
    if declaration.terraform_state is None:
        return
    bucket, _, prefix = declaration.terraform_state.removeprefix("s3://").partition("/")
    folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    S3Backend(
        stack,
        bucket=bucket,
        key=f"{folder}{stack.node.id}.tfstate",
        region=declaration.account.region,
        encrypt=True,
    )
    stack.add_override("terraform.backend.s3.use_lockfile", True)
