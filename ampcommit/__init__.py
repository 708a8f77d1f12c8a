"""Provenance for commits that an agent wrote."""

__version__ = "0.1.0"
