"""The policy: what it finds in a message, how hard it is about it, and what it says to do."""

import os
import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from ampcommit.current import Current
from ampcommit.message import trailers
from ampcommit.record import Finding, ThreadId
from ampcommit.rules import (
    CHECKS,
    Case,
    Grounds,
    current_is_last,
    has_link,
    is_detailed,
    judged,
    links_are_sound,
    unique,
)
from ampcommit.settings import FILE, Settings
from ampcommit.threads import walk
from tests.conftest import CHILD, OTHER, PARENT, url

U, V = url(PARENT), url(CHILD)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LINKED = f"Fix the parser\n\nAmp-Thread-ID: {U}\n"


def policy(*pairs: tuple[str, str]) -> Settings:
    """Return the defaults with *pairs*, as the policy file of a repository gives them."""
    settings = Settings()
    settings.apply([(key.lower(), value) for key, value in pairs], FILE)

    assert settings.problems == []
    return settings


def case(
    text: str | bytes,
    *pairs: tuple[str, str],
    grounds: Grounds | None = None,
    demanded: bool = True,
    inside: bool = False,
    current: str | None = None,
    source: str = "env",
    parents_of: Callable[[ThreadId], list[ThreadId] | None] = lambda _: [],
) -> Case:
    """Return the case of a message under the policy *pairs*, with *current* at work as *source* says."""
    raw = text.encode() if isinstance(text, str) else text
    thread = ThreadId(current) if current else None
    at_work = Current(thread, source if thread else None, inside or thread is not None, [])
    return Case(
        raw,
        trailers(raw, os.environ),
        policy(*pairs),
        at_work=at_work,
        chain_of=lambda thread: walk(thread, parents_of),
        demanded=demanded,
        grounds=grounds,
    )


def found(text: str | bytes, *pairs: tuple[str, str], **about: Any) -> list[Finding]:
    """Return every finding of a message under the policy *pairs*; each must be complete."""
    findings = judged(case(text, *pairs, **about), policy(*pairs))

    for finding in findings:
        assert finding.level in ("error", "warning")
        assert finding.message.isprintable()
        assert finding.hint.isprintable()
        assert len(finding.message) < 300
        assert finding.hint
    return findings


def codes(text: str | bytes, *pairs: tuple[str, str], **about: Any) -> list[str]:
    """Return the codes of the findings."""
    return [finding.code for finding in found(text, *pairs, **about)]


def levels(text: str | bytes, *pairs: tuple[str, str], **about: Any) -> set[str]:
    """Return the levels of the findings."""
    return {finding.level for finding in found(text, *pairs, **about)}


def never(*_: object) -> NoReturn:
    """Answer a question that nobody may ask."""
    raise AssertionError("nobody needs to know")


MERGE = Grounds(merge=True)


# The case.


def test_links_are_listed_once_where_they_stand_last() -> None:
    """P16, P17: several threads stay in order, the same thread twice counts once."""
    lines = "".join(f"Amp-Thread-ID: {link}\n" for link in (U, V, U + "/"))

    assert case(f"Fix the parser\n\n{lines}").links == [CHILD, PARENT]


def test_a_thread_is_kept_where_it_stands_last() -> None:
    """The last link is the one that counts, also when it was there before."""
    assert unique([ThreadId(PARENT), ThreadId(CHILD), ThreadId(PARENT)]) == [ThreadId(CHILD), ThreadId(PARENT)]


@pytest.mark.parametrize(
    "written",
    ["{}", "see {}.", "see {}, then", "({})", "<{}>", '"{}"', "`{}`", "**{}**", "[thread]({})", "{}: this", "{}!"],
)
def test_with_link_in_message_a_link_anywhere_counts(written: str) -> None:
    """A team that writes links into prose is understood, Markdown included."""
    text = f"Fix the parser\n\n{written.format(U)}\n\nmore\n"

    assert case(text, ("linkIn", "message")).links == [PARENT]
    assert case(text).links == []


def test_with_link_in_message_the_trailer_is_still_the_last_link() -> None:
    """What git sees as a trailer weighs more than a link in prose below it."""
    assert case(f"Fix {V}\n\n{U} {V}\n\nAmp-Thread-ID: {U}\n", ("linkIn", "message")).links == [CHILD, PARENT]


@pytest.mark.parametrize(
    "text", [f"Fix\n\nhttps://evil.example/threads/{PARENT}\n", f"Fix\n\n{PARENT}\n", "Fix\n\nhttps://ampcode.com\n"]
)
def test_with_link_in_message_only_accepted_links_count(text: str) -> None:
    """Prose may name anything; what is no accepted link is not taken for one."""
    assert case(text, ("linkIn", "message")).links == []


SQUASHED = f"""Fix the parser (#7)

* Fix the lexer

Amp-Thread-ID: {U}

* Say why Amp-Thread-ID: {V}

    Amp-Thread: {url(OTHER)}

---------

Co-authored-by: A <a@b>
"""
"""What a forge makes of a branch: the links of its commits stand in the middle."""


def test_with_link_in_message_every_link_of_a_squashed_branch_counts() -> None:
    """P07: lines above the last block, indented, behind a subject, and the key of older clients."""
    assert case(SQUASHED, ("linkIn", "message")).links == [PARENT, CHILD, OTHER]
    assert case(SQUASHED.replace("Amp-Thread", "AMP-thread"), ("linkIn", "message")).links == [PARENT, CHILD, OTHER]
    assert case(SQUASHED).links == []


def test_with_link_in_message_no_letter_hides_a_link() -> None:
    """The small form of some letters is longer than they are; a link behind one stays where it is."""
    assert case(f"\u0130\u0130 Fix\n\n\u0130 {U}\n".encode(), ("linkIn", "message")).links == [PARENT]
    assert case(f"Fix\n\n\u00e9 {U}\n".encode("latin-1"), ("linkIn", "message")).links == [PARENT]
    assert case(f"Fix\n\n{U}\u2026 {V}\u00a0x\n", ("linkIn", "message")).links == [PARENT, CHILD]


@pytest.mark.parametrize(
    "written",
    ["HTTPS://AMPCODE.com/threads/{}", "https://e.example/?to=https://ampcode.com/threads/{}", "https://https:// {u}"],
)
def test_with_link_in_message_each_beginning_of_a_link_is_looked_at(written: str) -> None:
    """What stands before a link, even half of another, does not hide it."""
    assert case(f"Fix\n\n{written.format(PARENT, u=U)}\n", ("linkIn", "message")).links == [PARENT]


@pytest.mark.parametrize("piece", ["https://", "https://ampcode.com/threads/", f"{U}?", "https://a b"])
def test_with_link_in_message_a_text_full_of_links_takes_no_longer_than_its_length(piece: str) -> None:
    """P44: what begins like a link again and again is read once, not once for each beginning."""
    text = f"Fix\n\n{piece * (400_000 // len(piece))}\n".encode()
    begun = time.process_time()
    about = Case(text, [], policy(("linkIn", "message")))

    assert time.process_time() - begun < 3
    assert about.links == ([PARENT] if piece.startswith(U) else [])


def test_a_link_that_never_ends_is_cut() -> None:
    """A query of any length behind the thread does not matter, as in a trailer."""
    assert case(f"Fix\n\n{U}?{'x' * 5000}\n", ("linkIn", "message")).links == [PARENT]


def test_the_key_of_older_clients_is_ours_only_with_link_in_message() -> None:
    """A trailer with it is judged like one of ours where it counts as one, and is nobody's elsewhere."""
    text = f"Fix the parser\n\nAmp-Thread: {PARENT}\n"
    bad = f"Fix the parser\n\namp-thread: https://evil.example/threads/{PARENT}\nAmp-Thread-ID: {U}\n"

    assert codes(text, ("linkIn", "message")) == ["AC103"]
    assert codes(bad, ("linkIn", "message")) == ["AC104"]
    assert (codes(text), codes(bad)) == (["AC101"], [])
    assert codes(text.replace(PARENT, U), ("linkIn", "message")) == []


def test_a_trailer_of_older_clients_does_not_hide_a_lost_line() -> None:
    """Only a trailer of our own key stands for a line with it."""
    text = f"Fix the parser\n\nAmp-Thread-ID: lost\n\nmore\n\nAmp-Thread: {U}\n"

    assert codes(text, ("linkIn", "message")) == ["AC102"]
    assert levels(text, ("linkIn", "message")) == {"warning"}


def test_a_host_of_the_policy_is_accepted() -> None:
    """A team's own server may be linked to, when the policy says so."""
    text = f"Fix the parser\n\nAmp-Thread-ID: https://amp.acme.example/threads/{PARENT}\n"

    assert case(text, ("host", "amp.acme.example")).links == [PARENT]
    assert codes(text) == ["AC104"]


# AC101, AC102: a link, where git sees it.


def test_a_linked_message_is_fine() -> None:
    """A commit that Amp made needs nothing more."""
    assert found(LINKED) == []


def test_a_message_without_a_link_is_refused_and_told_how() -> None:
    """AC101 says what is missing, and which line would mend it."""
    [finding] = found("Fix the parser\n")

    assert (finding.code, finding.level) == ("AC101", "error")
    assert "Amp-Thread-ID: https://ampcode.com/threads/T-…" in finding.hint


def test_the_hint_names_the_thread_at_work() -> None:
    """Where the thread is known, the hint can be pasted."""
    about = case("Fix the parser\n", current=PARENT)

    assert f"Amp-Thread-ID: {U}" in next(has_link(about, policy())).hint


def test_the_hint_knows_amps_background_shells() -> None:
    """Inside Amp, but without an id, the way out is Amp's ordinary shell tool."""
    assert "ordinary shell tool" in found("Fix the parser\n", inside=True)[0].hint


def test_where_no_link_is_demanded_none_is_missed() -> None:
    """With `authors = agent` a person's commit passes, but a bad link in it does not."""
    assert found("Fix the parser\n", demanded=False) == []
    assert codes(f"Fix the parser\n\nAmp-Thread-ID: https://evil.example/threads/{PARENT}\n", demanded=False) == [
        "AC104"
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"Fix the parser\n\nAmp-Thread-ID: {U}\n\nCo-authored-by: A <a@b>\n", id="P06"),
        pytest.param(
            f"Fix the parser\n\n* Fix\n\nAmp-Thread-ID: {U}\n\n---------\n\nCo-authored-by: A <a@b>\n", id="P07"
        ),
        pytest.param(f"Fix the parser\n\nprose\nAmp-Thread-ID: {U}\n", id="P02"),
        pytest.param(f"Fix the parser\nAmp-Thread-ID: {U}\n", id="P03"),
        pytest.param(f"Fix the parser\n\n> Amp-Thread-ID: {U}\n", id="P11"),
        pytest.param(f"Fix the parser\n\nNote: x\n Amp-Thread-ID: {U}\n", id="P13"),
    ],
)
def test_a_link_that_git_does_not_see_is_named(text: str) -> None:
    """AC102 shows the line that is no trailer, and says where it belongs."""
    finding = found(text)[0]

    assert (finding.code, finding.level) == ("AC102", "error")
    assert f"Amp-Thread-ID: {U}" in finding.message
    assert "last paragraph" in finding.hint


def test_a_displaced_line_is_shown_without_what_a_terminal_acts_on() -> None:
    """A finding quotes a message without letting it speak to the terminal."""
    assert "\\x1b[31m" in found("Fix the parser\n\nAmp-Thread-ID: \x1b[31m\n\nmore\n")[0].message


def test_an_earlier_link_that_git_no_longer_sees_is_reported() -> None:
    """P51: after a squash the last block wins, and the thread that got lost above is named."""
    text = f"Fix the parser\n\nAmp-Thread-ID: {U}\n\nFix the lexer\n\nAmp-Thread-ID: {V}\n"

    assert codes(text) == ["AC102"]
    assert levels(text) == {"warning"}


# AC103, AC104: sound links.


@pytest.mark.parametrize(
    ("value", "code", "hint"),
    [
        pytest.param("", "AC103", "T-…", id="P14"),
        pytest.param(PARENT, "AC103", U, id="L13"),
        pytest.param(f"<{U}>", "AC103", U, id="L12"),
        pytest.param(f"https://ampcode.com/v2/w/p/{PARENT}", "AC103", U, id="v2 path"),
        pytest.param(f"{U} {V}", "AC103", "T-…", id="L11"),
        pytest.param(f"https://ampcode.com.evil.io/threads/{PARENT}", "AC104", "https://ampcode.com", id="L01"),
        pytest.param(f"https://ampcode.com:8443/threads/{PARENT}", "AC104", "`host`", id="L03"),
        pytest.param(f"http://ampcode.com/threads/{PARENT}", "AC104", "https://", id="L04"),
        pytest.param("a" * 200_000, "AC103", "T-…", id="L16"),
    ],
)
def test_a_bad_value_is_refused_with_a_way_out(value: str, code: str, hint: str) -> None:
    """What is wrong with a link decides the code, and the hint says what to write."""
    [finding] = found(f"Fix the parser\n\nAmp-Thread-ID: {value}\n")

    assert (finding.code, finding.level) == (code, "error")
    assert hint in finding.hint


def test_one_good_link_does_not_excuse_a_bad_one() -> None:
    """Every value of our key is judged."""
    text = f"Fix the parser\n\nAmp-Thread-ID: x\nAmp-Thread-ID: https://e.example/{PARENT}\nAmp-Thread-ID: {U}\n"

    assert codes(text) == ["AC103", "AC104"]


def test_a_value_that_is_no_utf_8_is_a_fault_not_a_crash() -> None:
    """Bytes in any encoding can be judged and shown."""
    assert "\\xe9" in found(b"Fix the parser\n\nAmp-Thread-ID: caf\xe9\n")[0].message


# AC105: the thread at work is the last link.

CHAINS: dict[str, list[str] | None] = {CHILD: [PARENT], PARENT: [], OTHER: None}


def at_work(last: str, current: str | None, **parents: list[str] | None) -> list[str]:
    """Return the codes for a commit linked to *last* while *current* is at work."""
    known = {**CHAINS, **parents}

    def parents_of(thread: ThreadId) -> list[ThreadId] | None:
        names = known.get(thread)
        return None if names is None else [ThreadId(name) for name in names]

    about = case(f"Fix the parser\n\nAmp-Thread-ID: {url(last)}\n", current=current, parents_of=parents_of)
    return [finding.code for finding in judged(about, policy())]


@pytest.mark.parametrize("current", [None, PARENT])
def test_the_thread_at_work_may_be_the_last_or_unknown(current: str | None) -> None:
    """The usual commit has nothing to explain."""
    assert at_work(PARENT, current) == []


def test_a_link_to_the_thread_that_handed_off_is_not_the_last_one() -> None:
    """Inside the child the parent's link alone is not enough."""
    assert at_work(PARENT, CHILD) == ["AC105"]


def test_a_variable_that_leaked_from_the_older_thread_accuses_nobody() -> None:
    """A shell that was opened inside the parent still names it after the hand-off."""
    assert at_work(CHILD, PARENT) == []


def test_where_nothing_is_known_of_the_linked_thread_nobody_is_accused() -> None:
    """A chain that is not known proves nothing."""
    assert at_work(OTHER, PARENT) == []


def test_a_link_that_the_current_chain_holds_is_enough_to_know() -> None:
    """The current thread's own chain shows that the linked one is older, whatever is known of that."""
    assert at_work(OTHER, CHILD, **{CHILD: [OTHER]}) == ["AC105"]


def test_the_way_out_of_a_wrong_last_link_is_the_current_one() -> None:
    """AC105 says which line to add."""
    about = case(LINKED, current=CHILD)

    assert V in next(current_is_last(about, policy())).hint


def test_without_any_link_the_last_one_is_not_judged() -> None:
    """A missing link is one finding, not two."""
    assert list(current_is_last(case("Fix the parser\n", current=CHILD), policy())) == []


def test_a_thread_that_a_person_set_contradicts_no_link() -> None:
    """What the message says weighs more than what somebody had set by hand."""
    assert list(current_is_last(case(LINKED, current=CHILD, source="use"), policy())) == []


# AC201, AC202: detailed.


@pytest.mark.parametrize(
    ("subject", "expected"),
    [("a" * 9, ["AC201"]), ("a" * 10, []), ("a" * 72, []), ("a" * 73, ["AC201"]), ("é" * 72, []), ("é" * 9, ["AC201"])],
)
def test_the_built_in_limits_of_a_subject_only_warn(subject: str, expected: list[str]) -> None:
    """Nobody is refused for a limit that no policy set; a character is a character in any script."""
    text = f"{subject}\n\nAmp-Thread-ID: {U}\n"

    assert expected == codes(text)
    assert "error" not in levels(text)


@pytest.mark.parametrize("pair", [("minSubject", "20"), ("maxSubject", "5")])
def test_a_limit_of_the_policy_rejects(pair: tuple[str, str]) -> None:
    """A team that sets a limit means it."""
    assert [(one.code, one.level) for one in found(LINKED, pair)] == [("AC201", "error")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [("", ["AC202"]), ("short\n\n", ["AC202"]), ("twenty characters it\n\n", []), ("two words\n\ntwo lines\n\n", [])],
)
def test_a_body_is_measured_without_its_trailers(body: str, expected: list[str]) -> None:
    """The link itself is no explanation of the change."""
    assert expected == codes(f"Fix the parser\n\n{body}Amp-Thread-ID: {U}\nSigned-off-by: A <a@b>\n", ("minBody", "20"))


@pytest.mark.parametrize("eol", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_body_is_measured_whatever_its_line_ends(eol: str) -> None:
    """P36: a body in CRLF is as long as it looks."""
    text = f"Fix the parser\n\ntwenty characters it\n\nAmp-Thread-ID: {U}\n".replace("\n", eol)

    assert codes(text, ("minBody", "20")) == []


@pytest.mark.parametrize("blank", ["", " ", "\t", " \t "])
def test_a_line_of_blanks_ends_the_body_as_an_empty_one_does(blank: str) -> None:
    """What git takes for a blank line parts the body from the trailers, which are no prose."""
    assert case(f"Fix it\n\nthe body\n{blank}\nAmp-Thread-ID: {U}\n").body == "the body"
    assert codes(f"Fix the parser\n\nshort\n{blank}\nAmp-Thread-ID: {U}\n", ("minBody", "20")) == ["AC202"]


def test_a_body_without_a_block_is_measured_whole() -> None:
    """Without trailers every paragraph below the subject is body."""
    assert case("Fix the parser\n\ntwenty characters it\n\nand more\n").body == "twenty characters it\n\nand more"


@pytest.mark.parametrize("subject", ["fixup! x", "squash! x", "amend! x", 'Revert "x"', 'Reapply "x"'])
def test_limits_do_not_apply_to_subjects_that_git_wrote(subject: str) -> None:
    """Nobody has to rephrase what git generates."""
    assert codes(f"{subject}\n\nAmp-Thread-ID: {U}\n", ("maxSubject", "3"), ("exempt", "merge")) == []


def test_limits_do_not_apply_to_merges() -> None:
    """The subject of a merge is git's."""
    assert codes(LINKED, ("maxSubject", "3"), ("exempt", "fixup"), grounds=MERGE) == []


def test_limits_apply_only_where_a_link_is_demanded() -> None:
    """Where only the agent must link, a person's subject is a person's own business."""
    limits = (("minSubject", "10"), ("minBody", "10"))

    assert codes("x\n", *limits, demanded=False) == []
    assert codes(f"x\n\nAmp-Thread-ID: {U}\n", *limits, demanded=False) == []
    assert codes("x\n", *limits) == ["AC101", "AC201", "AC202"]


def test_limits_do_not_apply_to_exempt_commits() -> None:
    """Exempt means from AC201 and AC202, too, and a commit that needed that says by what it is."""
    about = case(f"x\n\nAmp-Thread-ID: {U}\n", grounds=Grounds(before="before:v1"))

    assert judged(about, policy()) == []
    assert about.excused == "before:v1"


# Exemptions.


@pytest.mark.parametrize("subject", ["fixup! Fix the parser", "squash! Fix the parser", "amend! Fix the parser"])
def test_a_fixup_needs_no_link(subject: str) -> None:
    """P47: what autosquash will fold away needs no link of its own."""
    assert case(f"{subject}\n").exempt_by == "fixup"
    assert found(f"{subject}\n") == []


@pytest.mark.parametrize("subject", ["fixup!x", "fixups! x", "Fixup! x", "x fixup! y"])
def test_what_only_resembles_a_fixup_needs_a_link(subject: str) -> None:
    """Git's own words free a commit, nothing like them."""
    assert "AC101" in codes(f"{subject}\n")


def test_a_merge_needs_no_link() -> None:
    """A merge brings commits that have their own."""
    assert found("Merge branch 'x'\n", grounds=MERGE) == []


def test_a_merge_with_changes_of_its_own_needs_one() -> None:
    """What no parent has was written by somebody."""
    assert codes("Merge branch 'x'\n", grounds=Grounds(merge=True, own_changes=lambda: True)) == ["AC101"]


@pytest.mark.parametrize("text", ["Merge branch 'x'\n", "fixup! x\n"])
def test_without_the_exemption_everything_needs_a_link(text: str) -> None:
    """A policy may ask for the link of every commit."""
    assert "AC101" in codes(text, ("exempt", ""), grounds=Grounds(merge=text.startswith("Merge")))


def test_a_commit_is_exempt_only_if_it_needed_it() -> None:
    """A linked merge passes as what it is; one that lacks something is excused, and says by what."""
    linked, lacking, judged_anyway = (case(text, grounds=MERGE) for text in (LINKED, "Merge it\n", "Merge it\n"))
    strict = policy(("exempt", "fixup"))
    for about in (linked, lacking):
        assert judged(about, policy()) == []

    assert (linked.excused, lacking.excused) == (None, "merge")
    assert judged_anyway.excused is None
    assert [finding.code for finding in judged(Case(b"Merge it\n", [], strict, grounds=MERGE), strict)] == ["AC101"]


def test_of_several_exemptions_the_widest_is_named() -> None:
    """What came before the policy is named first, then a merge, then what the policy lists first."""
    kinds = [("exempt", kind) for kind in ("path:*", "fixup", "merge")]

    def grounds(before: str | None) -> Grounds:
        return Grounds(merge=True, paths=lambda: ["a"], before=before)

    assert case("fixup! x\n", *kinds, grounds=grounds("before:v1")).exempt_by == "before:v1"
    assert case("fixup! x\n", *kinds, grounds=grounds(None)).exempt_by == "merge"
    assert case("fixup! x\n", *kinds, grounds=Grounds(paths=lambda: ["a"])).exempt_by == "path:*"
    assert case("fixup! x\n", *kinds).exempt_by == "fixup"
    assert case("Fix x\n", *kinds).exempt_by is None


def test_an_exemption_does_not_excuse_a_bad_link() -> None:
    """No kind of commit may carry a link to elsewhere."""
    text = f"fixup! Fix the parser\n\nAmp-Thread-ID: https://evil.example/threads/{PARENT}\n"

    assert codes(text) == ["AC104"]
    assert case(text).exempt_by == "fixup"


@pytest.mark.parametrize(
    ("text", "exempt"),
    [
        (f'Revert "x"\n\nThis reverts commit {COMMIT}.\n', True),
        (f'Reapply "x"\n\nThis reverts commit {COMMIT}.\n', True),
        (f'Revert "x"\n\nThis reverts commit {COMMIT}, reversing\nchanges made to {COMMIT}.\n', True),
        (f'Revert "x"\n\nThis reverts commit {COMMIT}\n', True),
        (f'Revert "x"\n\nThis reverts commit {COMMIT[::-1]}.\n', False),
        (f'Revert "x"\n\nThis reverts commit {COMMIT[:12]}.\n', False),
        ('Revert "x"\n\nThis reverts nothing.\n', False),
        ('Revert "x"\n', False),
        (f"Undo x\n\nThis reverts commit {COMMIT}.\n", False),
    ],
)
def test_a_revert_of_a_commit_that_exists_needs_no_link(text: str, exempt: bool) -> None:
    """P48: with `exempt = revert` git's own message of a real revert passes, a pretended one does not."""
    settings = policy(("exempt", "revert"))
    about = Case(text.encode(), [], settings, grounds=Grounds(exists=lambda commit: commit == COMMIT))

    assert exempt == (about.exempt_by == "revert") == (judged(about, settings) == [])


def test_of_a_revert_that_names_no_commit_nobody_is_asked() -> None:
    """An empty id could name anything."""
    text = b'Revert "x"\n\nThis reverts commit nonsense.\n'

    assert Case(text, [], policy(("exempt", "revert")), grounds=Grounds(exists=never)).exempt_by is None


@pytest.mark.parametrize(
    ("paths", "exempt"),
    [(["docs/a.md"], True), (["docs/a/b.md", "docs/c"], True), (["docs/a.md", "src/a.py"], False), ([], False)],
)
def test_a_commit_of_exempt_paths_alone_needs_no_link(paths: list[str], exempt: bool) -> None:
    """Every changed path must be exempt; a commit that changes nothing is not."""
    settings = policy(("exempt", "bot:x"), ("exempt", "path:docs/*"))
    about = Case(b"Fix the docs\n", [], settings, grounds=Grounds(paths=lambda: paths))

    assert exempt == (about.exempt_by == "path:docs/*")


@pytest.mark.parametrize(
    ("pattern", "login", "exempt"),
    [
        ("dependabot[bot]", "dependabot[bot]", True),
        ("dependabot*", "dependabot[bot]", True),
        ("*[bot]", "renovate[bot]", True),
        ("*", "renovate[bot]", True),
        ("dependabot[bot]", "dependabotb", False),
        ("*[bot]", "robot", False),
        ("dependabot[bot]", "renovate[bot]", False),
        ("Dependabot[bot]", "dependabot[bot]", False),
        ("dependabot", "dependabot[bot]", False),
        ("*", None, False),
        ("*", "", True),
    ],
)
def test_a_bot_is_who_the_forge_names(pattern: str, login: str | None, exempt: bool) -> None:
    """The brackets of a bot's name are no set of letters, and without the forge's word nobody is a bot."""
    about = case("Bump a dependency\n", ("exempt", f"bot:{pattern}"), grounds=Grounds(bot=login))

    assert about.exempt_by == (f"bot:{pattern}" if exempt else None)


def test_no_text_makes_a_commit_older_than_the_policy() -> None:
    """Whether a commit came before another is for the history to say."""
    assert case(f"Fix it, before:{COMMIT}\n", ("exempt", f"before:{COMMIT}")).exempt_by is None


def test_git_is_asked_only_where_the_policy_does() -> None:
    """A policy without such exemptions costs no question, and neither does a commit that lacks nothing."""
    text = f'Revert "x"\n\nThis reverts commit {COMMIT}.\n'.encode()
    nobody = Grounds(merge=True, own_changes=never, exists=never, paths=never)
    every = [("exempt", kind) for kind in ("merge", "revert", "path:*")]

    assert Case(text, [], policy(("exempt", "fixup")), grounds=nobody).exempt_by is None
    assert found(LINKED, *every, grounds=nobody) == []
    assert found("Fix it by hand\n", *every, grounds=nobody, demanded=False) == []


def test_git_is_asked_once() -> None:
    """However many checks want to know, what was found out stays."""
    answers = iter([False])
    about = case("x\n", grounds=Grounds(merge=True, own_changes=lambda: next(answers)))

    assert judged(about, policy(("minBody", "3"))) == []
    assert about.exempt_by == about.excused == "merge"


# All together.


def test_with_mode_warn_every_finding_is_a_warning() -> None:
    """A team that starts out softly sees everything and loses nothing."""
    text = "x\n\nAmp-Thread-ID: x\n"

    assert {"warning"} == levels(text, ("mode", "warn"), ("minSubject", "10"), ("minBody", "3"))
    assert codes(text, ("mode", "warn"), ("minSubject", "10"), ("minBody", "3")) == ["AC103", "AC201", "AC202"]


def test_every_check_is_asked_in_order_and_named_in_its_docstring() -> None:
    """No check is forgotten, and each says which findings it yields."""
    assert (has_link, links_are_sound, current_is_last, is_detailed) == CHECKS
    assert all((check.__doc__ or "").startswith("AC") for check in CHECKS)


def test_asking_no_check_is_a_mistake() -> None:
    """Nothing passes because nothing was asked."""
    with pytest.raises(ValueError, match="nothing was checked"):
        judged(case(LINKED), policy(), ())
