"""Promises of ampcommit, each a test."""
