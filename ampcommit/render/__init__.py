"""What the user sees: for people, for programs and for CI systems."""
