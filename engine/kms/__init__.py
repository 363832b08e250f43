"""The one edge to AWS KMS."""

from engine.kms.client import KeyDetails, KeyUsage, Kms, WrappedBytes, connect

__all__ = ["KeyDetails", "KeyUsage", "Kms", "WrappedBytes", "connect"]
