"""`DryRun`: everything is checked, nothing is done, and that is told as an error.

(AWS KMS Developer Guide, "Testing your permissions")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sandbox.kms.errors import KmsError

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call


def end_dry_run(call: Call) -> None:
    """End a dry run that got this far: the call would have succeeded. Does nothing for any other call."""
    if call.parameters.flag("DryRun"):
        raise KmsError("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
