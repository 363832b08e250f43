"""The one edge to AWS KMS."""

from engine.kms.administration import KeyDetails, KeyUsage
from engine.kms.client import Kms, WrappedBytes, connect

__all__ = ["KeyDetails", "KeyUsage", "Kms", "WrappedBytes", "connect"]
