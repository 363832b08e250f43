"""The one edge to AWS KMS."""

from engine.kms.client import KeyDetails, Kms, WrappedBytes, connect

__all__ = ["KeyDetails", "Kms", "WrappedBytes", "connect"]
