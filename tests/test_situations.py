"""Every situation of a message (P) and of a link (L) that we know of, met with real git and the installed hooks."""

import ast
import functools
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ampcommit.cli.app import main
from ampcommit.gitcmd import clean
from tests.conftest import CHILD, OTHER, PARENT, ROOT, Repo, url
from tests.test_message import put_in

U, V, W = url(PARENT), url(CHILD), url(OTHER)
OURS = f"Amp-Thread-ID: {U}"
FIX = "Fix the parser"
CUT = "# ------------------------ >8 ------------------------\n"
SQUASH = 'f() { sed 2s/^pick/squash/ "$1" >"$1.new" && mv "$1.new" "$1"; }; f'
AMPS_OWN = (
    "trailer.AmpThread.key=Amp-Thread-ID",
    "trailer.AmpThread.ifexists=replace",
    "trailer.AmpCoauth.key=Co-authored-by",
    "trailer.AmpCoauth.ifexists=addIfDifferent",
)


def message_of(repo: Repo) -> bytes:
    """Return the message of HEAD, byte for byte as it is in the object."""
    return repo.run("cat-file", "commit", "HEAD").stdout.partition(b"\n\n")[2]


def tip(repo: Repo) -> str:
    """Return the commit at HEAD, which is a branch, without asking git; nothing if there is none."""
    ref = repo.path / ".git" / (repo.path / ".git" / "HEAD").read_text()[5:-1]
    return ref.read_text().strip() if ref.exists() else ""


def records_of(repo: Repo) -> dict[str, list[str]]:
    """Return what the ledger says of each commit: its threads."""
    path = repo.path / ".git" / "ampcommit" / "ledger.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return {line["commit"]: line["links"] for line in map(json.loads, lines) if line["kind"] == "commit"}


class Twins:
    """Two repositories in which the same is done: one has the hooks, the other shows what git does without them."""

    def __init__(self, hooked: Repo, plain: Repo, reader: Path) -> None:
        self.hooked = hooked
        self.plain = plain
        self._reader = reader

    def both(
        self, *args: str, ok: bool = True, env: dict[str, str] | None = None, stdin: bytes | None = None
    ) -> tuple[subprocess.CompletedProcess[bytes], subprocess.CompletedProcess[bytes]]:
        """Run `git *args` in both."""
        done = self.hooked.run(*args, ok=ok, env=env, stdin=stdin)
        assert b"Traceback" not in done.stderr
        assert b"defect" not in done.stderr
        return done, self.plain.run(*args, ok=ok, env=env, stdin=stdin)

    def write(self, name: str, content: bytes) -> None:
        """Put a file into both work trees."""
        for repo in (self.hooked, self.plain):
            (repo.path / name).write_bytes(content)

    def commit(
        self,
        *args: str,
        links: Sequence[str] = (U,),
        config: Sequence[str] = (),
        env: dict[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> bytes:
        """Commit in both, check what must always hold, and return what the hook put into the message."""
        self.both(*_config(config), "commit", "--allow-empty", *args, env=env, stdin=stdin)
        return self.checked(links)

    def checked(self, links: Sequence[str], *, recorded: bool = True) -> bytes:
        """Compare the commits at HEAD: the author's text, other trailers, *links* and records are as they must be."""
        before, after = message_of(self.plain), message_of(self.hooked)
        added = put_in(before, after)
        ours, others = self.read(self.hooked)
        was_ours, was_others = self.read(self.plain)

        assert ours == list(links)
        assert others == was_others, "what others wrote into the block is unchanged"
        assert not added or ours[:-1] == was_ours, "the link is added behind the older ones"
        assert not added or Counter(f"Amp-Thread-ID: {ours[-1]}".encode()) == Counter(re.sub(rb"[\r\n]", b"", added))
        assert sorted(os.listdir(self.hooked.path)) == sorted(os.listdir(self.plain.path)), "nothing is left behind"
        record = records_of(self.hooked).get(tip(self.hooked))
        assert not recorded or (record or []) == list(dict.fromkeys(link[-38:] for link in links))
        return added

    def read(self, repo: Repo) -> tuple[list[str], list[str]]:
        """Return our links and all other trailers of HEAD, as a clone without anybody's configuration shows them."""
        fields = "%(trailers:key=Amp-Thread-ID,valueonly,unfold)%x00%(trailers:only,unfold)"
        objects = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(repo.path / ".git" / "objects")}
        done = subprocess.run(
            ["git", "log", "-1", f"--format={fields}", tip(repo)],
            env=clean(os.environ, str(self._reader)) | objects,
            capture_output=True,
            check=True,
        )
        ours, _, listed = done.stdout.decode("utf-8", "surrogateescape").rstrip("\n").partition("\0")
        others = [line for line in listed.split("\n") if line and not line.lower().startswith("amp-thread-id:")]
        return [line for line in ours.split("\n") if line], others

    def refused(
        self,
        *args: str,
        code: str,
        config: Sequence[str] = (),
        env: dict[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> str:
        """Commit in both; with the hook it must be refused with *code*, the draft kept, and nothing recorded."""
        was = tip(self.hooked)
        done, _ = self.both(*_config(config), "commit", "--allow-empty", *args, env=env, stdin=stdin, ok=False)
        draft = [(repo.path / ".git" / "COMMIT_EDITMSG").read_bytes() for repo in (self.hooked, self.plain)]

        assert done.returncode == 1
        assert f"error: {code} ".encode() in done.stderr
        assert b"go on with your message (add --amend if you were amending): git commit " in done.stderr
        assert draft[0] == draft[1], "what the author wrote is kept"
        assert tip(self.hooked) == was
        return done.stderr.decode()

    def aborted(
        self,
        *args: str,
        config: Sequence[str] = (),
        env: dict[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> str:
        """Commit in both; git itself must abort, with the hook as without."""
        done, plain = self.both(*_config(config), "commit", "--allow-empty", *args, env=env, stdin=stdin, ok=False)

        assert done.returncode == plain.returncode != 0
        assert done.stderr == plain.stderr, "the hook has nothing to say"
        assert tip(self.hooked) == ""
        return done.stderr.decode()


def _config(pairs: Sequence[str]) -> list[str]:
    return [word for pair in pairs for word in ("-c", pair)]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository without any configuration of its own, through which others are read."""
    path = tmp_path_factory.mktemp("reader")
    subprocess.run(["git", "init", "-q", "--bare", "."], cwd=path, check=True)
    return path


@pytest.fixture
def human(installed: Repo, tmp_path: Path, reader: Path) -> Twins:
    """A person at work: two repositories, one with the hooks."""
    subprocess.run(["git", "init", "-q", str(tmp_path / "plain")], check=True)
    return Twins(installed, Repo(tmp_path / "plain"), reader)


@pytest.fixture
def amp(human: Twins, agent: Callable[[str], None]) -> Twins:
    """The agent at work in the thread `PARENT`: two repositories, one with the hooks."""
    agent(PARENT)
    return human


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a line of shell be the editor; `$1` is the file."""

    def use(script: str) -> None:
        path = tmp_path / "editor"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("GIT_EDITOR", str(path))

    return use


@pytest.fixture
def writer(editor: Callable[[str], None], tmp_path: Path) -> Callable[[bytes], None]:
    """Let the editor put a text above what git prepared."""

    def use(text: bytes) -> None:
        (tmp_path / "text").write_bytes(text)
        editor(f'cat "{tmp_path}/text" "$1" >"$1.new" && mv "$1.new" "$1"')

    return use


Judge = Callable[[str | bytes], tuple[list[str], list[str]]]


@pytest.fixture
def judge(repo: Repo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Judge:
    """Ask `ampcommit verify --message --json`; the answer is the accepted threads and the codes of the findings."""
    monkeypatch.chdir(repo.path)

    def ask(text: str | bytes) -> tuple[list[str], list[str]]:
        Path("MSG").write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(SystemExit) as ended:
            main(["verify", "--message", "MSG", "--json"])
        said, talk = capsys.readouterr()
        [commit] = json.loads(said)["commits"]

        assert talk == ""
        assert said.isascii()
        assert len(said) < 5000
        assert ended.value.code == {"pass": 0, "exempt": 0, "fail": 1}[commit["status"]]
        return commit["threads"], [finding["code"] for finding in commit["findings"]]

    return ask


# P: where the link is, and what git sees of it. What `verify` says.

GOOD = {
    "P01 last paragraph": f"{FIX}\n\n{OURS}\n",
    "P01 with a body": f"{FIX}\n\nBecause.\n\n{OURS}\n",
    "P04 three of prose to one": f"{FIX}\n\np1\np2\np3\nSigned-off-by: a\n{OURS}\n",
    "P04 cherry-picked": f"{FIX}\n\n(cherry picked from commit {'0' * 40})\nprose\n{OURS}\n",
    "P08 lower case": f"{FIX}\n\namp-thread-id: {U}\n",
    "P08 blanks": f"{FIX}\n\nAmp-thread-id :\t{U} \t\n",
    "P08 no blank": f"{FIX}\n\nAmp-Thread-ID:{U}\n",
    "P12 folded": f"{FIX}\n\nAmp-Thread-ID:\n {U}\n",
    "P16 same thread twice": f"{FIX}\n\n{OURS}\n{OURS}\n",
    "P18 among others": f"{FIX}\n\nIssue: 4\n{OURS}\nSigned-off-by: A <a@b>\n",
    "P36 CRLF": f"{FIX}\r\n\r\nX: y\r\n{OURS}\r\n",
    "P38 BOM at the start": f"\ufeff{FIX}\n\n{OURS}\n",
    "P45 no line feed at the end": f"{FIX}\n\n{OURS}",
    "P52 cherry-picked": f"{FIX}\n\n{OURS}\n(cherry picked from commit {'0' * 40})\n",
    "P58 conflicts": f"{FIX}\n\n{OURS}\n\nConflicts:\n\tf\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_verify_accepts_a_link_that_git_sees(judge: Judge, text: str) -> None:
    """`verify` sees what git sees, in every form that git accepts."""
    assert judge(text) == ([PARENT], [])


def test_p17_verify_lists_several_threads_in_order(judge: Judge) -> None:
    """P17: every thread of a commit is named, the last one last."""
    assert judge(f"{FIX}\n\nAmp-Thread-ID: {V}\n{OURS}\nAmp-Thread-ID: {W}\n") == ([CHILD, PARENT, OTHER], [])


UNSEEN = {
    "P02 prose above": f"{FIX}\n\nprose\n{OURS}\n",
    "P04 too much prose": f"{FIX}\n\n1\n2\n3\n4\n5\n6\n7\nSigned-off-by: a\n{OURS}\n",
    "P06 middle paragraph": f"{FIX}\n\n{OURS}\n\nCo-authored-by: A <a@b>\n",
    "P07 squash merge": f"{FIX}\n\n* one\n\n{OURS}\n\n* two\n\n---------\n\nCo-authored-by: A <a@b>\n",
    "P11 indented": f"{FIX}\n\n {OURS}\n",
    "P11 bulleted": f"{FIX}\n\n* {OURS}\n",
    "P11 quoted": f"{FIX}\n\n> {OURS}\n",
    "P11 fenced": f"{FIX}\n\n```\n{OURS}\n```\n",
    "P11 bold": f"{FIX}\n\n**Amp-Thread-ID**: {U}\n",
    "P13 continuation of another": f"{FIX}\n\nNote: x\n {OURS}\n",
    "P24 below the cut line": f"{FIX}\n\nx\n\n{CUT}\n{OURS}\n",
    "P38 BOM before the key": f"{FIX}\n\n\ufeff{OURS}\n",
    "P39 no-break space for a blank line": f"{FIX}\n\nb\n\u00a0\n{OURS}\n",
    "P39 form feed for a blank line": f"{FIX}\n\nb\n\f\n{OURS}\n",
    "P50 squashed": f"Squashed commit of the following:\n\ncommit 0\n\n    one\n\n    {OURS}\n",
    "P53 another block behind": f"{FIX}\n\n{OURS}\n\nChange-Id: I1\n",
}


@pytest.mark.parametrize("text", UNSEEN.values(), ids=UNSEEN)
def test_verify_names_a_link_that_git_does_not_see(judge: Judge, text: str) -> None:
    """A link that is there for a reader but not for git is AC102, never a pass."""
    assert judge(text) == ([], ["AC102"])


@pytest.mark.parametrize(
    "text", [f"{FIX}\n{OURS}\n", f"\n{OURS}\n", f"\n{FIX}\n{OURS}\n"], ids=["P03", "P30", "P03 blank line above"]
)
def test_verify_takes_no_title_for_a_link(judge: Judge, text: str) -> None:
    """The first paragraph is the subject, whatever stands in it."""
    threads, codes = judge(text)

    assert threads == []
    assert "AC102" in codes


MISSING = {
    "P09 another separator": f"{FIX}\n\nAmp-Thread-ID= {U}\n",
    "P10 a prefix of the key": f"{FIX}\n\nAmp: {U}\nAmp-Thread: {U}\n",
    "P10 a longer key": f"{FIX}\n\nAmp-Thread-ID-Old: {U}\n",
    "P23 dash line above the cut line": f"{FIX}\n\n---\nx\n{CUT}",
    "P54 prose": f"{FIX}\n\nsee {U}\n",
}


@pytest.mark.parametrize("text", MISSING.values(), ids=MISSING)
def test_verify_misses_a_link_that_is_not_there(judge: Judge, text: str) -> None:
    """What is no trailer of ours is no link, and is not called a displaced one."""
    assert judge(text) == ([], ["AC101"])


BAD = {
    "P12 blank inside a folded link": f"{FIX}\n\nAmp-Thread-ID: https://ampcode.com/threads/\n {PARENT}\n",
    "P14 empty value": f"{FIX}\n\nAmp-Thread-ID:\n",
    "P14 blank value": f"{FIX}\n\nAmp-Thread-ID: \t\n",
    "P15 link on the next line": f"{FIX}\n\nAmp-Thread-ID:\n{U}\n",
    "P37 carriage return": f"{FIX}\n\n{OURS}\rSigned-off-by: x\n",
    "P37 vertical tab": f"{FIX}\n\n{OURS}\vSigned-off-by: x\n",
    "P37 form feed": f"{FIX}\n\n{OURS}\fSigned-off-by: x\n",
    "P37 file separator": f"{FIX}\n\n{OURS}\x1cSigned-off-by: x\n",
    "P37 next line": f"{FIX}\n\n{OURS}\u0085Signed-off-by: x\n",
    "P37 line separator": f"{FIX}\n\n{OURS}\u2028Signed-off-by: x\n",
    "P37 paragraph separator": f"{FIX}\n\n{OURS}\u2029Signed-off-by: x\n",
    "P38 BOM before the value": f"{FIX}\n\nAmp-Thread-ID: \ufeff{U}\n",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_verify_rejects_a_value_that_is_no_link(judge: Judge, text: str) -> None:
    """A trailer of ours is judged as git unfolds it, as a whole."""
    assert judge(text) == ([], ["AC103"])


def test_p51_verify_reports_what_a_squash_hid(judge: Judge) -> None:
    """P51: in the text of a squash the last block wins, and the earlier link is reported."""
    text = f"# This is a combination of 2 commits.\n\n{FIX}\n\n{OURS}\n\nFix the lexer\n\nAmp-Thread-ID: {V}\n"

    assert judge(text) == ([CHILD], ["AC102"])


def test_p05_verify_reads_with_nobodys_configuration(judge: Judge, repo: Repo) -> None:
    """P05, P09: a key or a separator configured here makes no trailer of what others will not see."""
    repo("config", "trailer.amp.key", "Amp-Thread-ID")
    repo("config", "trailer.separators", "=:")

    assert judge(f"{FIX}\n\nprose\n{OURS}\n") == ([], ["AC102"])
    assert judge(f"{FIX}\n\nAmp-Thread-ID= {U}\n") == ([], ["AC101"])


# P: what the hook does to a message.


def test_p01_a_link_that_is_there_is_enough(human: Twins) -> None:
    """P01: a person who writes the link is a person who wrote the link."""
    assert human.commit("-m", FIX, "-m", OURS) == b""


@pytest.mark.parametrize("body", [f"prose\n{OURS}", "prose: x\nmore"], ids=["our line", "any line"])
def test_p02_prose_gets_a_paragraph_behind_it(amp: Twins, body: str) -> None:
    """P02: prose stays prose; the link is a paragraph of its own."""
    assert amp.commit("-m", FIX, "-m", body) == f"\n{OURS}\n".encode()


@pytest.mark.parametrize("line", [OURS, "Issue: 4"])
def test_p03_the_title_is_left_alone(amp: Twins, line: str) -> None:
    """P03: a line in the first paragraph is subject, and the link goes below."""
    assert amp.commit("-F", "-", stdin=f"{FIX}\n{line}\n".encode()) == f"\n{OURS}\n".encode()
    assert amp.hooked.head("%s") == f"{FIX} {line}"


@pytest.mark.parametrize(
    ("prose", "joins"), [(0, True), (3, True), (4, False)], ids=["only trailers", "three to one", "four to one"]
)
def test_p04_the_quarter_rule_is_gits(amp: Twins, prose: int, joins: bool) -> None:
    """P04: where git sees a block the link joins it, where it sees prose the link stands apart."""
    block = "".join(f"p{at}\n" for at in range(prose)) + "Signed-off-by: a\n"

    assert amp.commit("-F", "-", stdin=f"{FIX}\n\n{block}".encode()) == b"\n" * (not joins) + f"{OURS}\n".encode()


def test_p05_a_key_configured_here_is_not_relied_upon(amp: Twins) -> None:
    """P05: what only this clone's configuration makes a block is none in CI, so the link stands apart."""
    assert amp.commit("-m", FIX, "-m", f"prose\n{OURS}", config=["trailer.amp.key=Amp-Thread-ID"]).startswith(b"\n")


def test_p05_without_an_agent_it_is_refused(human: Twins) -> None:
    """P05: a trailer that only this clone sees is refused here, not in CI tomorrow."""
    human.refused("-m", FIX, "-m", f"prose\n{OURS}", code="AC102", config=["trailer.amp.key=Amp-Thread-ID"])


@pytest.mark.parametrize(
    "line", ["Co-authored-by: A <a@b>", "---------\n\nCo-authored-by: A <a@b>"], ids=["P06", "P07"]
)
def test_a_displaced_link_is_put_where_git_sees_it(amp: Twins, line: str) -> None:
    """A link that another paragraph hides is added once more, in the block at the end."""
    assert amp.commit("-m", FIX, "-m", OURS, "-m", line) == f"{OURS}\n".encode()


@pytest.mark.parametrize(
    "line", ["Co-authored-by: A <a@b>", "---------\n\nCo-authored-by: A <a@b>"], ids=["P06", "P07"]
)
def test_a_displaced_link_of_a_person_is_refused(human: Twins, line: str) -> None:
    """A person who put the link above the last paragraph learns which line it is."""
    assert OURS in human.refused("-m", FIX, "-m", OURS, "-m", line, code="AC102")


@pytest.mark.parametrize("line", [f"Amp-thread-id :\t{U}", f"AMP-THREAD-ID:{U}"])
def test_p08_our_key_in_any_spelling_is_not_doubled(amp: Twins, line: str) -> None:
    """P08: git compares keys without regard to case and blanks, and so do we."""
    assert amp.commit("-m", FIX, "-m", line) == b""


def test_p09_a_separator_of_this_clone_is_not_relied_upon(amp: Twins) -> None:
    """P09: `Amp-Thread-ID= …` is a trailer only with a setting that CI has not."""
    assert (
        amp.commit("-m", FIX, "-m", f"Amp-Thread-ID= {U}", config=["trailer.separators==:"]) == f"\n{OURS}\n".encode()
    )


@pytest.mark.parametrize("key", ["A", "Amp", "Amp-Thread", "Amp-Thread-ID-Old"])
def test_p10_keys_like_ours_neither_stop_the_link_nor_vanish(amp: Twins, key: str) -> None:
    """P10: git's prefix matching costs nobody a line, also with Amp's own settings."""
    assert amp.commit("-m", FIX, "-m", f"{key}: x", config=AMPS_OWN) == f"{OURS}\n".encode()


@pytest.mark.parametrize("shape", [" {}", "* {}", "> {}", "```\n{}\n```", "**Amp-Thread-ID**: x"])
def test_p11_a_decorated_key_is_text(amp: Twins, shape: str) -> None:
    """P11: what only looks like our trailer stays as it is, and the real one is added."""
    assert amp.commit("-F", "-", stdin=f"{FIX}\n\nb\n{shape.format(OURS)}\n".encode()) == f"\n{OURS}\n".encode()


@pytest.mark.parametrize("value", [f"\n {U}", f"  {U}\n\t"], ids=["on the next line", "with an empty continuation"])
def test_p12_a_folded_link_is_a_link(amp: Twins, value: str) -> None:
    """P12: a folded value is unfolded before it is judged, and stays folded in the message."""
    assert amp.commit("-m", FIX, "-m", f"Amp-Thread-ID:{value}") == b""


def test_p12_a_folded_value_of_another_keeps_its_lines(amp: Twins) -> None:
    """P12: our line goes behind the continuation lines, not between them."""
    assert amp.commit("-m", FIX, "-m", "Note: a\n b\n  c") == f"{OURS}\n".encode()


def test_p13_a_continuation_of_another_trailer_is_not_ours(amp: Twins) -> None:
    """P13: our line as part of somebody's value is somebody's value."""
    assert amp.commit("-m", FIX, "-m", f"Note: x\n {OURS}") == f"{OURS}\n".encode()


@pytest.mark.parametrize("line", ["Amp-Thread-ID:", f"Amp-Thread-ID:\n{U}"], ids=["P14", "P15"])
def test_an_empty_value_is_refused(amp: Twins, line: str) -> None:
    """An empty link is mended by its author, not papered over by a second one."""
    amp.refused("-m", FIX, "-m", line, code="AC103")


def test_p16_the_same_thread_is_not_added_twice(amp: Twins) -> None:
    """P16: two equal lines stay two, and get no third."""
    assert amp.commit("-m", FIX, "-m", f"{OURS}\n{OURS}", links=[U, U]) == b""


def test_p17_earlier_threads_stay_and_the_current_one_comes_last(amp: Twins) -> None:
    """P17: the rule is the link to the last thread, and none is lost."""
    args = ("--trailer", f"Amp-Thread-ID: {V}", "--trailer", f"Amp-Thread-ID: {W}")

    assert amp.commit("-m", FIX, *args, links=[V, W, U]) == f"{OURS}\n".encode()


def test_p18_other_trailers_keep_their_order(amp: Twins) -> None:
    """P18: sign-off and issue stay where they are, in one block with the link."""
    assert amp.commit("-m", FIX, "-s", "--trailer", "Issue: 4") == f"{OURS}\n".encode()
    assert amp.hooked.head("%(trailers:keyonly,separator=%x20)") == "Signed-off-by Issue Amp-Thread-ID"


@pytest.mark.parametrize(
    "args", [(), ("--trailer", "Co-authored-by: Amp <amp@ampcode.com>")], ids=["alone", "co-author"]
)
def test_p19_what_amp_added_itself_is_left_byte_for_byte(amp: Twins, args: tuple[str, ...]) -> None:
    """P19: where Amp's own rewrite has done the work there is nothing to do."""
    assert amp.commit("--trailer", OURS, *args, "-m", FIX, config=AMPS_OWN) == b""


@pytest.mark.parametrize("text", [b"Fix the parser\n", b"Fix the parser"], ids=["P20", "P21"])
def test_the_link_goes_above_gits_help(amp: Twins, writer: Callable[[bytes], None], text: bytes) -> None:
    """The commented help of an editor's file stays below, even where the subject touches it."""
    writer(text)

    assert amp.commit() == f"\n{OURS}\n".encode()


VERBOSE = {"-v": (("-v",), ()), "-vv": (("-vv",), ()), "setting": ((), ("commit.verbose=2",))}


@pytest.mark.parametrize(("args", "config"), VERBOSE.values(), ids=[f"P22 {name}" for name in VERBOSE])
@pytest.mark.parametrize("comment", ["#", ";"])
def test_the_diff_below_the_cut_line_is_not_the_message(
    amp: Twins, writer: Callable[[bytes], None], args: tuple[str, ...], config: tuple[str, ...], comment: str
) -> None:
    """A diff that itself holds our trailer is neither read nor kept."""
    amp.write("f", f"{OURS}\n\n{CUT}\nAmp-Thread-ID: {V}\n".encode())
    amp.both("add", "f")
    writer(b"Fix the parser\n")

    assert amp.commit(*args, config=(*config, f"core.commentChar={comment}")) == f"\n{OURS}\n".encode()


def test_p22_the_diff_gives_no_link_to_a_person(human: Twins, writer: Callable[[bytes], None]) -> None:
    """P22: a link in the diff does not satisfy the policy."""
    human.write("f", f"{OURS}\n".encode())
    human.both("add", "f")
    writer(b"Fix the parser\n")

    human.refused("-v", code="AC101")


def test_p22_the_cut_line_is_found_with_a_chosen_comment_character(amp: Twins, editor: Callable[[str], None]) -> None:
    """P22, P31: with core.commentChar=auto the diff is cut off as well."""
    amp.write("f", b"x\n")
    amp.both("add", "f")
    editor(":")

    assert amp.commit("-v", "-e", "-m", "#123 fix it", config=["core.commentChar=auto"]) == f"\n{OURS}\n".encode()


@pytest.mark.parametrize("args", [(), ("-v",)], ids=["plain", "verbose"])
def test_p22_the_way_out_of_a_refusal_works_for_a_draft_with_a_diff(
    human: Twins, writer: Callable[[bytes], None], editor: Callable[[str], None], args: tuple[str, ...]
) -> None:
    """P22: the command in the hint commits the draft that was refused, and not the diff that stood below it."""
    human.write("f", b"x\n")
    human.both("add", "f")
    writer(b"Fix the parser\n")
    [hint] = re.findall(r"were amending\): (.*)", human.refused(*args, code="AC101"))
    editor(f"""{{ head -n 1 "$1"; printf '\\n{OURS}\\n'; tail -n +2 "$1"; }} >"$1.new" && mv "$1.new" "$1\"""")
    subprocess.run(["sh", "-c", hint], cwd=human.hooked.path, capture_output=True, check=True)

    assert message_of(human.hooked) == f"{FIX}\n\n{OURS}\n".encode()


def test_p23_a_dash_line_above_the_cut_line_does_not_hang(amp: Twins, writer: Callable[[bytes], None]) -> None:
    """P23: the smallest message on which git's own parser runs for ever is committed as any other."""
    amp.write("f", b"x\n")
    amp.both("add", "f")
    writer(b"Fix\n\n---\nx\n")

    assert amp.commit("-v") == f"\n{OURS}\n".encode()


def test_p24_a_cut_line_in_the_text_has_the_link_above_it(amp: Twins) -> None:
    """P24: git looks for trailers only above a cut line, whoever wrote it."""
    text = f"{FIX}\n\nbody\n\n{CUT}\nbelow\n"

    assert amp.commit("-F", "-", stdin=text.encode()).strip() == OURS.encode()
    assert message_of(amp.hooked).index(OURS.encode()) < message_of(amp.hooked).index(CUT.encode())


def test_p24_a_link_below_the_cut_line_is_refused(human: Twins) -> None:
    """P24: what git will not see must not pass here."""
    human.refused("-F", "-", code="AC102", stdin=f"{FIX}\n\n{CUT}\n{OURS}\n".encode())


def test_p25_a_divider_is_part_of_the_message(amp: Twins) -> None:
    """P25: a commit's message does not end at `---`; the link goes to its real end."""
    assert amp.commit("-F", "-", stdin=b"Fix the parser\n\nA: 1\n---\nB: 2\n") == f"\n{OURS}\n".encode()


@pytest.mark.parametrize("text", ["", "\n\n", " ", "\t\r\n"], ids=["empty", "line feeds", "blank", "mixed"])
def test_p26_an_empty_message_aborts(amp: Twins, text: str) -> None:
    """P26: adding a link makes no commit of nothing."""
    assert "empty commit message" in amp.aborted("-F", "-", stdin=text.encode())


@pytest.mark.parametrize("script", [":", 'echo "# x" >"$1"', ': >"$1"'], ids=["untouched", "comments", "emptied"])
def test_p26_an_editor_that_writes_nothing_aborts(amp: Twins, editor: Callable[[str], None], script: str) -> None:
    """P26: who leaves the editor without a word does not commit."""
    editor(script)

    assert "empty commit message" in amp.aborted()


def test_p27_a_sign_off_alone_aborts(amp: Twins) -> None:
    """P27: a message of nothing but a sign-off is empty for git."""
    assert "empty commit message" in amp.aborted("-F", "-", stdin=b"\nSigned-off-by: a <a>\n")


@pytest.mark.parametrize("blank", [b" \n", b"\nSigned-off-by: a <a>\n"], ids=["P26", "P27"])
def test_verbatim_git_commits_it_so_it_is_judged(human: Twins, blank: bytes) -> None:
    """With cleanup=verbatim git makes a commit even of this, and the policy has its say."""
    human.refused("-F", "-", code="AC101", config=["commit.cleanup=verbatim"], stdin=blank)


@pytest.mark.parametrize("script", [":", 'echo "Signed-off-by: a <a>" >>"$1"'], ids=["untouched", "signed off"])
@pytest.mark.parametrize("path", ["t", "~/t"])
def test_p28_an_untouched_template_aborts(
    amp: Twins, editor: Callable[[str], None], sealed: Path, script: str, path: str
) -> None:
    """P28: a template that nobody filled in is not committed; `--template` on the command line no hook can see."""
    amp.write("t", b"Why it matters\n\nHow it works\n# explain\n")
    (sealed / "t").write_bytes(b"Why it matters\n\nHow it works\n# explain\n")
    editor(script)

    assert "did not edit the message" in amp.aborted(config=[f"commit.template={path}"])


def test_p28_a_filled_template_is_linked(amp: Twins, writer: Callable[[bytes], None]) -> None:
    """P28: with a subject above it the template is a message."""
    amp.write("t", b"Why it matters\n\nHow it works\n# explain\n")
    writer(b"Fix the parser\n\n")

    assert amp.commit(config=["commit.template=t"]) == f"\n{OURS}\n".encode()


def test_p29_an_empty_message_that_is_allowed_stays_empty(amp: Twins) -> None:
    """P29: `--allow-empty-message` gives an empty message, not one that is only a link."""
    assert amp.commit("--allow-empty-message", "-m", "", links=[]) == b""


def test_p30_our_line_does_not_become_the_subject(amp: Twins) -> None:
    """P30: a message that is only our trailer is refused, not made worse by a second one."""
    amp.refused("-F", "-", code="AC102", stdin=f"\n{OURS}\n".encode())


def test_p30_our_key_as_the_subject_does_not_keep_the_link_out(amp: Twins) -> None:
    """P30: a strange subject above a block changes nothing about the block."""
    args = ("-m", "Amp-Thread-ID: x", "-m", f"Amp-Thread-ID: {V}")

    assert amp.commit(*args, links=[V, U]) == f"{OURS}\n".encode()


@pytest.mark.parametrize("comment", [";", "%", "@", "|"])
def test_p31_a_comment_character_of_ones_own_is_honoured(
    amp: Twins, writer: Callable[[bytes], None], comment: str
) -> None:
    """P31: the link stands above git's help, and `#` begins ordinary lines."""
    writer(b"Fix the parser\n\n#hashtag\n\n")

    assert amp.commit(config=[f"core.commentChar={comment}"]) == f"\n{OURS}\n".encode()
    assert b"#hashtag" in message_of(amp.hooked)


def test_p31_a_chosen_comment_character_is_honoured(amp: Twins, editor: Callable[[str], None]) -> None:
    """P31: with core.commentChar=auto git chooses one that the message does not use, and so do we."""
    editor(":")

    assert amp.commit("-e", "-m", "#123 fix it", config=["core.commentChar=auto"]) == f"\n{OURS}\n".encode()
    amp.commit("-m", FIX, "-m", "#42", config=["core.commentChar=auto", "commit.cleanup=strip"])
    assert message_of(amp.hooked) == f"{FIX}\n\n#42\n\n{OURS}\n".encode()


@pytest.mark.parametrize("config", [["core.commentString=//"], ["core.commentString=//", "core.commentChar=;"]])
def test_p31_a_comment_string_means_what_it_means_to_this_git(
    amp: Twins, writer: Callable[[bytes], None], config: list[str]
) -> None:
    """P31: git from 2.45 on takes a comment string of several bytes, an older one ignores it; both show the link."""
    amp.write("f", b"x\n")
    amp.both("add", "f")
    writer(b"Fix the parser\n")

    assert amp.commit("-v", config=config) == f"\n{OURS}\n".encode()


def test_p32_a_comment_character_that_eats_the_link_is_said(amp: Twins, writer: Callable[[bytes], None]) -> None:
    """P32: with core.commentChar=A git deletes our line; then there is a word about it and no record."""
    writer(b"Fix the parser\n")

    assert "git would not see a link" in amp.refused(code="AC101", config=["core.commentChar=A"])
    assert amp.commit(config=["core.commentChar=A", "ampcommit.mode=warn"], links=[]) == b""


def test_p33_a_subject_with_a_hash_is_kept_with_m(amp: Twins) -> None:
    """P33: `-m '#123 fix'` is a subject."""
    assert amp.commit("-m", "#123 fix it") == f"\n{OURS}\n".encode()
    assert amp.hooked.head("%s") == "#123 fix it"


def test_p33_a_subject_with_a_hash_is_nothing_in_an_editor(amp: Twins, writer: Callable[[bytes], None]) -> None:
    """P33: in an editor git deletes such a line, and the link must not become the subject instead."""
    writer(b"#123 fix it\n")

    assert "empty commit message" in amp.aborted()


MODES = ["strip", "whitespace", "verbatim", "scissors", "default"]
UNTIDY = b"\n\nFix the parser  \n\n\n\nbody\t\n# a comment\n\nA: 1  \n"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", ["-m", "-F", "editor"])
def test_p34_every_clean_up_mode_is_met(amp: Twins, writer: Callable[[bytes], None], mode: str, way: str) -> None:
    """P34: however git tidies the message, the link is in its last block and nothing else differs."""
    writer(UNTIDY)
    args = {"-m": ("-m", UNTIDY.decode()), "-F": ("-F", "-"), "editor": ()}[way]

    assert amp.commit(*args, config=[f"commit.cleanup={mode}"], stdin=UNTIDY).strip() == OURS.encode()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", ["-F", "editor"])
def test_p35_a_mode_that_the_hook_cannot_see_does_no_harm(
    amp: Twins, writer: Callable[[bytes], None], mode: str, way: str
) -> None:
    """P35: `--cleanup=` on the command line is invisible to a hook; the link survives it."""
    writer(UNTIDY)
    args = ("-F", "-") if way == "-F" else ()

    assert amp.commit(f"--cleanup={mode}", *args, stdin=UNTIDY).strip() == OURS.encode()


@pytest.mark.parametrize("mode", ["verbatim", "whitespace"])
@pytest.mark.parametrize(
    ("text", "put"),
    [(b"Fix it all\r\n\r\nX: y\r\n", b"%s\r\n"), (b"Fix it all\r\n\r\nbody\r\n", b"\r\n%s\r\n")],
    ids=["block", "body"],
)
def test_p36_our_line_ends_as_the_others_do(amp: Twins, mode: str, text: bytes, put: bytes) -> None:
    """P36: a CRLF message gets a CRLF line, in the same block; git's tidying makes LF of all."""
    eol = b"\r\n" if mode == "verbatim" else b"\n"
    added = amp.commit("-F", "-", config=[f"commit.cleanup={mode}"], stdin=text)

    assert added == put.replace(b"\r\n", eol).replace(b"%s", OURS.encode())


@pytest.mark.parametrize("char", ["\r", "\v", "\f", "\x1c", "\u0085", "\u2028"])
def test_p37_what_only_python_takes_for_a_line_end_ends_no_line(amp: Twins, char: str) -> None:
    """P37: a value with such a character is one value, kept whole, and refused if it is ours."""
    amp.commit("-m", FIX, "-m", f"Note: x{char}Amp-Thread-ID: {V}")
    amp.refused("-m", FIX, "-m", f"{OURS}{char}Signed-off-by: x", code="AC103")


def test_p38_a_byte_order_mark_at_the_start_is_part_of_the_subject(amp: Twins) -> None:
    """P38: a BOM in front harms nothing; before our key it makes another key of it."""
    assert amp.commit("-F", "-", stdin=f"\ufeff{FIX}\n\nb\n".encode()) == f"\n{OURS}\n".encode()
    assert amp.commit("-m", FIX, "-m", f"b\n\ufeff{OURS}") == f"\n{OURS}\n".encode()


@pytest.mark.parametrize("blank", ["\u00a0", "\f", "\v", "\u3000"])
def test_p39_a_line_that_only_looks_blank_parts_no_paragraphs(amp: Twins, blank: str) -> None:
    """P39: what is not blank for git is prose, and the link gets a paragraph of its own."""
    assert amp.commit("-m", FIX, "-m", f"b\n{blank}\n{OURS}") == f"\n{OURS}\n".encode()


@pytest.mark.parametrize("config", [[], ["i18n.commitEncoding=no-such"]], ids=["P40 undeclared", "P42 unknown"])
def test_latin_1_passes_as_it_is(amp: Twins, config: list[str]) -> None:
    """Bytes that are no UTF-8 go through; what becomes of them is git's business."""
    assert amp.commit("-F", "-", config=config, stdin=b"caf\xe9 is closed\n\n\xfc: \xe4\n").strip() == OURS.encode()


def test_p42_an_encoding_that_lies_harms_nothing(amp: Twins) -> None:
    """P42: UTF-8 that is declared as something else is not repaired."""
    text = "日本語の件名です\n\n本文: です\n".encode()

    assert amp.commit("-F", "-", config=["i18n.commitEncoding=ISO-8859-1"], stdin=text).strip() == OURS.encode()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("ISO-8859-1", "größer als über"),
        ("Shift_JIS", "表示ソ十"),
        ("EUC-JP", "日本語"),
        ("ISO-2022-JP", "日本語"),
        ("GBK", "中文"),
    ],
    ids=lambda value: value if value.isascii() else "",
)
def test_p41_a_declared_encoding_is_kept(amp: Twins, encoding: str, text: str) -> None:
    """P41: our ASCII line goes into a message of any encoding, byte by byte."""
    raw = f"{text} {FIX}\n\n{text}\n\nNote: {text}\n".encode(encoding)

    assert amp.commit("-F", "-", config=[f"i18n.commitEncoding={encoding}"], stdin=raw) == f"{OURS}\n".encode()


@pytest.mark.parametrize("text", [b"Fix the\0parser\n", "Fix the parser\n".encode("utf-16")], ids=["NUL", "UTF-16"])
def test_p43_what_git_refuses_is_left_to_git(amp: Twins, text: bytes) -> None:
    """P43: a NUL in the message is git's to refuse, and the hook does not fall over it before."""
    assert "NUL byte" in amp.aborted("-F", "-", stdin=text)


HUGE = {
    "P44 5 MB body": f"{FIX}\n\n" + ("x" * 70 + "\n") * 70_000,
    "P44 1 MB line": f"{FIX}\n\n" + "x: " * 350_000 + "\n",
    "P44 10,000 trailers": f"{FIX}\n\n" + "".join(f"Key-{at}: x\n" for at in range(10_000)),
    "P44 100,000 paragraphs": f"{FIX}\n" + "\nx: y\nz\n" * 100_000,
    "P44 5,000 folds": f"{FIX}\n\nNote: x\n" + " y\n" * 5_000,
    "P44 100,000 comments": f"{FIX}\n\nA: 1\n" + "\n# x\n" * 100_000,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_a_huge_message_is_linked_like_any_other(amp: Twins, text: str) -> None:
    """A message of any size up to 16 MiB is linked within the time that git gets for one question."""
    assert amp.commit("-F", "-", stdin=text.encode()).strip() == OURS.encode()


def test_p44_a_message_beyond_the_limit_passes_with_a_word(amp: Twins) -> None:
    """P44: a message of more than 16 MiB costs nobody a commit."""
    done, _ = amp.both("commit", "--allow-empty", "-F", "-", stdin=b"Fix the parser\n\n" + b"x" * (1 << 24))

    assert b"was not checked" in done.stderr
    assert amp.checked([]) == b""


@pytest.mark.parametrize(("text", "put"), [("Fix it", f"\n\n{OURS}\n"), ("Fix it\\n\\nA: 1", f"\n{OURS}\n")])
def test_p45_a_file_without_a_last_line_feed_gets_one(
    amp: Twins, editor: Callable[[str], None], text: str, put: str
) -> None:
    """P45: the link is not glued to the last line."""
    editor(f"printf '{text}' >\"$1\"")

    assert amp.commit(config=["commit.cleanup=verbatim"]) == put.encode()


def test_p46_the_hook_run_twice_adds_one_line(amp: Twins) -> None:
    """P46: whoever runs the hook again, nothing more happens."""
    hook, path = amp.hooked.path / ".git" / "hooks" / "commit-msg", amp.hooked.path / ".git" / "MSG"
    path.write_text(f"{FIX}\n")
    seen = [(subprocess.run([hook, path], cwd=amp.hooked.path, check=True), path.read_bytes())[1] for _ in range(2)]

    assert seen == [f"{FIX}\n\n{OURS}\n".encode()] * 2


@pytest.mark.parametrize("option", ["--fixup=HEAD", "--squash=HEAD", "--fixup=amend:HEAD"])
def test_p47_a_fixup_is_linked_too(amp: Twins, editor: Callable[[str], None], option: str) -> None:
    """P47: what autosquash will fold away is linked like everything else."""
    editor(":")
    amp.commit("-m", FIX)
    amp.plain("commit", "--allow-empty", "--amend", "-m", message_of(amp.hooked).decode())
    args = ("-m", "more") if "squash" in option else ()

    amp.both("commit", "--allow-empty", option, *args)
    assert amp.read(amp.hooked)[0][-1:] == [U]


def test_p47_a_fixup_of_a_person_needs_no_link(human: Twins) -> None:
    """P47: a person's fixup is exempt, it goes into a commit that has its own link."""
    assert human.commit("-m", f"fixup! {FIX}", links=[]) == b""


def changed(repo: Repo, content: str, *args: str, thread: str) -> None:
    """Commit a change of the file `f` from inside *thread*."""
    (repo.path / "f").write_text(content)
    repo("add", "f")
    repo.run("commit", *args, env={"AGENT": "amp", "AMP_CURRENT_THREAD_ID": thread})


def test_p47_autosquash_keeps_the_thread_of_the_target(installed: Repo) -> None:
    """P47: a fixup from another thread does not change whose commit it is."""
    changed(installed, "0\n", "-m", "Begin somewhere", thread=OTHER)
    changed(installed, "1\n", "-m", FIX, thread=PARENT)
    changed(installed, "2\n", "--fixup=HEAD", thread=CHILD)
    installed("rebase", "-i", "--autosquash", "HEAD~2", env={"GIT_SEQUENCE_EDITOR": ":", "GIT_EDITOR": ":"})

    assert (installed.head("%s"), installed.links()) == (FIX, [U])


def test_p48_a_revert_does_not_inherit_the_link(installed: Repo) -> None:
    """P48: reverting, and reverting that, gives no commit a link it has not."""
    changed(installed, "1\n", "-m", FIX, thread=PARENT)
    for _ in range(2):
        done = installed.run("revert", "--no-edit", "HEAD", env={"AGENT": "amp", "AMP_CURRENT_THREAD_ID": CHILD})

        assert installed.links() == []
        assert b"commit --amend --no-edit" in done.stderr
        assert installed.head() not in records_of(installed)


def branched(twins: Twins) -> None:
    """Leave HEAD on `main` and a branch `side` with one commit linked to `OTHER`, the same in both."""
    for repo in (twins.hooked, twins.plain):
        repo.commit("-n", "-m", "Begin somewhere")
        repo("checkout", "-q", "-b", "side")
        repo.commit("-n", "-m", "Fix the lexer", "-m", f"Amp-Thread-ID: {W}")
        repo("checkout", "-q", "main")
        repo.commit("-n", "-m", "Go on here")


@pytest.mark.parametrize(
    "args", [(), ("-m", "Merge it", "-m", f"Amp-Thread-ID: {V}")], ids=["default", "trailer above"]
)
def test_p49_a_merge_has_the_link_at_the_end(amp: Twins, args: tuple[str, ...]) -> None:
    """P49: below the shortlog there is one block with the link, whatever stands above."""
    branched(amp)
    amp.both("merge", "--no-ff", "--log", *args, "side", env={"GIT_EDITOR": ":"})

    assert amp.checked([U], recorded=False).strip() == OURS.encode()


def test_p50_a_squash_merge_has_the_link_of_its_own_thread(amp: Twins) -> None:
    """P50: the indented links of what was squashed are text; the thread that squashed is the link."""
    branched(amp)
    amp.both("merge", "--squash", "side")

    assert amp.commit("--no-edit") == f"\n{OURS}\n".encode()


def test_p51_a_rebase_that_squashes_shows_the_last_thread(installed: Repo, judge: Judge) -> None:
    """P51: after a squash git sees the last block; `verify` says that there was another."""
    changed(installed, "0\n", "-m", "Begin somewhere", thread=OTHER)
    changed(installed, "1\n", "-m", FIX, thread=PARENT)
    changed(installed, "2\n", "-m", "Fix the lexer", thread=CHILD)
    installed("rebase", "-i", "HEAD~2", env={"GIT_SEQUENCE_EDITOR": SQUASH, "GIT_EDITOR": ":"})

    assert installed.links() == [V]
    assert judge(installed.head("%B")) == ([CHILD], ["AC102"])


def test_p52_a_cherry_pick_keeps_the_link_in_the_block(amp: Twins) -> None:
    """P52: git's own line joins the block behind the link, and no other thread is stamped."""
    branched(amp)
    for repo in (amp.hooked, amp.plain):
        repo("cherry-pick", "-x", "--allow-empty", "--keep-redundant-commits", "side")

    assert amp.checked([W]) == b""
    assert message_of(amp.hooked).endswith(b")\n")


def test_p53_a_block_that_another_hook_adds_behind_ours_is_found(installed: Repo, judge: Judge) -> None:
    """P53: a hook that runs after us can hide the link; nothing is recorded, and `verify` says so."""
    hook = installed.path / ".git" / "hooks" / "commit-msg"
    hook.rename(hook.with_name("ours"))
    hook.write_text('#!/bin/sh\n"${0%/*}/ours" "$@" || exit\nprintf "\\nChange-Id: I1\\n" >>"$1"\n')
    hook.chmod(0o755)
    installed.commit("-m", FIX, env={"AGENT": "amp", "AMP_CURRENT_THREAD_ID": PARENT})

    assert (installed.links(), records_of(installed)) == ([], {})
    assert judge(installed.head("%B")) == ([], ["AC102"])


def test_p54_a_link_in_prose_is_no_link(human: Twins, agent: Callable[[str], None]) -> None:
    """P54: a thread that is talked about did not write the commit."""
    human.refused("-m", FIX, "-m", f"see {V}", code="AC101")
    agent(PARENT)

    assert human.commit("-m", FIX, "-m", f"see {V}") == f"\n{OURS}\n".encode()


@pytest.mark.parametrize(
    "subject", ["--amend", "-", "--", "a" * 10_000, "one\ntwo\nthree", "$(touch x) `touch x` %s {0}", "'\""]
)
def test_p55_a_subject_is_never_a_command_line(amp: Twins, subject: str) -> None:
    """P55: no subject is taken for an option, a pattern or a program."""
    assert amp.commit("-m", subject) == f"\n{OURS}\n".encode()
    assert not (amp.hooked.path / "x").exists()


@pytest.mark.parametrize(
    "config",
    [
        ["trailer.ifmissing=doNothing", "trailer.ifexists=doNothing"],
        ["trailer.where=start"],
        ["trailer.x.key=Amp-Thread-ID", "trailer.x.ifexists=replace", "trailer.x.where=before"],
        ["trailer.separators=="],
        ["trailer.x.key=A: ", "trailer.x.ifmissing=add"],
    ],
)
def test_p56_settings_of_trailers_change_nothing(amp: Twins, config: list[str]) -> None:
    """P56: the result is the same under the most hostile configuration."""
    args = ("-m", FIX, "-m", f"A: 1\nAmp-Thread-ID: {V}")

    assert amp.commit(*args, config=config, links=[V, U]) == f"{OURS}\n".encode()


@pytest.mark.parametrize("name", ["command", "cmd"])
def test_p57_a_command_of_a_trailer_is_never_run(amp: Twins, name: str) -> None:
    """P57: the hook runs no program that a configuration names."""
    config = ["trailer.amp.key=Amp-Thread-ID", "trailer.amp.ifmissing=add", f"trailer.amp.{name}=touch x; echo"]
    amp.commit("-m", FIX, config=config)

    assert not (amp.hooked.path / "x").exists()


@pytest.mark.parametrize("block", ["", "A: 1\n"], ids=["no block", "block"])
def test_p58_the_link_stands_above_an_old_conflicts_block(amp: Twins, block: str) -> None:
    """P58: what git ignores at the end of a message stays there."""
    text = f"Merge it all\n\n{block}\nConflicts:\n\tf\n".replace("\n\n\n", "\n\n")

    assert amp.commit("-F", "-", stdin=text.encode()).strip() == OURS.encode()
    assert message_of(amp.hooked).endswith(b"\n\nConflicts:\n\tf\n")


@pytest.mark.parametrize(
    "how", [("commit", "--no-edit"), ("commit",), ("merge", "--continue")], ids=["no-edit", "editor", "continue"]
)
def test_p58_a_merge_after_a_conflict_is_linked(
    amp: Twins, editor: Callable[[str], None], how: tuple[str, ...]
) -> None:
    """P58: git's list of conflicts, as comments or as text, does not hide the link."""
    editor(":")
    for repo in (amp.hooked, amp.plain):
        for branch, content in (("main", "0"), ("side", "1"), ("main", "2")):
            repo("checkout", "-q", *(["-B"] if branch not in repo("branch", "--list") else []), branch)
            (repo.path / "f").write_text(content)
            repo("add", "f")
            repo.commit("-n", "-m", "Go on here")
        assert repo.run("merge", "side", ok=False).returncode == 1
        repo("add", "f")
    amp.both(*how)

    assert amp.checked([U]).strip() == OURS.encode()


# L: what a link may be.

REJECTED = {
    "L01 suffix": ("AC104", f"https://ampcode.com.evil.io/threads/{PARENT}"),
    "L01 prefix": ("AC104", f"https://evil-ampcode.com/threads/{PARENT}"),
    "L01 glued": ("AC104", f"https://ampcode.community/threads/{PARENT}"),
    "L01 typo": ("AC104", f"https://ampc0de.com/threads/{PARENT}"),
    "L01 tld": ("AC104", f"https://ampcode.co/threads/{PARENT}"),
    "L01 subdomain": ("AC104", f"https://www.ampcode.com/threads/{PARENT}"),
    "L01 trailing dot": ("AC104", f"https://ampcode.com./threads/{PARENT}"),
    "L02 user": ("AC104", f"https://ampcode.com@evil.io/threads/{PARENT}"),
    "L02 password": ("AC104", f"https://me:secret@ampcode.com/threads/{PARENT}"),
    "L02 percent": ("AC103", f"https://ampcode.com%40evil.io/threads/{PARENT}"),
    "L03 port": ("AC104", f"https://ampcode.com:8443/threads/{PARENT}"),
    "L03 empty port": ("AC104", f"https://ampcode.com:/threads/{PARENT}"),
    "L04 http": ("AC104", f"http://ampcode.com/threads/{PARENT}"),
    "L04 ftp": ("AC104", f"ftp://ampcode.com/threads/{PARENT}"),
    "L04 javascript": ("AC103", f"javascript:alert('{PARENT}')"),
    "L04 none": ("AC103", f"ampcode.com/threads/{PARENT}"),
    "L04 slashes": ("AC103", f"//ampcode.com/threads/{PARENT}"),
    "L05 backslash at": ("AC103", f"https://evil.io\\@ampcode.com/threads/{PARENT}"),
    "L05 backslashes": ("AC103", f"https:\\\\ampcode.com\\threads\\{PARENT}"),
    "L05 backslash in the path": ("AC103", f"https://ampcode.com/threads\\{PARENT}"),
    "L06 two slashes": ("AC103", f"https://ampcode.com//threads/{PARENT}"),
    "L06 dot": ("AC103", f"https://ampcode.com/./threads/{PARENT}"),
    "L06 dots": ("AC103", f"https://ampcode.com/threads/../threads/{PARENT}"),
    "L06 prefix": ("AC103", f"https://ampcode.com/x/threads/{PARENT}"),
    "L06 suffix": ("AC103", f"{U}/x"),
    "L06 case": ("AC103", f"https://ampcode.com/THREADS/{PARENT}"),
    "L07 T": ("AC103", f"https://ampcode.com/threads/%54-{PARENT[2:]}"),
    "L07 dash": ("AC103", f"https://ampcode.com/threads/T%2D{PARENT[2:]}"),
    "L07 annotation": ("AC103", f"{U}%0a::error::owned"),
    "L08 homoglyph": ("AC104", U.replace("a", "\u0430", 1)),
    "L08 punycode": ("AC104", U.replace("ampcode", "xn--mpcode-3ve")),
    "L08 full-width": ("AC104", U.replace("a", "\uff41", 1)),
    "L08 ideographic dot": ("AC104", U.replace(".", "\u3002")),
    "L08 soft hyphen": ("AC104", U.replace("amp", "amp\u00ad")),
    "L08 zero-width": ("AC104", U.replace("amp", "amp\u200b")),
    "L08 bidi": ("AC103", f"\u202e{U}"),
    "L08 combining": ("AC104", U.replace("amp", "a\u0301mp")),
    "L09 length": ("AC103", url(PARENT + "0")),
    "L09 hex": ("AC103", url(PARENT[:-1] + "g")),
    "L09 dashes": ("AC103", url("T-" + PARENT[2:].replace("-", ""))),
    "L09 braces": ("AC103", url("{" + PARENT + "}")),
    "L09 placeholder": ("AC103", url("T-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")),
    "L09 template": ("AC103", url("T-${AMP_CURRENT_THREAD_ID}")),
    "L10 traversal": ("AC103", url("T-../../etc/passwd")),
    "L10 absolute": ("AC103", url("/etc/passwd")),
    "L11 two": ("AC103", f"{U} {V}"),
    "L11 prose": ("AC103", f"{U} and more"),
    "L11 markdown": ("AC103", f"[thread]({U})"),
    "L12 angles": ("AC103", f"<{U}>"),
    "L12 quotes": ("AC103", f'"{U}"'),
    "L12 full stop": ("AC103", f"{U}."),
    "L12 comma": ("AC103", f"{U},"),
    "L13 bare id": ("AC103", PARENT),
    "L15 shell": ("AC103", f"{U}$(touch x)"),
    "L15 SQL": ("AC103", f"{U}';drop table threads"),
    "L15 HTML": ("AC103", f'{U}"><script>alert(1)</script>'),
    "L15 ANSI": ("AC103", f"{U}\x1b[31m"),
    "L15 OSC 8": ("AC103", f"\x1b]8;;https://evil.io\x1b\\{U}\x1b]8;;\x1b\\"),
    "L15 backspace": ("AC103", f"{U}\b\b\b"),
    "L15 BEL": ("AC103", f"{U}\x07"),
    "L15 C1": ("AC103", f"{U}\x9b31m"),
    "L16 200 kB": ("AC103", "a" * 200_000),
}


@pytest.mark.parametrize(("code", "value"), REJECTED.values(), ids=REJECTED)
def test_a_link_that_is_not_accepted_fails(judge: Judge, code: str, value: str) -> None:
    """No disguise of a link passes, and what it leads to is no thread of the commit."""
    assert judge(f"{FIX}\n\nAmp-Thread-ID: {value}\n") == ([], [code])


ACCEPTED = {
    "L03 port 443": U.replace(".com", ".com:443"),
    "L09 upper case": url(PARENT.upper()),
    "L14 fragment": f"{U}#message-91-block-0",
    "L14 query": f"{U}?x=y",
    "L14 slash": f"{U}/",
    "L17 forged": U,
}


@pytest.mark.parametrize("value", ACCEPTED.values(), ids=ACCEPTED)
def test_a_link_that_is_accepted_is_known_by_its_canonical_form(judge: Judge, value: str) -> None:
    """However a link was copied, its thread is named in one way."""
    assert judge(f"{FIX}\n\nAmp-Thread-ID: {value}\n") == ([PARENT], [])


@pytest.mark.parametrize("name", REJECTED)
def test_what_people_are_shown_of_a_bad_link_is_harmless(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """L15, L16: the report for people is short, printable and holds the code and a way out."""
    monkeypatch.chdir(repo.path)
    code, value = REJECTED[name]
    Path("MSG").write_text(f"{FIX}\n\nAmp-Thread-ID: {value}\n", newline="")
    with pytest.raises(SystemExit) as ended:
        main(["verify", "--message", "MSG"])
    lines = capsys.readouterr().out.splitlines()

    assert ended.value.code == 1
    assert all(line.isprintable() and len(line) < 800 for line in lines)
    assert code in lines[0]
    assert "hint:" in lines[0]


@pytest.mark.parametrize("name", ["L12 angles", "L13 bare id"])
def test_the_hint_for_a_wrapped_or_bare_id_is_the_canonical_form(human: Twins, name: str) -> None:
    """L12, L13: the line that would be right can be copied from the hint."""
    assert f"hint: write {OURS}\n" in human.refused(
        "-m", FIX, "-m", f"Amp-Thread-ID: {REJECTED[name][1]}", code="AC103"
    )


@pytest.mark.parametrize("name", ["L15 ANSI", "L15 OSC 8", "L15 C1", "L08 bidi", "L07 annotation"])
def test_the_hook_shows_a_hostile_link_without_what_a_terminal_acts_on(human: Twins, name: str) -> None:
    """L15: the hook quotes a value and lets it do nothing."""
    code, value = REJECTED[name]
    said = human.refused("-m", FIX, "-m", f"Amp-Thread-ID: {value}", code=code)

    assert all(line.isprintable() and not line.startswith("::") for line in said.splitlines())


def test_l14_an_accepted_form_is_kept_as_written_and_recorded_canonically(human: Twins) -> None:
    """L14: the message is its author's; the ledger has the plain id."""
    human.both("commit", "--allow-empty", "-m", FIX, "-m", f"{OURS}?x=y#z")

    assert human.hooked.links() == [f"{U}?x=y#z"]
    assert records_of(human.hooked) == {human.hooked.head(): [PARENT]}


def test_l17_a_well_formed_link_is_never_called_verified(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """L17: offline nobody can tell a forged link from a true one, so nothing says that it was verified."""
    monkeypatch.chdir(repo.path)
    Path("MSG").write_text(f"{FIX}\n\nAmp-Thread-ID: {url('T-deadbeef-dead-beef-dead-beefdeadbeef')}\n")
    with pytest.raises(SystemExit) as ended:
        main(["verify", "--message", "MSG"])
    said = capsys.readouterr().out.lower()

    assert ended.value.code == 0
    assert "T-deadbeef".lower() in said
    assert not re.search(r"verified|proven|authentic|genuine|trusted", said)


# The list itself.


def named(test: object) -> Iterator[str]:
    """Yield the name of a test and the ids of its parameters."""
    yield getattr(test, "__name__", "").upper()
    for mark in getattr(test, "pytestmark", []):
        ids = mark.kwargs.get("ids")
        yield from map(str, () if callable(ids) else ids or ())


def test_no_situation_is_forgotten() -> None:
    """Every situation of the catalogue is held by a test here; none was found that cannot arise."""
    wanted = {f"P{at:02}" for at in range(1, 59)} | {f"L{at:02}" for at in range(1, 18)}
    tests = [one for name, one in globals().items() if name.startswith("test_")]
    found = {one for test in tests for text in named(test) for one in re.findall(r"(?<![A-Z0-9])[PL]\d\d(?!\d)", text)}

    assert found == wanted


@functools.cache
def written() -> list[str]:
    """Return all that docs/limits.md and the tests say."""
    texts = [(ROOT / "docs" / "limits.md").read_text()]
    for path in (ROOT / "tests").glob("test_*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        texts += [str(node.value) for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return texts


@pytest.mark.parametrize(
    ("kind", "last"), [("E", 44), ("F", 12), ("C", 20), ("N", 12)], ids=["places", "no commit", "crashes", "network"]
)
def test_no_situation_of_other_kinds_is_forgotten(kind: str, last: int) -> None:
    """Every other situation is named by a test, in its sentence or its id, or docs/limits.md says why not."""
    found = {one for text in written() for one in re.findall(rf"\b{kind}\d\d\b", text)}

    assert sorted({f"{kind}{at:02}" for at in range(1, last + 1)} - found) == []
