"""Which values of `Amp-Thread-ID` are links, and what is wrong with the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampcommit.errors import MisuseError
from ampcommit.link import HOST, Fault, named, parse
from ampcommit.record import ThreadId
from tests.conftest import CHILD, OTHER, PARENT, url

U = url(PARENT)

ACCEPTED = {
    "canonical": U,
    "port 443": U.replace(".com", ".com:443"),
    "upper-case id": url(PARENT.upper()),
    "lower-case t": url(PARENT.lower()),
    "upper-case scheme": U.replace("https", "HTTPS"),
    "upper-case host": U.replace("ampcode.com", "AmpCode.COM"),
    "trailing slash": U + "/",
    "fragment": U + "#message-91-block-0",
    "query": U + "?tab=files",
    "slash, query, fragment": U + "/?a=b&c=d#e",
    "question mark in the fragment": U + "#a?b",
}

MALFORMED = {
    "empty": "",
    "bare id": PARENT,
    "mention": f"@{PARENT}",
    "angle brackets": f"<{U}>",
    "quotes": f'"{U}"',
    "trailing comma": f"{U},",
    "trailing full stop": f"{U}.",
    "markdown": f"[thread]({U})",
    "link, then prose": f"{U} and more",
    "link, then itself": f"{U} {U}",
    "workspace path": f"https://ampcode.com/v2/acme/tools/{PARENT}",
    "owner's path": f"https://ampcode.com/@acme/tools/{PARENT}",
    "two slashes at the end": U + "//",
    "two slashes before threads": f"https://ampcode.com//threads/{PARENT}",
    "two slashes before the id": f"https://ampcode.com/threads//{PARENT}",
    "dot segment": f"https://ampcode.com/threads/./{PARENT}",
    "path prefix": f"https://ampcode.com/x/threads/{PARENT}",
    "path suffix": f"{U}/messages",
    "case of the path": f"https://ampcode.com/Threads/{PARENT}",
    "semicolon": f"{U};x",
}

NO_THREAD = {
    "prose": "see the thread",
    "two links": f"{U} {url(CHILD)}",
    "no path": "https://ampcode.com",
    "root": "https://ampcode.com/",
    "list of threads": "https://ampcode.com/threads/",
    "short id": url("T-01a1f7e3"),
    "long id": url(PARENT + "0"),
    "no hex": url(PARENT.replace("a1f7", "g1f7")),
    "no dashes": url(PARENT.replace("-", "").replace("T", "T-")),
    "dashes moved": url("T-01a1f7e3a-087-75c8-93d6-905e87056e81"),
    "braces": url("{" + PARENT[2:] + "}"),
    "no T": url(PARENT[2:]),
    "placeholder": url("T-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
    "template variable": url("T-${AMP_CURRENT_THREAD_ID}"),
    "traversal": url("T-../../etc/passwd"),
    "parent folder": f"https://ampcode.com/threads/../threads/T-{PARENT[2:9]}",
    "percent in the id": url("T%2D" + PARENT[2:]),
    "percent for T": url("%54-" + PARENT[2:]),
    "full-width digits": url("T-" + "\uff11" * 8 + PARENT[10:]),
    "arabic digits": url("T-" + "\u0661" * 8 + PARENT[10:]),
    "id in the query": f"https://ampcode.com/threads/?id={PARENT}",
    "id in the fragment": f"https://ampcode.com/threads/#{PARENT}",
    "mail": "mailto:amp@ampcode.com",
}

UNTRUSTED = {
    "suffix": U.replace(".com", ".com.evil.io"),
    "glued": U.replace(".com", ".community"),
    "prefix": U.replace("ampcode", "evilampcode"),
    "typo": U.replace("ampcode", "ampc0de"),
    "other tld": U.replace(".com", ".dev"),
    "subdomain": U.replace("ampcode", "www.ampcode"),
    "trailing dot": U.replace(".com", ".com."),
    "leading dot": U.replace("ampcode", ".ampcode"),
    "user": U.replace("ampcode.com", "ampcode.com@evil.io"),
    "user at the right host": U.replace("ampcode.com", "me@ampcode.com"),
    "password": U.replace("ampcode.com", "me:secret@ampcode.com"),
    "port": U.replace(".com", ".com:8443"),
    "http's port": U.replace(".com", ".com:80"),
    "empty port": U.replace(".com", ".com:"),
    "padded port": U.replace(".com", ".com:0443"),
    "two ports": U.replace(".com", ".com:443:443"),
    "http": U.replace("https", "http"),
    "ftp": U.replace("https", "ftp"),
    "glued scheme": "x" + U,
    "no scheme": U.replace("https", ""),
    "scheme alone": "https://",
    "no host": f"https:///threads/{PARENT}",
    "address": U.replace("ampcode.com", "127.0.0.1"),
    "punycode": U.replace("ampcode", "xn--mpcode-3ve"),
    "homoglyph": U.replace("a", "\u0430", 1),
    "full-width": U.replace("a", "\uff41", 1),
    "ideographic full stop": U.replace(".", "\u3002"),
    "soft hyphen": U.replace("amp", "amp\u00ad"),
    "zero-width space": U.replace("amp", "amp\u200b"),
    "combining accent": U.replace("amp", "a\u0301mp"),
    "host in the query": f"https://evil.io?{U}",
    "host in the fragment": f"https://evil.io#@ampcode.com/threads/{PARENT}",
}

FOREIGN = {
    "backslash before the host": f"https://evil.io\\@ampcode.com/threads/{PARENT}",
    "backslashes for slashes": f"https:\\\\ampcode.com\\threads\\{PARENT}",
    "bracketed address": U.replace("ampcode.com", "[::1]"),
    "percent in the host": f"https://ampcode%2ecom/threads/{PARENT}",
    "percent for at": f"https://ampcode.com%40evil.io/threads/{PARENT}",
    "annotation": f"{U}%0a::error::owned",
    "right-to-left override": U + "\u202e",
    "byte-order mark": "\ufeff" + U,
    "no-break space": U + "\u00a0",
    "line separator": U + "\u2028Signed-off-by: x",
    "carriage return": U + "\rSigned-off-by: x",
    "line feed": U + "\n",
    "vertical tab": U + "\v",
    "form feed": U + "\f",
    "file separator": U + "\x1c",
    "next line": U + "\u0085",
    "blank in front": " " + U,
    "blank behind": U + " ",
    "shell": U + "`touch x`",
    "html": U + '"><script>',
    "colour": U + "\x1b[31m",
    "hidden link": f"\x1b]8;;{U}\x07x",
    "bell": U + "\x07",
    "backspace": U + "\b",
    "C1 control": U + "\x9b",
    "NUL": U + "\0",
}


def fault(value: str, *hosts: str) -> Fault:
    """Return why *value* is no link; that it is none is what most tests here promise."""
    found = parse(value, hosts)

    assert isinstance(found, Fault)
    assert value == found.value
    return found


@pytest.mark.parametrize("value", ACCEPTED.values(), ids=ACCEPTED)
def test_a_link_is_accepted_in_every_usual_form(value: str) -> None:
    """However a link is copied from Amp, it stands for the same thread in its canonical form."""
    assert parse(value) == PARENT


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
def test_a_value_that_means_a_thread_is_answered_with_its_canonical_form(value: str) -> None:
    """Who writes the id in some other form learns which thread it was taken for, and is still refused."""
    assert (fault(value).code, fault(value).meant) == ("AC103", None if value == "" else PARENT)


@pytest.mark.parametrize("value", NO_THREAD.values(), ids=NO_THREAD)
def test_a_value_that_names_no_single_thread_is_malformed(value: str) -> None:
    """What is no thread is not guessed to be one."""
    assert (fault(value).code, fault(value).meant) == ("AC103", None)


@pytest.mark.parametrize("value", UNTRUSTED.values(), ids=UNTRUSTED)
def test_a_link_to_elsewhere_is_not_trusted(value: str) -> None:
    """A host that merely looks like Amp's is named as untrusted, and its id is not recommended."""
    assert (fault(value).code, fault(value).meant) == ("AC104", None)


@pytest.mark.parametrize("value", FOREIGN.values(), ids=FOREIGN)
def test_a_character_that_does_not_belong_into_a_link_spoils_it(value: str) -> None:
    """Nothing that hides, redirects or breaks a line gets through inside a link."""
    assert fault(value).code == "AC103"


@pytest.mark.parametrize(
    "value", ["https://amp.acme.example/threads/" + PARENT, "https://AMP.acme.example:443/threads/" + PARENT]
)
def test_a_host_of_the_policy_counts_beside_amps_own(value: str) -> None:
    """A team with its own server links to it."""
    assert PARENT == parse(value, ("amp.acme.example",)) == parse(U, ("amp.acme.example",))


def test_a_host_of_the_policy_does_not_vouch_for_others() -> None:
    """Trust in one host is no trust in what ends like it."""
    assert fault("https://x.amp.acme.example/threads/" + PARENT, "amp.acme.example").code == "AC104"


def test_a_megabyte_is_judged_without_searching_it_all() -> None:
    """A huge value costs a bounded search for the thread that it may have meant."""
    assert fault("a" * 200_000 + PARENT).meant is None
    assert fault("t-" * 500_000).meant is None
    assert fault(PARENT + " " + "x" * 1_000_000).meant == PARENT


@given(st.uuids(), st.sampled_from(["", "/", "?", "#", "/?x#y"]), st.booleans())
def test_every_thread_id_comes_back_from_its_link(uuid: object, tail: str, upper: bool) -> None:
    """A link is accepted for every id that Amp can make, in either case."""
    text = f"T-{uuid}"

    assert parse(url(text.upper() if upper else text) + tail) == text


@pytest.mark.parametrize("text", [PARENT, PARENT.upper(), f"@{PARENT}", U, "https://amp.example.com/threads/" + PARENT])
def test_a_thread_is_named_as_people_name_it(text: str) -> None:
    """An id in any case, a mention and a link lead to one thread."""
    assert named(text, ("amp.example.com",)) == PARENT


@pytest.mark.parametrize("text", ["", "T-1", "HEAD", f"@@{PARENT}", f"https://evil.example/threads/{PARENT}"])
def test_what_names_no_thread_is_a_misuse(text: str) -> None:
    """A misuse has a way out."""
    with pytest.raises(MisuseError) as caught:
        named(text)

    assert "T-…" in caught.value.hint


@given(st.text() | st.builds("https://{}/threads/{}".format, st.text() | st.just(HOST), st.text() | st.just(PARENT)))
def test_what_is_accepted_leads_to_amp(value: str) -> None:
    """Whatever is accepted is ASCII, begins with Amp's address and holds the thread that came out."""
    found = parse(value)

    accepted = isinstance(found, ThreadId)
    assert accepted == (not isinstance(found, Fault))
    assert not accepted or (value.isascii() and value.lower().startswith((f"https://{HOST}/", f"https://{HOST}:443/")))
    assert not accepted or str(found).lower() in value.lower()


@given(
    st.lists(
        st.sampled_from([U, url(OTHER), PARENT, "https://", "ampcode.com", "/threads/", "@", ":", "\\", "\n", "T-"])
    )
)
def test_pieces_of_links_make_a_link_only_as_one(pieces: list[str]) -> None:
    """No arrangement of pieces of links is taken for a link, but the link itself."""
    value = "".join(pieces)

    assert isinstance(parse(value), Fault) or value in (
        U,
        url(OTHER),
        U + "/threads/",
        f"https://ampcode.com/threads/{PARENT}",
    )
