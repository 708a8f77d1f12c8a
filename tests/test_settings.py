"""The policy is read from four places in a known order; what cannot be used is said, and never used."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ampcommit.errors import GitError, PolicyError
from ampcommit.gitcmd import Git
from ampcommit.policy import KEYS, understood
from ampcommit.settings import (
    CONFIG,
    DEFAULT,
    ENVIRONMENT,
    FILE,
    PATTERN,
    Settings,
    read_committed,
    read_settings,
    repository,
    shared_mode,
)
from tests.conftest import Repo

relaxed = settings(deadline=None, database=None)

SOURCES = (FILE, CONFIG, ENVIRONMENT)
INDEX = os.path.join(".git", "index")


@pytest.fixture
def here(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """An empty repository, and we stand at its top."""
    monkeypatch.chdir(repo.path)
    return repo


def put(repo: Repo, source: str, key: str, *values: str) -> dict[str, str]:
    """Set *key* to *values* in *source*; return what the environment gets."""
    if source == ENVIRONMENT:
        return {f"AMPCOMMIT_{key.upper()}": " ".join(values)}
    lines = [f'\t{key} = "{value}"\n' for value in values]
    write(repo, source, "".join(["[ampcommit]\n", *lines]))
    return {}


def read(**environ: str) -> Settings:
    """Read the settings as a hook does."""
    return read_settings(Git(), environ, index=INDEX)


def sound(read: Settings) -> bool:
    """Say whether every value is one that the rest of the program can work with."""
    return (
        read.mode in ("require", "warn", "off")
        and {read["autolink"], read["record"]} <= {True, False}
        and read["authors"] in ("everyone", "agent")
        and read["linkIn"] in ("trailer", "message")
        and read["evidence"] == "off"
        and all(host == host.lower() for host in read.hosts)
        and all(map(str.strip, read.exempt))
        and all(0 <= read.number(name) < 1_000_000 for name in ("minSubject", "maxSubject", "minBody"))
    )


def nothing_changed(read: Settings) -> bool:
    """Say whether the defaults are in force."""
    return read.values == Settings().values and not any(map(read.given, KEYS))


def test_the_defaults(here: Repo) -> None:
    """A repository that says nothing gets the documented policy."""
    assert here.path.is_dir()
    assert read().values == {
        "mode": "require",
        "autolink": True,
        "authors": "everyone",
        "linkIn": "trailer",
        "host": (),
        "minSubject": 10,
        "maxSubject": 72,
        "minBody": 0,
        "exempt": ("merge", "fixup"),
        "record": False,
        "evidence": "off",
    }
    assert sound(read())


@pytest.mark.parametrize("given_in", [(), SOURCES[:1], SOURCES[:2], SOURCES, SOURCES[1:], SOURCES[::2]], ids=str)
def test_the_order_of_weight(here: Repo, given_in: tuple[str, ...]) -> None:
    """Defaults give way to the file, the file to git's configuration, that to the environment."""
    environ: dict[str, str] = {}
    for number, source in enumerate(SOURCES, 20):
        if source in given_in:
            environ |= put(here, source, "minSubject", str(number))
    found = read(**environ)

    last = given_in[-1] if given_in else DEFAULT
    assert {FILE: 20, CONFIG: 21, ENVIRONMENT: 22, DEFAULT: 10}[last] == found.number("minSubject")
    assert last == found.origins["minSubject"]
    assert bool(given_in) == found.given("minSubject")


AFTER = f"before:{'a' * 40}"
GOOD: list[tuple[str, tuple[str, ...], object]] = [
    ("mode", ("require",), "require"),
    ("mode", ("warn",), "warn"),
    ("mode", ("off",), "off"),
    ("mode", ("off", "warn"), "warn"),
    ("autolink", ("false",), False),
    ("autolink", ("NO",), False),
    ("autolink", ("off",), False),
    ("autolink", ("0",), False),
    ("autolink", ("Yes",), True),
    ("autolink", ("on",), True),
    ("autolink", ("1",), True),
    ("authors", ("agent",), "agent"),
    ("linkIn", ("message",), "message"),
    ("host", ("Amp.Example.com",), ("amp.example.com",)),
    ("host", ("a.example", "b-2.example", "localhost"), ("a.example", "b-2.example", "localhost")),
    ("minSubject", ("0",), 0),
    ("maxSubject", ("999999",), 999_999),
    ("minBody", ("007",), 7),
    ("exempt", ("revert",), ("revert",)),
    ("exempt", ("bot:dep*", "path:docs/**", AFTER), ("bot:dep*", "path:docs/**", AFTER)),
    ("record", ("false",), False),
    ("evidence", ("off",), "off"),
]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("key", "values", "expected"), GOOD, ids=[f"{key}={'+'.join(v)}" for key, v, _ in GOOD])
def test_a_good_value_counts(here: Repo, source: str, key: str, values: tuple[str, ...], expected: object) -> None:
    """Every documented value is understood, wherever it stands; of single keys the last one counts."""
    if source == ENVIRONMENT and key != "host" and not key.startswith("exempt"):
        values = values[-1:]
    found = read(**put(here, source, key, *values))

    assert (expected, source) == (found[key], found.origins[key])
    assert found.problems + found.warnings == []
    assert sound(found)


BAD = [
    ("mode", "on"),
    ("mode", "Require"),
    ("autolink", "maybe"),
    ("autolink", "2"),
    ("authors", "nobody"),
    ("linkIn", "body"),
    ("host", "https://amp.example"),
    ("host", "amp.example:8443"),
    ("host", "user@amp.example"),
    ("host", "amp.example/x"),
    ("host", "\u0430mp.example"),
    ("host", "*"),
    ("minSubject", "-1"),
    ("minSubject", "1e3"),
    ("minSubject", "\u0663"),
    ("maxSubject", "1000000"),
    ("maxSubject", "9" * 5000),
    ("minBody", "many"),
    ("exempt", "everything"),
    ("exempt", "before:"),
    ("exempt", "before:v1"),
    ("exempt", "date:2020"),
    ("exempt", "Merge"),
    ("record", "perhaps"),
    ("evidence", "50"),
]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("key", "value"), BAD, ids=[f"{key}={value[:20]}" for key, value in BAD])
def test_a_bad_value_is_said_and_not_used(here: Repo, source: str, key: str, value: str) -> None:
    """A value that makes no sense is a problem with a name and a place, and changes nothing."""
    found = read(**put(here, source, key, value))

    assert nothing_changed(found)
    assert [f"{source}: {key}"] == [problem[: len(f"{source}: {key}")] for problem in found.problems]


def test_a_bad_value_leaves_the_weaker_source_in_force(here: Repo) -> None:
    """What the repository demands is not undone by a slip in somebody's environment."""
    put(here, FILE, "mode", "warn")
    found = read(AMPCOMMIT_MODE="of")

    assert (found.mode, found.origins["mode"]) == ("warn", FILE)
    assert found.problems == ["environment: mode must be require or warn or off"]


def test_good_values_beside_a_bad_one_count(here: Repo) -> None:
    """One bad entry in a list does not take the others with it."""
    found = read(**put(here, FILE, "host", "a.example", "https://b.example", "c.example"))

    assert found.hosts == ("a.example", "c.example")
    assert len(found.problems) == 1


def test_a_list_replaces_that_of_a_weaker_source(here: Repo) -> None:
    """Somebody's own list of hosts stands in place of the repository's."""
    put(here, FILE, "host", "a.example")
    put(here, CONFIG, "host", "b.example")

    assert read().hosts == ("b.example",)


@pytest.mark.parametrize("source", [FILE, CONFIG])
def test_an_empty_value_empties_a_list(here: Repo, source: str) -> None:
    """As in git itself, an empty value says: none of those before."""
    put(here, source, "exempt", "merge", "revert", "", "fixup")
    put(here, source, "host", "a.example", "")
    found = read()

    assert (found.exempt, found.hosts) == (("fixup",), ())
    assert found.given("host")


@pytest.mark.parametrize("source", [FILE, CONFIG])
@pytest.mark.parametrize(("key", "expected"), [("autolink", True)])
def test_a_key_alone_is_true(here: Repo, source: str, key: str, expected: bool) -> None:
    """As in git itself, a switch without a value is on."""
    write(here, source, f"[ampcommit]\n\t{key}\n")

    assert (expected, source) == (read()[key], read().origins[key])


@pytest.mark.parametrize("source", [FILE, CONFIG])
@pytest.mark.parametrize("key", [key for key in KEYS if key not in ("autolink", "record")])
def test_any_other_key_alone_is_a_problem(here: Repo, source: str, key: str) -> None:
    """A key that needs a value and has none is said, not taken for the word `true`."""
    write(here, source, f"[ampcommit]\n\t{key}\n")

    assert nothing_changed(read())
    assert len(read().problems) == 1


def write(repo: Repo, source: str, text: str) -> None:
    """Append *text* to the file of *source*."""
    path = repo.path / (FILE if source == FILE else ".git/config")
    with path.open("a") as stream:
        stream.write(text)


@relaxed
@given(
    st.lists(st.tuples(st.sampled_from([key.lower() for key in KEYS]) | st.text(), st.none() | st.text())),
    st.sampled_from(SOURCES),
)
@example([("host", None)], FILE)
@example([("minsubject", "\u00b2")], CONFIG)
@example([("exempt", "path:\0")], ENVIRONMENT)
def test_whatever_is_set_the_settings_are_sound(pairs: list[tuple[str, str | None]], origin: str) -> None:
    """No value of any key, known or not, breaks a commit."""
    found = Settings()
    found.apply(pairs, origin)

    assert sound(found)
    assert set(found.origins.values()) <= {DEFAULT, origin}


@pytest.mark.parametrize("source", [FILE, CONFIG])
def test_an_unknown_key_is_never_passed_over_in_silence(here: Repo, source: str) -> None:
    """A key of a later version, or a misspelt one, is said to do nothing."""
    put(here, source, "maxBody", "10")

    assert [f"{source}: unknown key 'maxbody' does nothing"] == read().warnings
    assert read().problems == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("resolve", "never"), ("amp", "/opt/amp"), ("shareRemote", "x"), ("sign", "true"), ("forge", "gitlab")],
)
def test_a_cloned_repository_cannot_set_up_the_clone(here: Repo, key: str, value: str) -> None:
    """What concerns one clone alone is ignored in the file with a warning, and fine in git's configuration."""
    put(here, FILE, key, value)
    found = read()
    (here.path / FILE).unlink()
    put(here, CONFIG, key, value)

    assert found.clone == Settings().clone
    assert nothing_changed(found)
    assert (found.problems, len(found.warnings)) == ([], 1)
    assert key.lower() in found.warnings[0]
    assert read().problems + read().warnings == []
    assert read().clone[key] == understood(key.lower(), value)


def test_a_setting_of_the_clone_that_cannot_be_used_is_said(here: Repo) -> None:
    """It is no policy, so it refuses nothing; and who misspells `never` has nobody asked."""
    put(here, CONFIG, "resolve", "Never")
    found = read()

    assert (found.warnings, found.clone["resolve"]) == (
        ["git config: resolve must be background or never"],
        "never",
    )


def test_a_forge_that_nobody_knows_is_said(here: Repo) -> None:
    """A misspelt one is none, and nobody is told of pages that are not there."""
    put(here, CONFIG, "forge", "GitLab")
    found = read()

    assert (found.warnings, found.clone["forge"]) == (["git config: forge must be github or gitlab"], "")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[core]\n\thooksPath = x\n", "core.hookspath"),
        ('[ampcommit "sub"]\n\tmode = off\n', "ampcommit.sub.mode"),
        ("[include]\n\tpath = other\n", "include.path"),
        ("[ampcommitted]\n\tmode = off\n", "ampcommitted.mode"),
    ],
    ids=["core", "subsection", "include", "look-alike"],
)
def test_the_file_speaks_for_us_alone(here: Repo, text: str, name: str) -> None:
    """The file sets nothing but our own keys, and reads no other file."""
    (here.path / "other").write_text("[ampcommit]\n\tmode = off\n")
    (here.path / FILE).write_text(text)
    found = read()

    assert nothing_changed(found)
    assert [f"{FILE}: {name!a} is not in the section [ampcommit]"] == found.problems


def test_letter_case_of_keys_does_not_matter(here: Repo) -> None:
    """Keys are git's: `MODE` in `[AMPCOMMIT]` is `mode`."""
    (here.path / FILE).write_text("[AMPCOMMIT]\n\tMODE = off\n\tMINSUBJECT = 3\n")

    assert (read().mode, read().number("minSubject")) == ("off", 3)


def sparse(path: Path) -> None:
    """Make a file of eight gigabytes that takes no room."""
    path.touch()
    os.truncate(path, 1 << 33)


BROKEN: dict[str, Callable[[Path], object]] = {
    "FIFO": os.mkfifo,
    "folder": Path.mkdir,
    "link": lambda path: path.symlink_to("policy"),
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "huge": lambda path: path.write_bytes(b"[ampcommit]\n\tmode = off\n" + b"#" * 65536),
    "endless": sparse,
    "garbage": lambda path: path.write_bytes(bytes(range(256))),
    "NUL fill": lambda path: path.write_bytes(bytes(512)),
    "torn": lambda path: path.write_bytes(b"[ampcommit]\n\tmode = off\n[ampcom"),
    "conflict": lambda path: path.write_bytes(b"[ampcommit]\n<<<<<<< HEAD\n\tmode = off\n=======\n>>>>>>> x\n"),
    "JSON": lambda path: path.write_bytes(b'{"mode": "off"}'),
    "UTF-16": lambda path: path.write_bytes("[ampcommit]\n\tmode = off\n".encode("utf-16")),
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_warns_and_the_defaults_hold(here: Repo, spoil: Callable[[Path], object]) -> None:
    """S08, S09: a policy file that is no policy file is not followed, not waited for, and said."""
    (here.path / "policy").write_text("[ampcommit]\n\tmode = off\n")
    spoil(here.path / FILE)
    found = read()

    assert nothing_changed(found)
    assert len(found.warnings) == 1
    assert f"{FILE} is broken and not used: " in found.warnings[0]


def test_an_unreadable_file_warns_and_the_defaults_hold(
    here: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy that git cannot read is said, with git's own words."""
    put(here, FILE, "mode", "off")
    script = '#!/bin/sh\ncase "$*" in *--file*) echo "fatal: Permission denied" >&2; exit 128;; esac\nexit 1\n'
    (tmp_path / "git").write_text(script)
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    said = "git config ended with status 128: fatal: Permission denied"
    assert [f"{FILE} is broken and not used: {said}"] == read().warnings


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "\ufeff[ampcommit]\n"], ids=["empty", "comment", "BOM"])
def test_a_file_that_says_nothing_is_fine(here: Repo, text: str) -> None:
    """An empty policy is the default policy."""
    (here.path / FILE).write_text(text)

    assert nothing_changed(read())
    assert read().problems + read().warnings == []


def staged(repo: Repo, content: str = "[ampcommit]\n\tmode = warn\n") -> None:
    """Put the file into the index and take it out of the work tree."""
    (repo.path / FILE).write_text(content)
    repo("add", FILE)
    (repo.path / FILE).unlink()


INDEXES: dict[str, Callable[[Repo], object]] = {
    "version 2": lambda _: None,
    "version 3": lambda repo: ((repo.path / "z").write_text(""), repo("add", "-N", "z")),
    "version 4": lambda repo: repo("update-index", "--index-version", "4"),
    "version 4, a name like ours before it": lambda repo: (
        (repo.path / ".ampcode.json").write_text("{}"),
        repo("add", ".ampcode.json"),
        repo("update-index", "--index-version", "4"),
    ),
    "many files before ours": lambda repo: repo(
        "update-index",
        "--index-info",
        stdin=b"".join(map((b"100644 " + blob(repo) + b"\t+/%05d\n").__mod__, range(4000))),
    ),
    "split": lambda repo: repo("update-index", "--split-index"),
}


def blob(repo: Repo) -> bytes:
    """Return the id of an empty blob."""
    return repo("hash-object", "-w", "--stdin", stdin=b"").encode()


@pytest.mark.parametrize("shape", INDEXES.values(), ids=INDEXES)
def test_a_file_that_is_only_in_the_index_counts(here: Repo, shape: Callable[[Repo], object]) -> None:
    """A policy that a sparse checkout left out of the work tree is in force, whatever the index looks like."""
    staged(here)
    shape(here)

    assert (read().mode, read().origins["mode"]) == ("warn", FILE)


def test_the_work_tree_comes_before_the_index(here: Repo) -> None:
    """What is there is what counts."""
    staged(here)
    put(here, FILE, "mode", "off")

    assert read().mode == "off"


def test_a_name_that_only_looks_like_ours_is_not_our_file(here: Repo) -> None:
    """A file of another name that ends like ours is no policy."""
    (here.path / "precommit").write_text("[ampcommit]\n\tmode = off\n")
    here("add", "precommit")

    assert nothing_changed(read())
    assert read().warnings == []


@pytest.mark.parametrize(
    "content",
    ["[ampcommit]\n<<<<<<<\n", "[ampcommit]\n\tmode = off\n" + "#" * 65536],
    ids=["garbage", "huge"],
)
def test_a_broken_file_in_the_index_warns(here: Repo, content: str) -> None:
    """A broken policy is as broken in the index as in the work tree."""
    staged(here, content)

    assert nothing_changed(read())
    assert len(read().warnings) == 1


def test_a_file_in_conflict_is_survived(here: Repo) -> None:
    """A policy that is being merged, and not in the work tree, is no policy yet."""
    entries = "".join(f"100644 {blob(here).decode()} {stage}\t{FILE}\n" for stage in (1, 2, 3))
    here("update-index", "--index-info", stdin=entries.encode())

    assert nothing_changed(read())


@pytest.mark.parametrize("index", [None, "missing", ".git"])
def test_without_an_index_there_is_no_file(here: Repo, index: str | None) -> None:
    """E01: before the first `git add`, or with an odd GIT_INDEX_FILE, the defaults hold."""
    staged(here)

    assert nothing_changed(read_settings(Git(), {}, index=index))


def test_a_damaged_index_is_survived(here: Repo) -> None:
    """An index that git cannot read is said, and the defaults hold."""
    (here.path / INDEX).write_bytes(b"DIRC" + b".ampcommit\0" * 9)

    assert nothing_changed(read())
    assert len(read().warnings) == 1


def test_a_broken_configuration_is_gits_own_failure(here: Repo) -> None:
    """With a configuration that git refuses, no policy is made up."""
    write(here, CONFIG, "[broken\n")

    with pytest.raises(GitError):
        read()


def test_settings_of_one_command_count(here: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """E08: `git -c ampcommit.mode=warn commit` is heard, and weighs more than the clone's configuration."""
    put(here, CONFIG, "mode", "off")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'ampcommit.mode'='warn'")

    assert (read().mode, read().origins["mode"]) == ("warn", CONFIG)


def test_what_else_a_hook_must_know(here: Repo) -> None:
    """One question to git brings the clean-up, the comment character, the template and the remotes as well."""
    for key in ("commit.cleanup", "commit.template", "core.commentChar", "remote.a.b.url", "remote.origin.pushurl"):
        here("config", key, f"value of {key}")
    found = read()

    assert {key: f"value of {key}" for key in ("commit.cleanup", "commit.template")} | {
        "core.commentchar": "value of core.commentChar"
    } == found.config
    assert found.remotes == {"a.b": "value of remote.a.b.url"}


ASKED: dict[str, list[tuple[str, str]]] = {
    "nothing": [],
    "one": [("ampcommit.mode", "warn")],
    "many": [("ampcommit.host", "a.example"), ("ampcommit.host", "b.example"), ("remote.origin.url", "git@h:p")],
    "blanks": [("commit.template", "  ~/a  b\t"), ("core.commentChar", " ")],
    "empty": [("ampcommit.exempt", ""), ("commit.cleanup", "")],
    "empty last": [("remote.z.url", "")],
    "line feed": [("commit.template", "a\nb"), ("ampcommit.mode", "off")],
    "line feed, then our key": [("ampcommit.host", "a.example\nampcommit.mode off")],
    "line feed in a remote, then our key": [("remote.origin.url", "h:p\nampcommit.mode off")],
    "remote with a blank": [("remote.my fork.url", "git@h:p")],
    "not UTF-8": [("commit.template", os.fsdecode(b"caf\xe9"))],
    "U+2028 and a carriage return": [("commit.template", "a\u2028b\rc")],
}


@pytest.mark.parametrize("pairs", ASKED.values(), ids=ASKED)
def test_what_the_script_asked_need_not_be_asked_again(here: Repo, pairs: list[tuple[str, str]]) -> None:
    """The policy is the same, whether the hook's script or Python has asked git; what is ambiguous is asked again."""
    for key, value in pairs:
        here("config", "--add", key, value)
    asked = os.fsdecode(here.run("config", "--show-scope", "--get-regexp", PATTERN, ok=False).stdout).rstrip("\n")

    assert vars(read_settings(Git(), {})) == vars(read_settings(Git(), {}, asked=asked))


def test_what_the_script_asked_is_believed(here: Repo) -> None:
    """No second question is put to git where the first was answered."""
    put(here, CONFIG, "mode", "off")

    assert read_settings(Git(), {}, asked="local\tampcommit.mode warn\nlocal\tampcommit.autolink").mode == "warn"


# The policy of a commit.


def committed(repo: Repo) -> Settings:
    """Commit what is there, and read the policy of that commit."""
    repo("add", "-A")
    repo.commit("-q", "-m", "Set the policy")
    return read_committed(Git(), repo.head())


def test_a_commit_has_a_policy(here: Repo) -> None:
    """S09, S10: only the file in the tree of the commit counts; nothing that came later, or is set elsewhere."""
    put(here, FILE, "mode", "warn")
    read = committed(here)
    put(here, FILE, "mode", "off")
    put(here, CONFIG, "authors", "agent")

    assert (read.mode, read.origins["mode"], read.file) == ("warn", FILE, f"{here.head()}:.ampcommit")
    assert read_committed(Git(), here.head())["authors"] == "everyone"


CUT_OFF = b"[ampcommit]\n\tmode = warn\n# \xff\n\tauthors = agent\n"


def test_no_byte_ends_a_policy_early(here: Repo) -> None:
    """What stands below a byte 0xFF counts, in a commit and in the index."""
    (here.path / FILE).write_bytes(CUT_OFF)
    found = committed(here)
    (here.path / FILE).unlink()

    assert [(one.mode, one["authors"]) for one in (found, read())] == [("warn", "agent")] * 2


def test_a_byte_order_mark_is_no_part_of_a_policy(here: Repo) -> None:
    """An editor's mark at the begin of the file means nothing, in a commit as in the hooks."""
    (here.path / FILE).write_bytes(b"\xef\xbb\xbf[ampcommit]\n\tmode = warn\n")

    assert (committed(here).mode, read().mode) == ("warn", "warn")


def test_a_commit_without_a_policy_has_the_defaults(here: Repo) -> None:
    """A file of that name elsewhere in the tree is none."""
    (here.path / "sub").mkdir()
    (here.path / "sub" / ".ampcommit").write_text("[ampcommit]\n\tmode = off\n")
    read = committed(here)

    assert (read.values, read.file, read.problems) == (Settings().values, None, [])


def test_what_a_committed_policy_gets_wrong_is_said(here: Repo) -> None:
    """Values and sections that cannot be used are problems; unknown keys and settings of a clone are warnings."""
    write(here, FILE, "[ampcommit]\n\tnosuch = 1\n\tmode = x\n\tamp = /evil\n[other]\n\tkey = 1\n[include]\n\tpath = x")
    (here.path / "x").write_text("[ampcommit]\n\tmode = off\n")
    read = committed(here)

    assert [problem.split(": ")[1] for problem in sorted(read.problems)] == [
        "'include.path' is not in the section [ampcommit]",
        "'other.key' is not in the section [ampcommit]",
        "mode must be require or warn or off",
    ]
    assert (read.mode, len(read.warnings)) == ("require", 2)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[ampcommit]\n\tmode = warn\n\tmaxSubject = many\n", ":3"),
        ("# mode = x\n[ampcommit]\n\n\tMODE = x\n", ":4"),
        ("[ampcommit] mode = x\n", ":1"),
        ("[ampcommit]\n\tmode = \\\nx\n", ""),
    ],
)
def test_a_bad_value_is_said_with_its_line(here: Repo, text: str, line: str) -> None:
    """Who mends the policy is led to the place; where it cannot be told, to the file."""
    write(here, FILE, text)

    assert [problem.split(" ")[0] for problem in committed(here).problems] == [f".ampcommit{line}:"]


@pytest.mark.parametrize("kind", ["broken", "large", "link", "folder"])
def test_a_committed_policy_that_is_none_is_refused(here: Repo, kind: str) -> None:
    """Exit 2: the repository asks for something, and nobody can say what."""
    path = here.path / FILE
    if kind == "broken":
        path.write_text("[broken\n")
    elif kind == "large":
        path.write_text("# \n" * 30000)
    elif kind == "link":
        path.symlink_to("[ampcommit]mode=off")
    else:
        path.mkdir()
        (path / "file").write_text("")
    with pytest.raises(PolicyError, match=r":\.ampcommit is") as caught:
        committed(here)

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)


def test_a_committed_policy_that_is_not_here_is_not_the_defaults(here: Repo, tmp_path: Path) -> None:
    """V04: in a partial clone the file may be missing; then nothing is known of the policy."""
    put(here, FILE, "mode", "warn")
    committed(here)
    here("config", "uploadpack.allowFilter", "true")
    here("clone", "-q", "--bare", "--filter=blob:none", f"file://{here.path}", str(tmp_path / "partial"))
    (tmp_path / "partial" / "config").unlink()  # nobody is asked for what is missing
    with pytest.raises(GitError):
        read_committed(Git(str(tmp_path / "partial")), here.head())


REMOTES = {
    "https://github.com/example/demo": "github.com/example/demo",
    "https://github.com/example/demo.git": "github.com/example/demo",
    "https://github.com/example/demo.git/": "github.com/example/demo",
    "https://user:TOKEN@GitHub.com:8443/example/demo.git": "github.com/example/demo",
    "https://TOKEN@host/a/b?token=TOKEN": "host/a/b",
    "https://user:TO@KEN@host/a": "host/a",
    "ssh://git@host:2222/a/b.git": "host/a/b",
    "git://host/a": "host/a",
    "git@host:a/b.git": "host/a/b",
    "host:a": "host/a",
    "git@host:/srv/git/a.git": "host/srv/git/a",
    "ssh://git@[2001:db8::1]:22/a.git": "[2001:db8::1]/a",
    "file:///srv/git/a.git": None,
    "/srv/git/a.git": None,
    "../a.git": None,
    "./odd:name": None,
    "a": None,
    "": None,
    "https://": None,
    "https://host": None,
    "https://host/": None,
    ":a": None,
    "https://host/@team/a.git": "host/@team/a",
    "https://user:TO/KEN@host/a": None,
    "user:TOKEN@host:a": None,
    "https://TO/KEN@host/o/r": None,
    "https://host/TOKEN:x@o/r": None,
    "https://host/o/r;token=TOKEN": None,
    "https://host/o/r&token=TOKEN": None,
    "https://host/o/r%3Ftoken=TOKEN": None,
    "https://host/my%20team/r.git": "host/my%20team/r",
    "git@ssh.github.com:o/r.git": "github.com/o/r",
    "git+ssh://git@altssh.gitlab.com:443/o/r": "gitlab.com/o/r",
    "ext::sh -c 'TOKEN'": None,
    "https://host/a\nvalidated 1": None,
}


@pytest.mark.parametrize(("url", "expected"), REMOTES.items(), ids=map(repr, REMOTES))
def test_the_name_of_a_repository(url: str, expected: str | None) -> None:
    """S15: a repository is host and path; user, password, port and token are left out, a local path is nobody's."""
    assert expected == repository({"origin": url})


@relaxed
@given(st.text(), st.sampled_from(["https://{}@host/a", "ssh://{}@host:22/a", "git@host:{}", "{}", "https://{}"]))
@example("a\nb", "git@host:{}")
def test_any_url_has_a_name_or_none(text: str, shape: str) -> None:
    """No address of a remote, however odd, breaks a commit or makes two lines of one."""
    name = repository({"origin": shape.format(text)})

    assert name is None or "\n" not in name


def test_origin_is_asked_first() -> None:
    """The repository is named after `origin`, else after the first remote, else not at all."""
    assert repository({"fork": "https://h/f", "origin": "https://h/o"}) == "h/o"
    assert repository({"fork": "https://h/f", "other": "https://h/x"}) == "h/f"
    assert repository({}) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("group", 0o660),
        ("true", 0o660),
        ("1", 0o660),
        ("all", 0o664),
        ("world", 0o664),
        ("everybody", 0o664),
        ("2", 0o664),
        ("0660", 0o660),
        ("0640", 0o640),
        ("0777", 0o666),
        ("0600", 0o600),
        ("umask", 0o600),
        ("false", 0o600),
        ("0", 0o600),
        ("0999", 0o600),
        ("nonsense", 0o600),
        ("", 0o600),
    ],
)
def test_permissions_follow_the_clone(here: Repo, value: str, expected: int) -> None:
    """E39: our files are as private as the clone's owner wants them, and never for everybody unasked."""
    write(here, CONFIG, f"[core]\n\tsharedRepository = {value}\n")

    assert expected == shared_mode(Git(environ={**os.environ, "GIT_DIR": ".git"}))
    assert not shared_mode(Git()) & stat.S_IXUSR


def test_permissions_by_default(here: Repo) -> None:
    """A clone that says nothing is its owner's alone."""
    assert here.path.is_dir()
    assert shared_mode(Git()) == 0o600
