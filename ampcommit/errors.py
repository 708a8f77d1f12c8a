"""
The failures that ampcommit explains, and the exit code of each.

    AmpcommitError        70  a defect of ours, unless a kind below says better
    ├── MisuseError        2  the command line asks for something that does not exist
    │   └── PolicyError    2  the policy cannot be read, or asks for what we cannot do
    ├── SetupError         3  not a repository, git too old, a folder we may not write
    │   ├── GitError       3  git said no, or did not answer in time
    │   └── InstallError   3  the hooks cannot be installed here without harm
    ├── LedgerError        4  the ledger is damaged, or cannot be written
    │   └── RecordError    4  bytes that should be a record (or an id in one) are not
    └── RemoteError        5  Amp, or the way to it, did not give what was asked

Two statuses have no class: 1 (findings of level error) and 33 (the hook rejects)
are results, and 130 (interrupted) is a `KeyboardInterrupt`.
"""

OUTCOMES = {
    "commit-msg": "the commit goes on unchecked",
    "post-commit": "the commit is made, and has no record",
    "post-merge": "the merge is made, and has no record",
    "post-rewrite": "the commits are rewritten, and what was known of them is not carried over",
    "pre-push": "the push goes on, and the records of its commits are not shared",
}
"""What a failure of ours in each hook leads to; it never costs the commit, nor the push."""


class AmpcommitError(Exception):
    """A failure with a message for what happened and a hint for what to do."""

    exit_code = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class MisuseError(AmpcommitError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class PolicyError(MisuseError):
    """The policy cannot be read, or asks for what this version cannot do."""


class SetupError(AmpcommitError):
    """The surroundings do not allow it: no repository, an old git, no permission."""

    exit_code = 3


class GitError(SetupError):
    """Git said no, or did not answer in time."""


class InstallError(SetupError):
    """The hooks cannot be installed here without harm."""


class LedgerError(AmpcommitError):
    """The ledger is damaged, or cannot be written."""

    exit_code = 4


class RecordError(LedgerError):
    """Bytes that should be a record, or an id in one, are not."""


class RemoteError(AmpcommitError):
    """Amp, or the way to it, did not give what was asked."""

    exit_code = 5
