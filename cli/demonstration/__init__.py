"""The demonstration: its stage, its infrastructure, its story."""
