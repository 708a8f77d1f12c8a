"""
The text of the hook scripts, and how to recognise ours.

Two kinds: the fast one that `install` writes starts the interpreter recorded there, isolated; the
portable one (`hooks/` at the top of the repository) calls the `ampcommit` command and is for other
hook managers. Both map the statuses of the hook process alike; docs/decisions/0002 says why two.
"""

from ampcommit.errors import OUTCOMES
from ampcommit.settings import PATTERN

HOOKS = ("commit-msg", "post-commit", "post-merge", "post-rewrite")
"""The hooks of this version, in the order git runs them."""

SHARING = ("pre-push",)
"""Hooks that are installed only for who wants to share records."""

EARLIER = ".before-ampcommit"
"""What is appended to the name of a hook that was there before; other endings set off other tools' migrations."""

_MARK = "# ampcommit hook: "

_START = """\
#!/bin/sh
{mark}{hook}
# Written by `ampcommit install`, removed by `ampcommit uninstall`; see docs/hooks.md of ampcommit.
python={python}
package={package}
state="${{GIT_DIR:-.git}}/ampcommit"
earlier="$0{earlier}"
# The pre-commit framework runs a hook that it found in its place under this name, and must not be run by it again.
case $0 in
*.legacy)
	if ! [ -e "$earlier" ]; then
		earlier="${{0%.legacy}}{earlier}"
		! grep -q pre-commit.com "$earlier" 2>/dev/null || earlier=
	fi
	;;
esac

# What git's configuration says comes on stdin: a remote may hold a secret, and arguments are for everybody to see.
run() {{
	ran=yes
	if ! [ -x "$python" ]; then
		echo "error: the Python that ampcommit was installed with is gone: $python" >&2
		echo " hint: {outcome}; run \\`ampcommit install\\` again, or \\`ampcommit uninstall\\`" >&2
		return 0
	fi
	status=0
	"$python" -I -S -c '
import gc, os, sys
gc.disable()
sys.path.append(sys.argv.pop(1))
try:
    from ampcommit.hook import main
except Exception as error:
    os.write(2, ("error: ampcommit cannot start: %r\\n" % (error,)).encode("utf-8", "replace"))
    os._exit(70)
os._exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[4:], sys.argv[3] == "asked"))
' "$package" {hook} "$PPID" "$@" || status=$?
	settle $status
}}

# Some managers put their own hooks in place again while they run. That ours is out of the way then is not kept quiet.
notice() {{
	{{ read -r first && read -r mark; }} 2>/dev/null <"$0" || mark=
	[ "$mark" != '{mark}{hook}' ] || return 0
	echo "warning: ampcommit: another tool has just put a {hook} of its own in place of this hook" >&2
	echo " hint: run \\`ampcommit install\\` again, or call ampcommit from that tool" >&2
}}
"""

_SETTLE = """
# 33: the policy rejects. 130: interrupted. Anything else that is not 0 is our own failure, and costs nobody a commit.
settle() {
	case $1 in
	0) return 0 ;;
	33) return 1 ;;
	130) return 130 ;;
	70) ;;
	*) echo "error: ampcommit ended with status $1" >&2 ;;
	esac
	echo " hint: {outcome}; \\`ampcommit status\\` looks at this setup" >&2
	return 0
}
"""

_SETTLE_PUSH = """
# Whatever becomes of us, git pushes.
settle() {
	case $1 in
	0 | 130) return 0 ;;
	70) ;;
	*) echo "error: ampcommit ended with status $1" >&2 ;;
	esac
	echo " hint: {outcome}; \\`ampcommit status\\` looks at this setup" >&2
	return 0
}
"""

_COMMIT_MSG = """
if [ -x "$earlier" ]; then
	"$earlier" "$@" || {
		vetoed=$?
		notice
		exit $vetoed
	}
	notice
fi

# One question to git's configuration, for this script and for Python. Where the policy has nothing
# to say of this commit, Python is not started; post-commit is told by a note.
config=$(git config --show-scope --get-regexp '{pattern}') || :
mode= authors=
while read -r scope key value; do
	case $key in
	ampcommit.mode) mode=$value ;;
	ampcommit.authors) authors=$value ;;
	esac
done <<EOF
$config
EOF
mode=${AMPCOMMIT_MODE:-$mode} authors=${AMPCOMMIT_AUTHORS:-$authors}
if [ "$authors" = agent ] && [ "${AGENT-}" != amp ] &&
	[ -z "${AMP_CURRENT_THREAD_ID-}${AGENT_THREAD_ID-}${AMP_THREAD_ID-}" ] && ! [ -e "$state/use" ]; then
	mode=off
fi
if [ "$mode" = off ] && ! [ -L "$state" ] && { [ -d "$state" ] || (umask 077 && mkdir "$state"); } 2>/dev/null; then
	# A link is not written through, a pipe makes nobody wait: such things are left to Python.
	if ! [ -L "$state/note" ] && { [ -f "$state/note" ] || ! [ -e "$state/note" ]; }; then
		(umask 077 && echo "skip $PPID" >"$state/note") 2>/dev/null && exit 0
	fi
fi
ran=
run asked "$@" <<EOF
$config
EOF
status=$?
# Older bash keeps such text in a temporary file; where that cannot be written nothing ran, and git is asked again.
[ -n "$ran" ] || { run unasked "$@"; status=$?; }
exit $status
"""

_EARLIER_FIRST = """
vetoed=0
if [ -x "$earlier" ]; then
	"$earlier" "$@" || vetoed=$?
	notice
fi
"""

_PICKS = """
# A rebase picks commit after commit; what became of all of them is told to post-rewrite, at once. Commits that
# somebody makes in the middle of a rebase are none of those: before this hook `git commit` removes CHERRY_PICK_HEAD,
# and where a rebase stops, or runs a command, its own files tell.
picking() {
	[ -f "$1/CHERRY_PICK_HEAD" ] || { [ -d "$1/reftable" ] && git rev-parse -q --verify CHERRY_PICK_HEAD >/dev/null; }
}
rebase="${GIT_DIR:-.git}/rebase-merge"
if [ -f "$rebase/author-script" ] && ! [ -e "$rebase/stopped-sha" ] && picking "${GIT_DIR:-.git}" &&
	[ -x "${0%/*}/post-rewrite" ]; then
	{ read -r first && read -r mark; } 2>/dev/null <"${0%/*}/post-rewrite" || mark=
	[ "$mark" != '{mark}post-rewrite' ] || exit $vetoed
fi
"""

_SQUASHED = """
[ "${1-}" != 1 ] || exit $vetoed
"""

_NOTED = """
note=
if [ -f "$state/note" ] && ! [ -L "$state/note" ]; then
	read -r note <"$state/note" || :
fi
if [ "$note" = "skip $PPID" ]; then
	: >"$state/note"
else
	run unasked "$@"
fi
exit $vetoed
"""

# Git feeds this hook; an earlier one gets the same bytes, which end with a line feed if there are any.
_POST_REWRITE = """
vetoed=0
if [ -x "$earlier" ]; then
	pairs=$(cat)
	feed() { [ -z "$pairs" ] || printf '%s\\n' "$pairs"; }
	feed | "$earlier" "$@" || vetoed=$?
	notice
	feed | run unasked "$@"
else
	run unasked "$@"
fi
exit $vetoed
"""

# The same here. Where an earlier hook refuses the push, nothing is shared.
_PRE_PUSH = """
if [ -x "$earlier" ]; then
	refs=$(cat)
	feed() { [ -z "$refs" ] || printf '%s\\n' "$refs" 2>/dev/null; }
	feed | "$earlier" "$@" || {
		vetoed=$?
		notice
		exit $vetoed
	}
	notice
	feed | run unasked "$@"
else
	run unasked "$@"
fi
exit 0
"""

_BODIES = {
    "commit-msg": _COMMIT_MSG.replace("{pattern}", PATTERN),
    "post-commit": _EARLIER_FIRST + _PICKS.replace("{mark}", _MARK) + _NOTED,
    "post-merge": _EARLIER_FIRST + _SQUASHED + _NOTED,
    "post-rewrite": _POST_REWRITE,
    "pre-push": _PRE_PUSH,
}

_PORTABLE = """\
#!/bin/sh
{mark}{hook} (portable)
# For other hook managers and for installing by hand; `ampcommit install` writes a faster one.

{settle}
if command -v ampcommit >/dev/null; then
	ampcommit hook --parent "$PPID" {hook} "$@" || settle $?
else
	echo "error: the command ampcommit is not on PATH" >&2
	echo " hint: {outcome}; install it, or take this hook out" >&2
fi
"""


def fast(hook: str, python: str, package: str) -> str:
    """Return the script that runs the interpreter *python* with the package in the folder *package*."""
    names = {"mark": _MARK, "hook": hook, "earlier": EARLIER, "outcome": OUTCOMES[hook]}
    start = _START.format(python=quoted(python), package=quoted(package), **names)
    return start + _settle(hook) + _BODIES[hook]


def portable(hook: str) -> str:
    """Return the script that runs the command `ampcommit`."""
    return _PORTABLE.format(mark=_MARK, hook=hook, settle=_settle(hook), outcome=OUTCOMES[hook])


def _settle(hook: str) -> str:
    return (_SETTLE_PUSH if hook in SHARING else _SETTLE).replace("{outcome}", OUTCOMES[hook])


def is_ours(script: bytes) -> bool:
    """Say whether *script* is one that we wrote."""
    return script.split(b"\n", 2)[1:2] != [] and script.split(b"\n", 2)[1].startswith(_MARK.encode())


def quoted(text: str) -> str:
    """Return *text* as one word of the shell."""
    return "'" + text.replace("'", "'\\''") + "'"
