"""What `verify` judges: which commits, by which policy, on what evidence."""
