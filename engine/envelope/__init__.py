"""Envelope encryption: payload streams in Tink's format, and the data keys that they are under (EKM-02)."""
