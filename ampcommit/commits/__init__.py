"""Commits in bulk, as git tells of them."""
