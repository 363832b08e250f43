"""Faults on demand: what goes wrong between a client and AWS, chosen by whoever rehearses."""
