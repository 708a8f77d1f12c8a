"""One call of a hook by git: its environment, its arguments, where it happens, and what it says."""

import os

from ampcommit.escape import terminal
from ampcommit.gitcmd import Git
from ampcommit.place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ampcommit.settings import Settings


class Call:
    """
    What a hook needs to know of its call.

    `parent` is the process that started the script: git itself where git started it; 0 where
    that is not known, because another hook manager or a person stands between. `fed` is what git
    feeds the hook on standard input.
    """

    __slots__ = ("_config", "_settings", "args", "environ", "fed", "git", "parent", "place")

    def __init__(
        self, environ: "Mapping[str, str]", parent: int, args: list[str], config: str | None = None, fed: str = ""
    ) -> None:
        self.environ = environ
        self.parent = parent if _is_git(parent) else 0
        self.args = args
        self.fed = fed
        self._config = config
        self._settings: Settings | None = None
        # A partial clone would fetch what it lacks; git before 2.45 knows only the second way to say no.
        self.git = Git(environ={**environ, "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"})
        self.place = Place.of_hook(environ)

    def settings(self) -> "Settings":
        """Return the policy in force for this commit; it is read once, and what is wrong with it is said once."""
        if self._settings is None:
            self._settings = self._read_settings()
        return self._settings

    def _read_settings(self) -> "Settings":
        from ampcommit.settings import read_settings  # post-commit seldom needs it

        index = self.environ.get("GIT_INDEX_FILE") or os.path.join(self.place.git_dir, "index")
        settings = read_settings(self.git, self.environ, index=index, asked=self._config)
        for problem in settings.warnings + settings.problems:
            say(f"warning: ampcommit: {terminal(problem)}")
        return settings


def say(line: str) -> None:
    """Tell the person who commits; where nobody listens (a closed or full stderr) nothing is lost."""
    try:
        os.write(2, f"{line}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def _is_git(pid: int) -> bool:
    """Say whether *pid* is git; where the system does not tell (macOS), git's habit of starting hooks itself counts."""
    try:
        with open(f"/proc/{pid}/comm", "rb", buffering=0) as stream:
            return stream.read(16) == b"git\n"
    except OSError:
        return True
