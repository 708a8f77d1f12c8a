"""Facts about commits in the formats of other programs."""
