"""What stands around our hooks: other tools that manage hooks, and a scratch copy to try them in."""
