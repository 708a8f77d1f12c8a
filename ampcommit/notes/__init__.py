"""Records in the ledger and in git notes, read together; how notes are united, signed, fetched and pushed."""
