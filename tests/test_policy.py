"""The keys of the policy: what each value means, and what is no value."""

import pytest

from ampcommit.policy import BY_NAME, KEYS, understood


def test_the_keys_are_those_of_the_docs() -> None:
    """Every key of the policy is there, written as people write it."""
    expected = "mode autolink authors linkIn host minSubject maxSubject minBody exempt record evidence"

    assert expected.split() == list(KEYS)
    assert [name.lower() for name in KEYS] == list(BY_NAME)


@pytest.mark.parametrize(
    ("key", "value", "meaning"),
    [
        ("mode", "warn", "warn"),
        ("autolink", "No", False),
        ("autolink", None, True),
        ("autolink", "", False),
        ("sign", "2", True),
        ("sign", "-1", True),
        ("sign", "00", False),
        ("sign", "Off", False),
        ("sign", None, True),
        ("host", "AMP.example.com", "amp.example.com"),
        ("minbody", "40", 40),
        ("exempt", "path:docs/*", "path:docs/*"),
        ("exempt", "bot:renovate*", "bot:renovate*"),
        ("exempt", f"before:{'a' * 40}", f"before:{'a' * 40}"),
        ("exempt", f"before:{'b' * 64}", f"before:{'b' * 64}"),
        ("record", "off", False),
        ("record", None, True),
        ("evidence", "off", "off"),
        ("forge", "gitlab", "gitlab"),
    ],
)
def test_a_value_is_understood(key: str, value: str | None, meaning: object) -> None:
    """A value means what git and the docs say it means."""
    assert meaning == understood(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mode", "Require"),
        ("mode", None),
        ("autolink", "perhaps"),
        ("host", "https://example.com"),
        ("host", ""),
        ("minbody", "-1"),
        ("minbody", "\u0663"),
        ("maxsubject", "9999999"),
        ("exempt", "path:"),
        ("exempt", "everything"),
        ("exempt", "before:v1"),
        ("exempt", "before:HEAD"),
        ("exempt", f"before:{'a' * 39}"),
        ("record", "perhaps"),
        ("sign", "+"),
        ("evidence", "0.5"),
        ("forge", "bitbucket"),
        ("forge", ""),
        ("forge", None),
    ],
)
def test_what_is_no_value_says_what_it_must_be(key: str, value: str | None) -> None:
    """A value that cannot be used, or not yet, is never taken for another one."""
    with pytest.raises(ValueError, match=r"must be|must name|needs a value|not enforced"):
        understood(key, value)
