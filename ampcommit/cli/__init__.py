"""The command line: options and arguments, handed to the verbs; what comes back is shown."""
