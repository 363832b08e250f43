"""moto's data in a state folder: what a call has changed is written before it is answered.

Kept are S3, DynamoDB, IAM and STS: what a tenant's keys, ledger, vault and Terraform state rest on. Other
services of moto are in memory alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from engine.sandbox.http_server import HOST
from engine.sandbox.state.moto_identities import StoredIdentities
from engine.sandbox.state.moto_objects import StoredObjects
from engine.sandbox.state.moto_tables import StoredTables

if TYPE_CHECKING:
    from engine.sandbox.http_messages import HttpRequest
    from engine.sandbox.state.folder import StateFolder

_LOCAL_NAMES = frozenset({HOST, "localhost"})


class MotoState:
    """moto's data in a folder. Its caller lets one call at a time change moto's data.

    Args:
        folder: The folder; what it holds is put into moto.
        partition: The AWS partition.

    Raises:
        DamagedError: An entry cannot be read.
    """

    def __init__(self, folder: StateFolder, partition: str) -> None:
        self._folder = folder
        self._objects = StoredObjects(folder, partition)
        self._tables = StoredTables(folder)
        self._identities = StoredIdentities(folder, partition)

    def save(self, request: HttpRequest, service: str, region: str, account_id: str) -> None:
        """Write what a call has changed. Raises `MachineError` where the disk does not take it."""
        if service == "s3":
            if request.method not in {"GET", "HEAD"}:
                path = unquote(request.target.partition("?")[0]).lstrip("/")
                by_path = request.headers.get("host", "").rpartition(":")[0] in _LOCAL_NAMES
                # A bucket that is named by the host, not by the path: all of the account's are looked at.
                bucket, _, key = path.partition("/") if by_path else ("", "", "")
                self._folder.write(self._objects.changes(account_id, bucket or None, key or None))
        elif service == "dynamodb":
            operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
            self._folder.write(self._tables.changes(account_id, region, operation, request.body))
        elif service in {"iam", "sts"}:
            self._folder.write(self._identities.changes(account_id))
