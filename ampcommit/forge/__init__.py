"""Forges and CI systems: their pages, their requests, what they ask to be checked."""
