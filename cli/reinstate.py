"""`keyturn reinstate`: the other half of `keyturn revoke`."""

from cli.revoke import reinstate as command

__all__ = ["command"]
