"""Agent Trace: what is written holds against the published schema, what is read may be what its own hook writes."""

import json
import re
import uuid
from typing import Any

import jsonschema
import pytest

from ampcommit.errors import RecordError
from ampcommit.imported import Imported
from ampcommit.interchange.agent_trace import OURS, Trace, trace
from ampcommit.interchange.facts import Fact
from ampcommit.record import Sha, ThreadId
from ampcommit.threads import Chain
from tests.conftest import CHILD, DATA, OTHER, PARENT, url
from tests.test_imported import A, record

MADE = 1500000000


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    """The rules of Agent Trace 0.1.0, strict about the forms that are named."""
    rules = json.loads((DATA / "agent-trace-0.1.0.schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(rules)
    checker = jsonschema.FormatChecker(formats=())

    @checker.checks("uuid")
    def is_uuid(value: object) -> bool:
        return str(uuid.UUID(str(value))) == value

    @checker.checks("date-time")
    def is_moment(value: object) -> bool:
        return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(value)) is not None

    @checker.checks("uri")
    def is_uri(value: object) -> bool:
        return re.fullmatch(r"https://[!-~]+", str(value)) is not None

    return jsonschema.Draft202012Validator(rules, format_checker=checker)


def fact(*chain: str, state: str = "complete") -> Fact:
    """Return what is known of a commit from a thread with this chain."""
    return Fact(
        A, [ThreadId(OTHER), ThreadId(chain[0])], Chain([ThreadId(one) for one in chain], state), "env", [record()]
    )


def foreign(**changes: object) -> dict[str, Any]:
    """Return what the reference hook would write if it knew Amp, but for *changes*."""
    conversation = {
        "url": url(CHILD),
        "contributor": {"type": "ai", "model_id": "some/model"},
        "ranges": [{"start_line": 1, "end_line": 1}],
    }
    return {
        "version": "1.0",
        "id": "550e8400-e29b-41d4-a716-446655440000",
        "timestamp": "2026-01-23T14:30:00.123Z",
        "vcs": {"type": "git", "revision": A},
        "tool": {"name": "unknown"},
        "files": [{"path": "src/app.py", "conversations": [conversation]}],
        "metadata": {"tool_name": "Edit", "command": "cat secret"},
    } | changes


def file(path: object, *urls: object) -> dict[str, object]:
    """Return an entry for one file, with a conversation for each link."""
    return {"path": path, "conversations": [{"url": one, "ranges": []} for one in urls]}


@pytest.mark.parametrize("chain", [(CHILD,), (CHILD, PARENT), (CHILD, PARENT, OTHER)])
@pytest.mark.parametrize("state", ["complete", "partial", "cycle", "unknown"])
def test_what_is_written_is_what_the_schema_says(
    schema: jsonschema.Draft202012Validator, chain: tuple[str, ...], state: str
) -> None:
    """Whatever is known of a chain, with many files and with none."""
    for paths in ([], ["a b", "caf\xe9/\U0001f600", "line\nfeed"]):
        schema.validate(json.loads(json.dumps(trace(fact(*chain, state=state), MADE, paths))))


def test_the_schema_refuses_what_it_should(schema: jsonschema.Draft202012Validator) -> None:
    """The rules in the test are no decoration."""
    good = trace(fact(CHILD), MADE, ["a"])
    for changes in ({"version": "1.0"}, {"id": "1"}, {"timestamp": "2026-01-23T14:30:00"}, {"files": [{"path": "a"}]}):
        with pytest.raises((jsonschema.ValidationError, ValueError)):
            schema.validate(good | changes)


def test_a_trace_claims_no_line_and_no_author() -> None:
    """Nobody knows yet which lines came of the thread: no ranges, an unknown contributor, no version of the tool."""
    told: Any = trace(fact(CHILD, PARENT, OTHER), MADE, ["a", "b"])

    assert (told["timestamp"], told["vcs"]) == ("2017-07-14T02:40:00Z", {"type": "git", "revision": A})
    assert told["tool"] == {"name": "amp"}
    assert [one["path"] for one in told["files"]] == ["a", "b"]
    assert told["files"][0]["conversations"] == [
        {
            "url": url(CHILD),
            "contributor": {"type": "unknown"},
            "ranges": [],
            "related": [
                {"type": "handoff-parent", "url": url(PARENT)},
                {"type": "handoff-root", "url": url(OTHER)},
            ],
        }
    ]
    assert told["metadata"] == {
        OURS: {
            "links": [OTHER, CHILD],
            "chain": [CHILD, PARENT, OTHER],
            "chain_state": "complete",
            "source": "env",
            "validated": True,
        }
    }


def test_a_root_is_named_where_it_is_known() -> None:
    """A chain that breaks off has a parent and no root, a thread alone has neither."""

    def related(*chain: str, state: str) -> list[str]:
        told: Any = trace(fact(*chain, state=state), MADE, ["a"])
        return [one["type"] for one in told["files"][0]["conversations"][0].get("related", [])]

    assert related(CHILD, PARENT, state="partial") == ["handoff-parent"]
    assert related(CHILD, PARENT, state="complete") == ["handoff-parent", "handoff-root"]
    assert related(CHILD, state="complete") == []


def test_a_commit_has_one_id_and_a_time_that_can_be_written() -> None:
    """The same commit gives the same record wherever it is exported; a date beyond all calendars is the last one."""
    assert trace(fact(CHILD), MADE, [])["id"] == trace(fact(PARENT), MADE, ["x"])["id"]
    assert trace(fact(CHILD), 10**17, [])["timestamp"] == "9999-12-31T23:59:59Z"


def test_our_own_record_comes_back_whole() -> None:
    """Links, chain, source and verdict survive the way through the format, also without any file."""
    for paths in ([], ["a"]):
        told = Trace(json.loads(json.dumps(trace(fact(CHILD, PARENT), MADE, paths))), ())
        line = Imported.from_bytes(told.imported(A).to_bytes())

        assert (told.before, told.revision, line.links, line.chain) == (False, A, [OTHER, CHILD], [CHILD, PARENT])
        assert (line.chain_state, line.told["source"], line.told["validated"]) == ("complete", "env", True)
        assert (line.told["tool"], line.told["tool_version"]) == ("amp", None)


def test_what_the_reference_hook_writes_is_understood() -> None:
    """Its version, its revision and its ranges: the thread and the file are taken, prompts and commands are not."""
    told = Trace(foreign(), ())
    line = told.imported(A).to_bytes()

    assert (told.before, told.revision, told.links, told.paths) == (True, A, [CHILD], {"src/app.py"})
    assert Imported.from_bytes(line).chain_state == "unknown"
    assert b"secret" not in line
    assert b"model" not in line


@pytest.mark.parametrize(
    "path", [".sessions", ".shell-history", ".unknown", "/repo2/a", "../repo2/a", "..", "", "C:\\a", None, 3]
)
def test_what_is_no_file_of_a_repository_is_passed_over(path: object) -> None:
    """Sessions, shell commands and files of a neighbour say nothing of a commit."""
    assert Trace(foreign(files=[file(path, url(CHILD))]), ()).links == []


def test_only_accepted_links_are_taken() -> None:
    """A transcript on somebody's disk, another host and another tool's page are no threads of ours."""
    links = ["file:///home/x/transcript.jsonl", f"https://evil.example/threads/{CHILD}", CHILD, 3, None]
    hosts = [f"https://amp.example.com/threads/{OTHER}", url(PARENT), url(PARENT)]

    assert Trace(foreign(files=[file("a", *links, *hosts)]), ()).links == [PARENT]
    assert Trace(foreign(files=[file("a", *hosts)]), ("amp.example.com",)).links == [OTHER, PARENT]


@pytest.mark.parametrize(
    ("vcs", "revision"),
    [
        ({"type": "git", "revision": "A" * 40}, A),
        ({"type": "git", "revision": "a" * 64}, "a" * 64),
        ({"type": "git", "revision": "aaaaaaa"}, None),
        ({"type": "git", "revision": 4}, None),
        ({"type": "jj", "revision": "a" * 40}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_commit_is_named_in_full_or_not_at_all(vcs: object, revision: str | None) -> None:
    """Change ids of other systems and short ids name none."""
    assert Trace(foreign(vcs=vcs), ()).revision == revision


@pytest.mark.parametrize(
    "own",
    [
        {"links": [OTHER, CHILD], "chain": [PARENT], "chain_state": "complete"},
        {"links": [OTHER, CHILD], "chain": [CHILD, "x"], "chain_state": "complete"},
        {"links": [OTHER, CHILD], "chain": [CHILD], "chain_state": "great"},
        {"links": [OTHER, CHILD], "chain": [CHILD], "chain_state": ["complete"]},
        {"links": [OTHER, CHILD], "source": 4, "validated": "yes"},
    ],
)
def test_what_is_wrong_under_our_name_is_not_believed(own: dict[str, object]) -> None:
    """A chain that is none is unknown; what remains is a sound line."""
    told = Trace(foreign(metadata={OURS: own}), ()).imported(Sha(A))
    line = Imported.from_bytes(told.to_bytes())

    assert (line.links, line.chain, line.chain_state) == ([OTHER, CHILD], [CHILD], "unknown")
    assert (line.told["source"], line.told["validated"]) == (None, None)


@pytest.mark.parametrize("changes", [{"version": 1}, {"version": None}, {"files": {}}, {"files": None}])
def test_another_object_is_refused(changes: dict[str, object]) -> None:
    """Without a version and a list of files it is no Agent Trace record."""
    with pytest.raises(RecordError, match="no Agent Trace record"):
        Trace(foreign(**changes), ())


def test_pieces_of_another_shape_say_nothing() -> None:
    """What the schema forbids inside a record costs that piece, not the record."""
    files = [None, 3, {"path": "a"}, {"path": "a", "conversations": [None, "x", {"ranges": 1}]}, file("a", url(CHILD))]

    assert Trace(foreign(files=files, tool="x", id=3, metadata=[], vcs="git"), ()).links == [CHILD]


def test_names_are_cut() -> None:
    """A record of a megabyte does not become a line of a megabyte."""
    told = Trace(
        foreign(id="x" * 10**6, tool={"name": "n" * 10**5, "version": "v" * 10**5}, version="1." + "1" * 10**5), ()
    )

    assert len(told.imported(A).to_bytes()) < 2000
