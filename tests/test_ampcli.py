"""Amp's own executable is asked in bounded time and memory, tells nobody's secrets, and leaves no process behind."""

import errno
import json
import os
import selectors
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ampcommit.amp.ampcli import Amp, NotThere, find, forget, has_key, on_path, record, recorded
from ampcommit.errors import RemoteError, SetupError
from ampcommit.gitcmd import Git
from ampcommit.place import Place
from ampcommit.record import ThreadId
from ampcommit.threadfile import FILE_LIMIT
from ampcommit.verbs.install import package
from tests.conftest import AMP, CHILD, OTHER, Repo, url
from tests.test_files import failing

SAMPLE = AMP / "2026-05" / "threads-exported" / f"{OTHER}.json"
THREAD = ThreadId(OTHER)
KEY = "sgamp_user_01HZZZZZZZZZZZZZZZZZZZZZZZ_0123456789abcdef"

LOGIN = "No API key found. Starting login flow..."
HANGING = {
    "in silence": "exec sleep 60",
    "deaf to SIGTERM": "trap '' TERM INT HUP; while :; do sleep 1; done",
    "in a login": f"echo '{LOGIN}'; echo '{LOGIN}' >&2; exec sleep 60",
    "with its output closed": "exec >&- 2>&-; exec sleep 60",
    "drop by drop": "while :; do echo x; sleep 0.01; done",
    "with a child": "sleep 60 & exec sleep 60",
    "flooding stderr": "exec yes >&2",
    "behind a good answer": f"cat '{SAMPLE}'; exec sleep 60",
}
NO_THREADS = {
    "nothing": b"",
    "HTML": b"<!doctype html><html><title>502</title></html>",
    "a banner": b"A new version is there!\n" + SAMPLE.read_bytes(),
    "a word behind": SAMPLE.read_bytes() + b"\nBye\n",
    "two documents": SAMPLE.read_bytes() * 2,
    "half of it": SAMPLE.read_bytes()[:5000],
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 200_000,
    "deep inside a thread": b'{"id": "%s", "messages": ' % OTHER.encode() + b"[" * 200_000,
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "Latin-1": b'{"id": "%s", "title": "\xe9"}' % OTHER.encode(),
    "UTF-16": SAMPLE.read_text().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + SAMPLE.read_bytes(),
    "a number without end": b'{"v": ' + b"9" * 10_000 + b"}",
}
OTHERS = {
    "another": {"id": CHILD},
    "a link": {"id": url(OTHER)},
    "a number": {"id": 1},
    "a list": {"id": [OTHER]},
    "no id": {"thread": {"id": OTHER}},
}


class StandIn:
    """A program in the place of amp, and whether anybody that it started is still there."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "amp"
        self.alive = folder / "alive"
        os.mkfifo(self.alive)
        self._fd = os.open(self.alive, os.O_RDONLY | os.O_NONBLOCK)
        self._started = b""

    def put(self, script: str) -> str:
        """Let amp be this shell script; its descendants all hold the FIFO open."""
        return self.write(f"#!/bin/sh\nexec 9>'{self.alive}'; echo $$ >&9\n{script}\n")

    def python(self, script: str) -> str:
        """Let amp be this Python script."""
        hold = f"fd = os.open({str(self.alive)!r}, os.O_WRONLY); os.write(fd, b'%d\\n' % os.getpid())"
        return self.write(f"#!{sys.executable} -IS\nimport os, sys\n{hold}\n{script}\n")

    def write(self, text: str) -> str:
        """Let amp hold *text*."""
        self.path.write_text(text)
        self.path.chmod(0o755)
        return str(self.path)

    def is_gone(self, seconds: float = 10) -> bool:
        """Say whether every process that it was has ended, giving the kernel a moment to end them."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                piece = os.read(self._fd, 4096)
            except BlockingIOError:
                time.sleep(0.005)
                continue
            self._started += piece
            if not piece:
                return True
        return False

    @property
    def started(self) -> int:
        """How many times it ran."""
        assert self.is_gone()
        return len(self._started.split())

    def close(self) -> None:
        """End those that should have been ended."""
        gone = self.is_gone()
        os.close(self._fd)
        for pid in [] if gone else self._started.split():
            os.killpg(int(pid), signal.SIGKILL)
        assert gone


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Whatever happens, no descriptor is left open and no process is left behind."""
    before = len(os.listdir("/dev/fd"))
    yield
    assert before == len(os.listdir("/dev/fd"))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.fixture
def amp(tmp_path: Path) -> Iterator[StandIn]:
    """A stand-in for amp outside any repository; at the end no process of it may be left."""
    folder = tmp_path / "bin"
    folder.mkdir()
    stand_in = StandIn(folder)
    yield stand_in
    stand_in.close()


def asked(path: str, seconds: float = 30, **environ: str) -> dict[str, object]:
    """Ask for the thread of the sample."""
    return Amp(path, {**os.environ, **environ}, seconds).export(THREAD)


def refused(path: str, seconds: float = 30, **environ: str) -> RemoteError:
    """Ask for the thread of the sample and return why there is none."""
    with pytest.raises(RemoteError) as caught:
        asked(path, seconds, **environ)
    return caught.value


def shown(error: RemoteError) -> str:
    """Return everything that a person can come to see of a failure."""
    return f"{error} {error.hint} {error!r} {error.__cause__!r}"


# What amp says, and what becomes of it.


def test_a_thread_is_handed_on_as_amp_prints_it(amp: StandIn) -> None:
    """What the client exports arrives whole."""
    assert asked(amp.put(f"cat '{SAMPLE}'")) == json.loads(SAMPLE.read_text())
    assert amp.started == 1


def test_amp_has_ten_seconds(amp: StandIn) -> None:
    """Who does not say how long amp may take gets ten seconds, which is enough for it."""
    assert Amp.__init__.__defaults__ == (10.0,)
    assert Amp(amp.put(f"cat '{SAMPLE}'"), os.environ).export(THREAD)["id"] == OTHER


@pytest.mark.parametrize("around", [b" ", b"\n\n", b"\r\n\t "])
def test_white_space_around_the_thread_is_nothing(amp: StandIn, tmp_path: Path, around: bytes) -> None:
    """Blank lines before and behind the JSON do not matter."""
    (tmp_path / "out").write_bytes(around + SAMPLE.read_bytes() + around)

    assert asked(amp.put(f"cat '{tmp_path}/out'"))["id"] == OTHER


def test_stderr_does_not_matter_when_amp_succeeds(amp: StandIn) -> None:
    """Warnings, megabytes of them, and even another thread on stderr change nothing."""
    script = "echo 'Thread x does not exist.' >&2; echo '{\"id\": 1}' >&2; head -c 3000000 /dev/zero >&2"

    assert asked(amp.put(f"{script}; cat '{SAMPLE}'")) == json.loads(SAMPLE.read_text())


def test_an_id_in_capitals_is_the_same_thread(amp: StandIn) -> None:
    """Letter case is no difference between two ids."""
    assert asked(amp.put(f'echo \'{{"id": "{OTHER.upper()}"}}\'')) == {"id": OTHER.upper()}


@pytest.mark.parametrize("printed", NO_THREADS.values(), ids=NO_THREADS)
def test_what_is_not_one_json_object_is_no_thread(amp: StandIn, tmp_path: Path, printed: bytes) -> None:
    """A page of a proxy, a banner, a second document, a bomb: nothing is picked out of it."""
    (tmp_path / "out").write_bytes(printed)

    error = refused(amp.put(f"cat '{tmp_path}/out'"))

    assert str(error) == "amp did not print a thread"
    assert OTHER in error.hint
    assert error.__cause__ is None


@pytest.mark.parametrize("printed", OTHERS.values(), ids=OTHERS)
def test_another_thread_is_not_taken_for_the_one_asked_for(amp: StandIn, printed: dict[str, object]) -> None:
    """What amp prints is believed only if it says that it is that thread."""
    error = refused(amp.put(f"echo '{json.dumps(printed)}'"))

    assert str(error) == "amp printed another thread than the one asked for"


@pytest.mark.parametrize(
    "said",
    [
        f"Thread {OTHER} does not exist.",
        f"Error: Thread {OTHER.upper()} does not exist",
        f"Thread {url(OTHER)} does not exist.",
        f"\\033[?25h\\033[0m\\nwarning: old\\n\\033[31mThread \\033[1m{OTHER}\\033[0m does not exist.\\033[0m",
    ],
)
def test_a_thread_that_amp_does_not_know(amp: StandIn, said: str) -> None:
    """That a thread is not there is told apart from other failures, in the words of every generation."""
    error = refused(amp.put(f"printf '{said}\\n' >&2; exit 1"), AGENT_THREAD_ID=OTHER)

    assert isinstance(error, NotThere)
    assert (str(error), error.exit_code) == (f"Amp does not know the thread {OTHER}", 5)
    assert "only after the turn" in error.hint


def test_that_another_thread_is_unknown_says_nothing_of_this_one(amp: StandIn) -> None:
    """Only the thread that was asked for can be the one that does not exist."""
    error = refused(amp.put(f"echo 'Thread {CHILD} does not exist.' >&2; exit 1"))

    assert type(error) is RemoteError
    assert str(error) == f"amp ended with status 1: Thread {CHILD} does not exist."


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("fetch failed", "fetch failed"),
        ("\\n  \\n---\\n  Invalid thread ID or URL  \\nmore", "Invalid thread ID or URL"),
        ("\\033[?2004l\\033[?25h\\033(B\\033[0m\\n\\033[1;31mfetch\\033[0m failed\\033[m", "fetch failed"),
        ("\\033]0;a title\\007\\033]8;;http://x\\033\\\\fetch failed\\033]8;;\\033\\\\", "fetch failed"),
        ("\\033Pa string\\033\\\\\\302\\2331mfetch failed\\0337", "fetch failed"),
        ("\\033]0;a title that does not end\\nfetch failed", ""),
        ("a\\010\\033\\342\\200\\256\\377b", "a\\x08\\x1b\\u202e\\udcffb"),
        ("", ""),
        ("\\n-- \\n", ""),
    ],
)
def test_a_failure_is_told_in_the_first_line_that_says_something(amp: StandIn, said: str, reason: str) -> None:
    """Of stderr a person sees one line, without anything that a terminal acts on."""
    error = refused(amp.put(f"printf '{said}' >&2; echo nonsense; exit 3"))

    assert str(error) == "amp ended with status 3" + (f": {reason}" if reason else "")
    assert "amp login" in error.hint


def test_a_long_failure_is_short(amp: StandIn) -> None:
    """However much amp complains, the message stays a line."""
    error = refused(
        amp.put("echo no good; yes word | head -c 100000 >&2; yes x | tr -d '\\n' | head -c 9999 >&2; exit 1")
    )

    assert str(error) == "amp ended with status 1: word"
    assert str(refused(amp.put("yes '' | head -c 4096 >&2; echo word >&2; exit 1"))) == "amp ended with status 1"
    assert len(str(refused(amp.put("yes word | tr '\\n' ' ' | head -c 100000 >&2; exit 1")))) < 250


def test_an_amp_that_dies_is_told_from_one_that_ends(amp: StandIn) -> None:
    """A signal is named."""
    assert str(refused(amp.put("kill -KILL $$"))) == "amp was killed by signal 9"
    assert str(refused(amp.put("echo out of memory >&2; kill -TERM $$"))) == (
        "amp was killed by signal 15: out of memory"
    )


@pytest.mark.parametrize("kind", ["gone", "not executable", "without interpreter", "no program", "a folder"])
def test_an_amp_that_cannot_be_started(amp: StandIn, kind: str) -> None:
    """An amp that vanished or broke since it was found is a failure with a way out."""
    path = Path(amp.write("#!/gone/node\n" if kind == "without interpreter" else "no program"))
    if kind == "gone":
        path.unlink()
    elif kind == "not executable":
        path.chmod(0o644)

    error = refused(str(path.parent if kind == "a folder" else path))

    assert str(error).startswith("amp cannot be started: ")
    assert "ampcommit install" in error.hint


# Time, memory, processes.


@pytest.mark.parametrize("script", HANGING.values(), ids=HANGING)
def test_an_amp_that_hangs_is_ended(amp: StandIn, script: str) -> None:
    """Amp costs the time that it was given, whatever it does, and is gone afterwards."""
    error = refused(amp.put(script), seconds=0.06)

    assert str(error) == "amp did not answer in 0.06 seconds"
    assert "key" in error.hint
    assert amp.is_gone()


def test_an_answer_without_end_is_cut_off(amp: StandIn) -> None:
    """Amp cannot fill the memory."""
    assert str(refused(amp.put("exec yes"), seconds=60)) == "amp printed more than 64 MiB"
    assert amp.is_gone()


def test_an_answer_at_the_limit_is_read(amp: StandIn) -> None:
    """A thread as long as may be arrives."""
    padding = FILE_LIMIT - SAMPLE.stat().st_size
    script = f"cat '{SAMPLE}'; head -c {padding} /dev/zero | tr '\\0' ' '"

    assert asked(amp.put(script), seconds=60)["id"] == OTHER
    assert str(refused(amp.put(f"{script}; echo"), seconds=60)) == "amp printed more than 64 MiB"


@pytest.mark.parametrize("background", ["sleep 60 &", "(trap '' HUP TERM; sleep 60; echo late) &", "yes >&2 &"])
def test_children_that_amp_leaves_behind_are_ended_and_not_waited_for(amp: StandIn, background: str) -> None:
    """Who keeps amp's output open when amp has ended neither delays the answer nor lives on."""
    assert asked(amp.put(f"{background} cat '{SAMPLE}'"))["id"] == OTHER
    assert amp.is_gone()


def test_a_child_without_the_pipes_is_ended_too(amp: StandIn) -> None:
    """The whole group goes when amp ends, also where nobody could notice that it is there."""
    assert asked(amp.put(f"sleep 60 >/dev/null 2>&1 & cat '{SAMPLE}'"))["id"] == OTHER
    assert amp.is_gone()


@pytest.mark.parametrize("meanwhile", ["", "while os.write(2, bytes(65536)): pass"], ids=["silent", "flooding"])
def test_a_child_that_left_the_group_is_not_waited_for(
    amp: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """A daemon that inherited the output cannot be ended by us, and delays nothing, however fast it talks."""
    os.mkfifo(tmp_path / "leash")
    leash = os.open(tmp_path / "leash", os.O_RDWR)
    path = amp.python(
        f"ours, theirs = os.pipe()\nleash = os.open('{tmp_path}/leash', os.O_RDONLY)\n"
        "if not os.fork():\n"
        "  os.setsid(); os.write(2, bytes(4096)); os.write(theirs, b'.')\n"
        f"  {meanwhile}\n"
        "  os.read(leash, 1); os._exit(0)\n"
        f"os.read(ours, 1); sys.stdout.write(open('{SAMPLE}').read())"
    )
    select = selectors.DefaultSelector.select
    monkeypatch.setattr(selectors.DefaultSelector, "select", lambda self, timeout: select(self, timeout or 0.05))
    try:
        assert asked(path, seconds=5)["id"] == OTHER
    finally:
        os.close(leash)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_ends_amp_too(amp: StandIn, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]) -> None:
    """Ctrl-C while amp works leaves no amp behind, and goes on to whoever called."""
    select, looks = selectors.DefaultSelector.select, []

    def interrupted(self: selectors.DefaultSelector, timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        looks.append(timeout)
        if len(looks) > 5:
            raise kind
        return select(self, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", interrupted)

    with pytest.raises(kind):
        asked(amp.put("sleep 60 & exec sleep 60"))
    assert amp.is_gone()


def test_where_one_cannot_look_without_reaping(amp: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without waitid, status and children are dealt with all the same."""
    monkeypatch.delattr(os, "waitid")

    assert asked(amp.put(f"sleep 60 & cat '{SAMPLE}'"))["id"] == OTHER
    assert amp.is_gone()
    assert str(refused(amp.put("exit 7"))) == "amp ended with status 7"


def test_a_caller_that_ignores_its_children(amp: StandIn) -> None:
    """Where somebody ignores SIGCHLD for us, there is no status, but an answer."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert asked(amp.put(f"cat '{SAMPLE}'"))["id"] == OTHER
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_group_of_the_dead_may_refuse_to_be_killed(amp: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """MacOS says EPERM where all that is left of the group is dead: no reason to fail."""
    monkeypatch.setattr(os, "killpg", failing(errno.EPERM, os.killpg))

    assert asked(amp.put(f"cat '{SAMPLE}'"))["id"] == OTHER


# What amp is given.


def test_amp_is_run_as_promised(amp: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, folder, stdin, descriptors, group and environment are these, and no others."""
    seen = tmp_path / "seen"
    kept = {"PATH": os.environ["PATH"], "HOME": "/home/u", "AMP_URL": "https://x", "AMP_API_KEY": KEY, "LC_ALL": "C"}
    dropped = dict.fromkeys(
        ["AGENT", "AI_AGENT", "AGENT_THREAD_ID", "AMP_CURRENT_THREAD_ID", "AMP_THREAD_ID", "GIT_DIR", "GIT_INDEX_FILE"],
        "x",
    )
    path = amp.python(
        "import json\n"
        "fds = [fd for fd in range(100) if os.path.exists(f'/dev/fd/{fd}')]\n"
        "group = [os.getpgrp() == os.getpid(), os.getsid(0) == os.getpid()]\n"
        f"json.dump([sys.argv[1:], os.getcwd(), sys.stdin.read(), group, dict(os.environ), fds], open('{seen}', 'w'))\n"
        f"sys.stdout.write(open('{SAMPLE}').read())"
    )
    monkeypatch.chdir(tmp_path)
    ours, stdin_before = os.open(SAMPLE, os.O_RDONLY), os.dup(0)
    os.set_inheritable(ours, True)  # noqa: FBT003  # positional only
    os.dup2(ours, 0)
    try:
        Amp(path, kept | dropped | {"TERM": "xterm", "NO_COLOR": ""}).export(THREAD)
    finally:
        os.dup2(stdin_before, 0)
        os.close(stdin_before)
        os.close(ours)
    arguments, folder, stdin, group, environ, fds = json.loads(seen.read_text())

    assert (arguments, folder, stdin, group) == (["threads", "export", OTHER], "/", "", [True, True])
    assert environ == kept | {"NO_COLOR": "1", "TERM": "dumb"}
    assert ours not in [fd for fd in fds if fd > 4]  # 3 and 4: what it opened itself


def test_nothing_is_asked_of_a_shell(amp: StandIn, tmp_path: Path) -> None:
    """A path with blanks and signs that mean something to a shell is a path."""
    odd = tmp_path / "a b; touch $(echo c) 'd"
    odd.mkdir()
    Path(amp.put(f"cat '{SAMPLE}'")).rename(odd / "amp")

    assert asked(str(odd / "amp"))["id"] == OTHER


# Secrets.


@pytest.mark.parametrize(
    ("said", "environ", "reason"),
    [
        (f"bad key {KEY}!", {}, "bad key [hidden]!"),
        ("bad keys sgamp_a-b_C9, sgp_ws01_23", {}, "bad keys [hidden], [hidden]"),
        ("bad key s3cr3t/+=", {"AMP_API_KEY": "s3cr3t/+="}, "bad key [hidden]"),
        ("bad key k", {"AMP_API_KEY": "k"}, "bad [hidden] [hidden]"),
        (f"bad key {KEY}.tail", {"AMP_API_KEY": f"{KEY}.tail"}, "bad key [hidden]"),
        (f"bad key {KEY}", {"AMP_API_KEY": KEY[:20]}, "bad key [hidden]"),
        (f"bad key \033[1m{KEY[:9]}\033[0m{KEY[9:]}", {"AMP_API_KEY": KEY}, "bad key [hidden]"),
        ("bad key \udcff\udcfe", {"AMP_API_KEY": "\udcff\udcfe"}, "bad key [hidden]"),
        ("no way to http://u:p@proxy:1/x", {"HTTPS_PROXY": "http://u:p@proxy:1"}, "no way to [hidden]/x"),
        ("long and longer", {"A": "long and", "B": "long and longer"}, "[hidden]"),
        ("1 is no secret", {"SHLVL": "1"}, "1 is no secret"),
    ],
)
def test_no_secret_is_quoted(amp: StandIn, tmp_path: Path, said: str, environ: dict[str, str], reason: str) -> None:
    """Whatever amp says of keys and of its environment, an error text does not."""
    (tmp_path / "said").write_bytes(os.fsencode(said))

    error = refused(amp.put(f"cat '{tmp_path}/said' >&2; exit 1"), 30, **environ)

    assert str(error) == f"amp ended with status 1: {reason}"
    assert not [value for value in environ.values() if len(value) > 1 and value in shown(error)]


def test_a_key_of_the_login_is_not_quoted(amp: StandIn, sealed: Path) -> None:
    """The key that amp's own login wrote down is as secret, whatever it looks like."""
    login(sealed, '{"apiKey@https://ampcode.com/": "geheim"}')

    assert str(refused(amp.put("echo not geheim >&2; exit 1"))) == "amp ended with status 1: not [hidden]"


@pytest.mark.parametrize("before", range(4060, 4100, 3))
def test_half_a_key_is_not_quoted(amp: StandIn, tmp_path: Path, before: int) -> None:
    """A key that lies across the end of what we keep of stderr does not escape."""
    (tmp_path / "said").write_text("\n" * (before - 4) + "key " + KEY + "\n" + "x" * 200)

    error = refused(amp.put(f"cat '{tmp_path}/said' >&2; exit 1"), AMP_API_KEY=KEY)

    assert KEY[:3] not in str(error)


@pytest.mark.parametrize("script", [f"echo {KEY}", f"echo {KEY} >&2; exec sleep 60", f"echo {KEY} >&2; kill -KILL $$"])
def test_no_other_failure_tells_the_key(amp: StandIn, script: str) -> None:
    """Neither what amp prints instead of a thread, nor what it said before it hung, gives it away."""
    assert KEY not in shown(refused(amp.put(script), seconds=0.2, AMP_API_KEY=KEY))


# Where amp is.


def login(home: Path, secrets: str) -> Path:
    """Write the file that `amp login` writes."""
    path = home / ".local" / "share" / "amp" / "secrets.json"
    path.parent.mkdir(parents=True)
    path.write_text(secrets)
    return path


def located(repo: Repo, **environ: str) -> Amp:
    """Find the amp of *repo*, having a key."""
    git = Git(str(repo.path))
    return find(git, Place.of_folder(git), {**os.environ, "AMP_API_KEY": "k", **environ})


def place_of(repo: Repo) -> Place:
    """Return the place of *repo*."""
    return Place.of_folder(Git(str(repo.path)))


def not_found(repo: Repo, **environ: str) -> SetupError:
    """Return why no amp is found for *repo*."""
    with pytest.raises(SetupError) as caught:
        located(repo, **environ)
    assert caught.value.hint
    return caught.value


def test_amp_is_where_the_configuration_says(repo: Repo, amp: StandIn) -> None:
    """What a person sets comes first: the environment, then git's configuration, then what install recorded."""
    good = amp.put(f"cat '{SAMPLE}'")
    record(place_of(repo), good)
    assert located(repo).export(THREAD)["id"] == OTHER
    repo("config", "ampcommit.amp", "/gone/amp")
    assert "/gone/amp" in str(not_found(repo))
    assert located(repo, AMPCOMMIT_AMP=good).export(THREAD)["id"] == OTHER
    repo("config", "ampcommit.amp", "")
    assert located(repo).export(THREAD)["id"] == OTHER


def test_amp_is_never_searched(repo: Repo, amp: StandIn) -> None:
    """An amp on PATH is not run because it is there, nor because a repository names it."""
    path = amp.put("exit 0")
    (repo.path / ".ampcommit").write_text(f"[ampcommit]\n\tamp = {path}\n")

    error = not_found(repo, PATH=f"{amp.path.parent}:{os.environ['PATH']}")

    assert error.hint == "run ampcommit install where amp is on PATH, or set git config ampcommit.amp /path/to/amp"
    assert amp.started == 0


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("bin/amp", "not an absolute path"),
        ("amp", "not an absolute path"),
        ("~/bin/amp", "not an absolute path"),
        ("/gone/amp", "not an executable file"),
        ("/gone/amp\033[2J", r"/gone/amp\x1b[2J, named as amp, is not an executable file"),
        ("/dev/null", "not an executable file"),
        ("/bin", "not an executable file"),
        ("/bin/sh/", "not an executable file"),
        (str(SAMPLE), "not an executable file"),
    ],
)
def test_what_is_no_program_is_refused(repo: Repo, path: str, reason: str) -> None:
    """A path that cannot be amp is refused before anybody tries it."""
    repo("config", "ampcommit.amp", path)

    assert reason in str(not_found(repo))


@pytest.mark.parametrize("name", ["amp", "node_modules/.bin/amp", ".git/ampcommit/bin/amp"])
def test_an_amp_that_the_repository_brings_is_refused(repo: Repo, name: str) -> None:
    """A clone cannot make us run what it holds, however it is named."""
    inside = repo.path / name
    inside.parent.mkdir(parents=True, exist_ok=True)
    inside.write_text("#!/bin/sh\nexit 0\n")
    inside.chmod(0o755)
    link = repo.path.parent / "linked"
    link.symlink_to(inside)
    folder = repo.path.parent / "folder"
    folder.symlink_to(inside.parent)

    for path in (inside, link, folder / "amp", repo.path / "gone" / ".." / name):
        (repo.path / "gone").mkdir(exist_ok=True)
        assert "it lies inside the repository in" in str(not_found(repo, AMPCOMMIT_AMP=str(path)))
        assert on_path(place_of(repo), {"PATH": str(path.parent)}) is None


def test_a_link_in_the_repository_is_refused_wherever_it_leads(repo: Repo, amp: StandIn) -> None:
    """The next checkout may let it lead elsewhere."""
    (repo.path / "amp").symlink_to(amp.put("exit 0"))

    assert "inside the repository" in str(not_found(repo, AMPCOMMIT_AMP=str(repo.path / "amp")))
    assert on_path(place_of(repo), {"PATH": str(repo.path)}) is None


def test_a_neighbour_of_the_repository_is_outside(repo: Repo, amp: StandIn) -> None:
    """A folder whose name begins like the repository's is another folder."""
    neighbour = repo.path.parent / "repo2"
    amp.path.parent.rename(neighbour)
    amp.path, amp.alive = neighbour / "amp", neighbour / "alive"

    assert located(repo, AMPCOMMIT_AMP=amp.put(f"cat '{SAMPLE}'")).export(THREAD)["id"] == OTHER


def test_every_view_of_a_repository_refuses_the_same(repo: Repo, tmp_path: Path) -> None:
    """Seen from a linked work tree, or from inside the git dir, the main work tree is still the repository."""
    repo.commit("-m", "One")
    repo("worktree", "add", "-q", str(tmp_path / "linked"))
    for folder in (repo.path, tmp_path / "linked"):
        (folder / "amp").write_text("#!/bin/sh\n")
        (folder / "amp").chmod(0o755)

    for view in (repo.path, repo.path / ".git", tmp_path / "linked"):
        for folder in (repo.path, tmp_path / "linked"):
            assert "inside the repository" in str(not_found(Repo(view), AMPCOMMIT_AMP=str(folder / "amp")))


def test_every_linked_work_tree_of_a_bare_repository_is_refused(tmp_path: Path, repo: Repo) -> None:
    """What one branch brings is run from none of the work trees, whatever else lies in their list."""
    repo.commit("-m", "One")
    bare = Repo(tmp_path / "bare.git")
    repo("clone", "-q", "--bare", str(repo.path), str(bare.path))
    for name in ("one", "two"):
        bare("worktree", "add", "-q", "-b", name, str(tmp_path / name))
    (bare.path / "worktrees" / "odd").mkdir()
    (tmp_path / "two" / "amp").write_text("#!/bin/sh\n")
    (tmp_path / "two" / "amp").chmod(0o755)

    for view in (bare, Repo(tmp_path / "one"), Repo(tmp_path / "two")):
        assert "inside the repository" in str(not_found(view, AMPCOMMIT_AMP=str(tmp_path / "two" / "amp")))


def test_the_repository_above_a_submodule_is_refused(tmp_path: Path, repo: Repo) -> None:
    """What the superproject brings is not run for its submodule."""
    repo.commit("-m", "One")
    above = Repo(tmp_path / "above")
    repo("init", "-q", str(above.path))
    above("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repo.path), "sub")
    (above.path / "amp").write_text("#!/bin/sh\n")
    (above.path / "amp").chmod(0o755)

    assert "inside the repository" in str(not_found(Repo(above.path / "sub"), AMPCOMMIT_AMP=str(above.path / "amp")))


def test_a_bare_repository_is_its_git_dir(tmp_path: Path, amp: StandIn) -> None:
    """Without a work tree, the git dir is what amp may not lie in."""
    bare = Repo(tmp_path / "bare.git")
    subprocess.run(["git", "init", "-q", "--bare", str(bare.path)], check=True)
    (bare.path / "amp").write_text("#!/bin/sh\n")
    (bare.path / "amp").chmod(0o755)

    assert "inside the repository" in str(not_found(bare, AMPCOMMIT_AMP=str(bare.path / "amp")))
    assert located(bare, AMPCOMMIT_AMP=amp.put(f"cat '{SAMPLE}'")).export(THREAD)["id"] == OTHER


@pytest.mark.parametrize("top", ["the home folder", "/"])
def test_a_home_that_is_a_work_tree_is_a_work_tree(repo: Repo, sealed: Path, top: str) -> None:
    """An amp in a home folder, or on a disk, under version control is refused, and the hint says so."""
    path = sealed / ".local" / "bin" / "amp"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    place = Place(str(repo.path / ".git"), "/" if top == "/" else str(sealed))

    with pytest.raises(SetupError, match="inside the repository") as caught:
        find(Git(str(repo.path)), place, {**os.environ, "AMPCOMMIT_AMP": str(path), "AMP_API_KEY": "k"})
    assert "home folder" in caught.value.hint
    assert on_path(place, {"PATH": str(path.parent)}) is None


def test_amp_without_a_key_is_not_run(repo: Repo, amp: StandIn) -> None:
    """Old clients wait for ever in a login: without a key they are not started."""
    record(place_of(repo), amp.put("exit 0"))

    with pytest.raises(RemoteError, match=r"^there is no key for Amp$") as caught:
        located(repo, AMP_API_KEY="")
    assert (caught.value.hint, amp.started) == ("run `amp login`, or set AMP_API_KEY", 0)


@pytest.mark.parametrize(
    ("secrets", "has"),
    [
        ('{"apiKey@https://ampcode.com/": "sgamp_user_x"}', True),
        ('{"mcp-oauth-token@x": "y", "apiKey@http://127.0.0.1:1": "k"}', True),
        ('{"apiKey@https://ampcode.com/": ""}', False),
        ('{"apiKey@https://ampcode.com/": null}', False),
        ('{"apiKey@https://ampcode.com/": {"a": "b"}}', False),
        ('{"github-access-token@https://github.com": "x"}', False),
        ('{"apikey": "x", "apiKey": "x"}', False),
        ('["apiKey@https://ampcode.com/"]', False),
        ('{"apiKey@https://ampcode.com/": "x"', False),
        ("", False),
        ("\udcff", False),
        ("[" * 200_000, False),
        ('{"apiKey@https://ampcode.com/": "x"}' + " " * 1024 * 1024, False),
    ],
)
def test_a_login_is_a_key(sealed: Path, secrets: str, has: bool) -> None:
    """The file of amp's login counts if it holds a key of Amp's, and is never a reason to fail."""
    login(sealed, "").write_bytes(os.fsencode(secrets))

    assert has_key(os.environ) is has
    assert has_key({**os.environ, "AMP_API_KEY": "k"})


def test_a_login_behind_a_link_is_a_key(sealed: Path, tmp_path: Path) -> None:
    """Who keeps such files elsewhere and links them is logged in all the same."""
    path = login(sealed, "")
    path.unlink()
    (tmp_path / "secrets").write_text('{"apiKey@https://ampcode.com/": "sgamp_user_x"}')
    path.symlink_to(tmp_path / "secrets")

    assert has_key(os.environ)


def test_a_key_is_looked_for_where_amp_does(tmp_path: Path) -> None:
    """XDG_DATA_HOME moves the login; without a home there is none, and an empty variable is no key."""
    login(tmp_path, '{"apiKey@https://ampcode.com/": "k"}')

    assert has_key({"XDG_DATA_HOME": str(tmp_path / ".local" / "share")})
    assert not has_key(os.environ)
    assert not has_key({"AMP_API_KEY": ""})


# What install needs.


def test_what_is_recorded_is_found_again(repo: Repo) -> None:
    """The path is kept for the whole clone, for its owner alone, and the last one counts."""
    place = place_of(repo)
    assert recorded(place) is None

    record(place, "/opt/first/amp")
    record(place, "/opt/a b/\udcff/amp")

    kept = Path(place.state) / "amp"
    assert recorded(place) == "/opt/a b/\udcff/amp"
    assert kept.read_bytes() == b"/opt/a b/\xff/amp\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_what_is_forgotten_is_not_found(repo: Repo) -> None:
    """A recorded path can be taken back, and nothing but it; that there is none is fine."""
    place = place_of(repo)
    record(place, "/opt/amp")
    (Path(place.state) / "ledger.jsonl").touch()

    for _ in range(2):
        forget(place)
        assert recorded(place) is None
    assert os.listdir(place.state) == ["ledger.jsonl"]


def test_a_path_of_two_lines_is_not_recorded(repo: Repo) -> None:
    """One line holds one path."""
    with pytest.raises(SetupError, match=r"line feed: /opt/a\\nb/amp"):
        record(place_of(repo), "/opt/a\nb/amp")
    assert recorded(place_of(repo)) is None


def test_a_link_in_the_place_of_our_folder_is_not_followed(repo: Repo, tmp_path: Path) -> None:
    """Nothing is written where a link points."""
    (repo.path / ".git" / "ampcommit").symlink_to(tmp_path)

    with pytest.raises(NotADirectoryError):
        record(place_of(repo), "/opt/amp")
    assert not (tmp_path / "amp").exists()


@pytest.mark.parametrize("content", ["", "\n", "/opt/amp\n/opt/other\n", "/opt/amp\n\n", "/" + "x" * 9000])
def test_a_damaged_record_is_none(repo: Repo, content: str) -> None:
    """What is not one line is no path."""
    record(place_of(repo), "/opt/amp")
    (repo.path / ".git" / "ampcommit" / "amp").write_text(content)

    assert recorded(place_of(repo)) is None


def test_the_amp_on_path_is_found_for_install(repo: Repo, amp: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The PATH that is given counts; what depends on the current folder does not."""
    path, place = amp.put("exit 0"), place_of(repo)
    monkeypatch.chdir(amp.path.parent)

    assert on_path(place, {"PATH": f"/gone:{amp.path.parent}"}) == path
    for nowhere in ({}, {"PATH": ""}, {"PATH": "/gone"}, {"PATH": "."}, {"PATH": ":/gone"}):
        assert on_path(place, nowhere) is None
    amp.path.chmod(0o644)
    assert on_path(place, {"PATH": str(amp.path.parent)}) is None


def test_a_link_to_amp_is_recorded_as_it_is(repo: Repo, amp: StandIn, tmp_path: Path) -> None:
    """Version managers tell from its name what a program of theirs shall be, and an update moves the target."""
    amp.put("exit 0")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "amp").symlink_to(amp.path)

    assert on_path(place_of(repo), {"PATH": str(tmp_path / "links")}) == str(tmp_path / "links" / "amp")


def test_a_detached_process_can_use_it(amp: StandIn) -> None:
    """It stands on the standard library alone, so an isolated interpreter without site packages runs it."""
    path = amp.put(f"cat '{SAMPLE}'")
    code = (
        "import sys; sys.path.append(sys.argv[1]); from ampcommit.amp.ampcli import Amp, ThreadId; import os\n"
        "print(Amp(sys.argv[2], os.environ).export(ThreadId(sys.argv[3]))['id'])\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - {'ampcommit', '__main__'})"
    )

    argv = [sys.executable, "-I", "-S", "-c", code, package(), path, OTHER]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()

    assert printed[0] == OTHER
    assert set(printed[1:]) <= sys.stdlib_module_names
