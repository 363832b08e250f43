"""Durable state, journal and wrapped data keys of one tenant, behind one interface."""
