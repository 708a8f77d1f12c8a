"""in-toto: the facts about a commit as a Statement, for a program that signs such; docs/interchange.md."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ampcommit.interchange.facts import Fact

FORM = "in-toto"

# No name of ours stands on the web, and a name that belongs to others is not ours to give.
PREDICATE = "urn:uuid:f75b0407-db36-453e-adf7-27d777561aad"
"""The type of what is said, version 1; another version gets another one."""


def statement(fact: "Fact", tree: str) -> "dict[str, object]":
    """Return what is said of the commit and its *tree*, unsigned."""
    newest = fact.records[-1]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "commit", "digest": {"gitCommit": fact.commit}},
            {"name": "tree", "digest": {"gitTree": tree}},
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "schema": "ampcommit.commit/1",
            "thread": fact.thread,
            "links": fact.links,
            "chain": fact.chain.threads,
            "chain_state": fact.chain.state,
            "source": fact.source,
            "validated": fact.validated,
            "repo": newest.repo,
            "recorded": newest.time,
            "by": newest.by,
        },
    }
