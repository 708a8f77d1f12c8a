"""What a command does: each returns data and shows nothing."""
