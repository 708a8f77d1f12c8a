"""in-toto: a Statement that a program for signing takes."""

import uuid

from ampcommit.interchange.statement import PREDICATE, statement
from tests.conftest import CHILD, OTHER, PARENT
from tests.test_agent_trace import fact
from tests.test_imported import A, B


def test_a_statement_is_about_the_commit_and_its_tree() -> None:
    """Names are unique in it, digests are named as in-toto names those of git; no branch, no author, no title."""
    told = statement(fact(CHILD, PARENT), B)

    assert told == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "commit", "digest": {"gitCommit": A}},
            {"name": "tree", "digest": {"gitTree": B}},
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "schema": "ampcommit.commit/1",
            "thread": CHILD,
            "links": [OTHER, CHILD],
            "chain": [CHILD, PARENT],
            "chain_state": "complete",
            "source": "env",
            "validated": True,
            "repo": "git.example.com/team/demo",
            "recorded": "2026-11-21T08:00:00Z",
            "by": "ampcommit 0.1.0",
        },
    }


def test_the_type_needs_nobody_s_name() -> None:
    """It is an absolute URI, as in-toto asks, under which nobody else can publish."""
    assert uuid.UUID(PREDICATE.removeprefix("urn:uuid:")).version == 4
