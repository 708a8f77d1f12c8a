"""Where a remote stands on the web: every way to write its address, and everything that is no address."""

import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.errors import GitError
from ampcommit.forge.pages import Forge, base_of, forge_at, kind_of, remote_of
from ampcommit.gitcmd import Git
from ampcommit.place import Place
from tests.conftest import Repo

relaxed = settings(deadline=None, database=None, max_examples=400)

HUB = "https://github.com/owner/repo"

# --- addresses

ADDRESSES = {
    # https and http: scheme and port stay
    "https://github.com/owner/repo": HUB,
    "https://github.com/owner/repo.git": HUB,
    "https://github.com/owner/repo/": HUB,
    "https://github.com/owner/repo.git/": HUB,
    "https://github.com/owner/repo.git//": HUB,
    "https://github.com//owner/repo": HUB,
    "HTTPS://GitHub.com/owner/repo": HUB,
    "https://github.com:443/owner/repo": HUB,
    "https://github.com:0443/owner/repo": HUB,
    "https://github.com:/owner/repo": HUB,
    "https://github.com:8443/owner/repo": "https://github.com:8443/owner/repo",
    "https://github.com:80/owner/repo": "https://github.com:80/owner/repo",
    "http://git.corp.example:80/owner/repo": "http://git.corp.example/owner/repo",
    "http://git.corp.example:8080/owner/repo.git": "http://git.corp.example:8080/owner/repo",
    "http://intranet/owner/repo": "http://intranet/owner/repo",
    "https://127.0.0.1:3000/a/b": "https://127.0.0.1:3000/a/b",
    "https://[::1]:3000/a/b": "https://[::1]:3000/a/b",
    "https://[2001:DB8:0:0::1]/a/b": "https://[2001:db8::1]/a/b",
    # who asks is nobody's business
    "https://user@github.com/owner/repo": HUB,
    "https://user:secret@github.com/owner/repo": HUB,
    "https://user:1@2@github.com/owner/repo": HUB,
    "https://user:%2fse%40cret@github.com/owner/repo": HUB,
    "https://x-access-token:ghs_secret@github.com:443/owner/repo.git": HUB,
    # ssh, git
    "ssh://git@github.com/owner/repo.git": HUB,
    "ssh://git@github.com:22/owner/repo.git": HUB,
    "ssh://git@ssh.github.com:443/owner/repo.git": HUB,
    "git+ssh://git@github.com/owner/repo": HUB,
    "ssh+git://git@github.com/owner/repo": HUB,
    "ssh://git@altssh.gitlab.com:443/group/sub/repo.git": "https://gitlab.com/group/sub/repo",
    "ssh://git@git.corp.example:2222/owner/repo": "https://git.corp.example/owner/repo",
    "ssh://git@[::1]:2222/owner/repo": "https://[::1]/owner/repo",
    "ssh://localhost/owner/repo": "https://localhost/owner/repo",
    "ssh://10.0.0.7/owner/repo": "https://10.0.0.7/owner/repo",
    "ssh://git@git.xn--p1ai/owner/repo": "https://git.xn--p1ai/owner/repo",
    "git://github.com/owner/repo.git": HUB,
    "git://github.com:9418/owner/repo.git": HUB,
    "git://intranet/owner/repo": "https://intranet/owner/repo",
    # as scp writes it
    "git@github.com:owner/repo.git": HUB,
    "github.com:owner/repo": HUB,
    "github.com:/owner/repo/": HUB,
    "token@github.com:owner/repo": HUB,
    "git@ssh.github.com:owner/repo": HUB,
    "git@gitlab.com:group/sub/sub/repo.git": "https://gitlab.com/group/sub/sub/repo",
    "[::1]:owner/repo": "https://[::1]/owner/repo",
    "git@[2001:db8::1]:owner/repo": "https://[2001:db8::1]/owner/repo",
    "git@localhost:owner/repo": "https://localhost/owner/repo",
    # names that a URL cannot hold as they are
    "https://github.com/owner/a%20b": "https://github.com/owner/a%20b",
    "https://github.com/owner/a b": "https://github.com/owner/a%20b",
    "git@github.com:owner/a%20b": "https://github.com/owner/a%2520b",
    "https://git.example.com/größe/日本.git": "https://git.example.com/gr%C3%B6%C3%9Fe/%E6%97%A5%E6%9C%AC",
    "https://git.example.com/%67roup/repo": "https://git.example.com/group/repo",
    "https://git.example.com/a/%252e%252e": "https://git.example.com/a/%252e%252e",
    "https://git.example.com/100%/repo": "https://git.example.com/100%25/repo",
    'https://git.example.com/a/<"b">': "https://git.example.com/a/%3C%22b%22%3E",
    "https://git.example.com/a/b.git.git": "https://git.example.com/a/b.git",
    "https://git.example.com/~user/repo": "https://git.example.com/~user/repo",
}


@pytest.mark.parametrize(("address", "base"), ADDRESSES.items(), ids=ADDRESSES)
def test_an_address_on_the_web(address: str, base: str) -> None:
    """Every way in which git writes the address of a remote leads to the page of its repository."""
    assert base_of(address) == base


NOWHERE = [
    "",
    "origin",
    # on this machine
    "/srv/git/owner/repo.git",
    "./owner/repo",
    "../owner/repo.git",
    "./git.example.com:owner/repo",
    "owner/repo:x",
    "~/owner/repo",
    "file:///srv/git/owner/repo",
    "file://github.com/owner/repo",
    "C:/owner/repo",
    "C:\\owner\\repo",
    # remote helpers, other schemes
    "ext::sh -c 'touch /tmp/owner/repo'",
    "git.example.com::owner/repo",
    "ftp://git.example.com/owner/repo",
    "javascript://git.example.com/owner/repo",
    "://git.example.com/owner/repo",
    "a b://git.example.com/owner/repo",
    # what ssh's configuration may call otherwise
    "work:owner/repo",
    "git@work:owner/repo",
    "ssh://git@work/owner/repo",
    "git@github.com-work:owner/repo",
    "git@github.com_work:owner/repo",
    "git@github.2:owner/repo",
    # no host
    "https:///owner/repo",
    "https://user@/owner/repo",
    "https://.example.com/owner/repo",
    "https://example..com/owner/repo",
    "https://github.com./owner/repo",
    "https://-x.example.com/owner/repo",
    "https://exa mple.com/owner/repo",
    "https://größe.example.com/owner/repo",
    "https://\u212ait.example.com/owner/repo",
    "https://git%2eexample.com/owner/repo",
    "https://[::1/owner/repo",
    "https://[::zz]/owner/repo",
    "https://[fe80::1%25eth0]/owner/repo",
    "https://[]/owner/repo",
    "https://x[::1]/owner/repo",
    "[git.example.com:22]:owner/repo",
    # no port
    "https://github.com:x/owner/repo",
    "https://github.com:0/owner/repo",
    "https://github.com:65536/owner/repo",
    "https://github.com:\u0664\u0664\u0663/owner/repo",
    "https://github.com:-1/owner/repo",
    # no repository
    "https://github.com",
    "https://github.com/",
    "https://github.com/owner",
    "https://github.com/owner/",
    "https://github.com/owner/.git",
    "https://github.com/owner//repo",
    "git@github.com:repo",
    "git@github.com:",
    # ways out
    "https://github.com/owner/..",
    "https://github.com/../owner/repo",
    "https://github.com/owner/./repo",
    "https://github.com/owner/...git",
    "https://github.com/owner/..git",
    "https://github.com/owner/%2e%2e",
    "https://github.com/owner/.%2E/repo",
    "https://github.com/owner%2frepo/x",
    "https://github.com/owner\\repo/x",
    "https://github.com/owner/%5c",
    # what no page has, and a secret may be in
    "https://user:pa/ss@github.com/owner/repo",
    "https://user:12/ss@github.com/owner/repo",
    "https://github.com/owner/repo?token=secret",
    "https://github.com/owner/repo#secret",
    "https://github.com/owner/repo%3Ftoken",
    "https://github.com/user:secret@owner/repo",
    "git@github.com:user@owner/repo",
    "git@github.com:22:owner/repo",
    # what nobody can print
    "https://github.com/owner/re\tpo",
    "https://github.com/owner/repo\n",
    "https://github.com/owner/re\x1b[2Jpo",
    "https://github.com/owner/\u202epo",
    "https://github.com/owner/re\x00po",
    "https://github.com/owner/\udcff",
    "https://github.com/owner/%1b[2J",
    "https://github.com/owner/%ff",
    "https://github.com/owner/%e2%80%ae",
    "https://github.com/owner/" + "x" * 2000,
]


@pytest.mark.parametrize("address", NOWHERE)
def test_what_is_not_on_the_web(address: str) -> None:
    """Paths, aliases, remote helpers, ways out and whatever a secret may stand in have no page."""
    assert base_of(address) is None


def whole(url: str) -> None:
    """Hold that *url* can be printed and opened as it is, and tells nobody's name."""
    parts = urlsplit(url)

    assert parts.scheme in ("https", "http")
    assert parts.hostname
    assert (parts.username, parts.password, parts.query, parts.fragment) == (None, None, "", "")
    assert parts.port is None or 0 < parts.port < 65536
    assert url.isascii()
    assert url.isprintable()
    assert not set(' "<>\\^`{|}').intersection(url)
    for segment in parts.path.split("/"):
        assert unquote(segment) not in (".", "..")
        assert unquote(segment).isprintable()
    assert parts.geturl() == url


ALPHABET = (
    "https:// http:// ssh:// git:// file:// ext:: @ : / // . .. %2e %2F %00 %ff [ ] ::1 [::1] :443 :22 :x user "
    "git github.com gitlab.com work owner repo .git -x ? # \\ ~ % \x1b \n \t é \u202e \udcff"
)
PIECES = st.sampled_from(ALPHABET.split(" "))


@relaxed
@given(st.text() | st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join))
def test_any_address_has_a_sound_page_or_none(address: str) -> None:
    """Whatever stands in git's configuration, what is printed is a whole URL without a name or a way out."""
    base = base_of(address)

    if base is not None:
        whole(base)
        assert base_of(base) == base or base.endswith(".git")


@relaxed
@given(
    st.sampled_from(["https://{}/", "http://{}:8080/", "ssh://git@{}:22/", "{}:", "git@{}:", "git://{}/"]),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?(\.[a-z0-9]{1,4})?\.[a-z]{2,5}", fullmatch=True),
    st.lists(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}[A-Za-z0-9_]", fullmatch=True), min_size=2, max_size=4),
    st.sampled_from(["", ".git", "/", ".git/"]),
)
def test_an_ordinary_address_is_always_understood(form: str, host: str, path: list[str], end: str) -> None:
    """All ways to write one address lead to one page."""
    path[-1] = path[-1].removesuffix(".git") or "x"
    base = base_of(form.format(host) + "/".join(path) + end)
    scheme, port = ("http", ":8080") if form.startswith("http:") else ("https", "")

    assert base == f"{scheme}://{host}{port}/{'/'.join(path)}"


# --- forges


@pytest.mark.parametrize(
    ("base", "kind"),
    [
        ("https://github.com/a/b", "github"),
        ("https://github.corp.example:8443/a/b", "github"),
        ("https://code.github.corp.example/a/b", "github"),
        ("https://gitlab.com/a/b", "gitlab"),
        ("http://gitlab.corp.example/a/b", "gitlab"),
        ("https://git.corp.example/a/b", None),
        ("https://mygithub.com/a/b", None),
        ("https://gitlab-old.corp.example/a/b", None),
        ("https://git.example/github/gitlab", None),
        ("https://gitlab.github.example/a/b", None),
        ("https://[::1]/a/b", None),
    ],
)
def test_a_host_says_which_forge_it_is(base: str, kind: str | None) -> None:
    """A whole label of the host counts, and nothing that only looks like it."""
    assert kind_of(base) == kind


def test_the_pages_of_github() -> None:
    """As GitHub names them."""
    forge = Forge("github", HUB)

    assert (forge.commit("1f"), forge.compare("1f", "2e")) == (f"{HUB}/commit/1f", f"{HUB}/compare/1f...2e")
    assert (forge.request(12), forge.mark, forge.path) == (f"{HUB}/pull/12", "#", "owner/repo")


def test_the_pages_of_gitlab() -> None:
    """As GitLab names them, below subgroups."""
    base = "https://gitlab.com/group/sub/repo"
    forge = Forge("gitlab", base)

    assert (forge.commit("1f"), forge.compare("1f", "2e")) == (f"{base}/-/commit/1f", f"{base}/-/compare/1f...2e")
    assert (forge.request(12), forge.mark, forge.path) == (f"{base}/-/merge_requests/12", "!", "group/sub/repo")


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        ("github", "https://github.com/a/b.wiki"),
        ("gitlab", "https://gitlab.com/a/b.wiki"),
        ("github", "https://gist.github.com/a/1f"),
        ("github", "https://github.com/a/b/c"),
    ],
)
def test_what_has_other_pages_has_none_of_these(kind: str, base: str) -> None:
    """Wikis and gists have commits too, and their pages are elsewhere."""
    assert forge_at(base, kind) is None


@pytest.mark.parametrize(("kind", "base"), [("github", HUB), ("gitlab", "https://gitlab.com/a/b/c")])
def test_a_repository_has_its_forge(kind: str, base: str) -> None:
    """An owner and a name on GitHub; any number of groups on GitLab."""
    forge = forge_at(base, kind)

    assert forge
    assert (forge.kind, forge.base) == (kind, base)


# --- the remote of a clone


def remote(repo: Repo) -> tuple[str, str, str | None] | None:
    """Return the name, the page and the kind of the clone's remote."""
    git = Git(str(repo.path), os.environ)
    found = remote_of(git, Place.of_folder(git), os.environ)
    return (found.name, found.base, found.kind) if found else None


def test_a_clone_without_a_remote(repo: Repo) -> None:
    """Nothing to link to is no error; neither is a remote without an address."""
    assert remote(repo) is None
    repo("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")

    assert remote(repo) is None


def test_a_remote_on_this_machine(repo: Repo, tmp_path: Path) -> None:
    """A path has no page, and no other remote is taken in its place."""
    repo("remote", "add", "hub", HUB)
    repo("remote", "add", "origin", str(tmp_path))

    assert remote(repo) is None


def test_origin_comes_first(repo: Repo) -> None:
    """`origin`, then what the branch follows, then the first there is."""
    repo.commit("-q", "-m", "First")
    repo("remote", "add", "Fork", "https://github.com/me/repo")
    repo("remote", "add", "team", "https://gitlab.com/team/repo")
    assert remote(repo) == ("Fork", "https://github.com/me/repo", "github")

    repo("config", "branch.main.remote", "team")
    assert remote(repo) == ("team", "https://gitlab.com/team/repo", "gitlab")

    repo("config", "branch.main.remote", ".")
    assert remote(repo) == ("Fork", "https://github.com/me/repo", "github")

    repo("config", "branch.main.remote", "team")
    repo("checkout", "-q", "--detach")
    assert remote(repo) == ("Fork", "https://github.com/me/repo", "github")

    repo("remote", "add", "origin", "https://git.corp.example:8443/team/repo")
    assert remote(repo) == ("origin", "https://git.corp.example:8443/team/repo", None)


def test_where_one_pushes_does_not_matter(repo: Repo) -> None:
    """Commits are looked at where they come from."""
    repo("remote", "add", "origin", HUB)
    repo("config", "remote.origin.pushurl", "https://gitlab.com/me/repo")
    repo("config", "url.https://gitlab.com/.pushInsteadOf", "https://github.com/")

    assert remote(repo) == ("origin", HUB, "github")


@pytest.mark.parametrize(
    ("short", "address"), [("hub:", "hub:owner/repo"), ("hub:owner/repo.git", "hub:owner/repo.git")]
)
def test_what_git_rewrites_is_followed(repo: Repo, short: str, address: str) -> None:
    """`url.<base>.insteadOf` of the user's own configuration holds, as for git itself."""
    base = "ssh://git@github.com/" if short == "hub:" else "git@github.com:owner/repo.git"
    repo("config", "--global", f"url.{base}.insteadOf", short)
    repo("remote", "add", "origin", address)

    assert remote(repo) == ("origin", HUB, "github")


def test_of_several_addresses_git_says_which(repo: Repo) -> None:
    """A remote may be pushed to many places, and is fetched from one."""
    repo("remote", "add", "origin", HUB)
    repo("config", "--add", "remote.origin.url", "https://gitlab.com/me/repo")

    assert remote(repo) == ("origin", HUB, "github")


def test_an_address_that_git_rewrites_to_nonsense(repo: Repo) -> None:
    """Bytes that are no text have no page."""
    subprocess.run(["git", "config", b"url.https://github.com/\xff/.insteadOf", "hub:"], cwd=repo.path, check=True)
    repo("remote", "add", "origin", "hub:repo")

    assert remote(repo) is None


@pytest.mark.parametrize("where", ["config", "environment"])
def test_the_clone_says_which_forge_it_has(repo: Repo, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose name says nothing is what a person says it is; one whose name does is that."""
    repo("remote", "add", "origin", "ssh://git@git.corp.example:2222/team/repo")
    if where == "config":
        repo("config", "ampcommit.forge", "gitlab")
    else:
        repo("config", "ampcommit.forge", "github")
        monkeypatch.setenv("AMPCOMMIT_FORGE", "gitlab")
    assert remote(repo) == ("origin", "https://git.corp.example/team/repo", "gitlab")

    repo("remote", "set-url", "origin", HUB)
    assert remote(repo) == ("origin", HUB, "github")


def test_a_cloned_repository_does_not_say_it(repo: Repo) -> None:
    """`.ampcommit` comes with the clone; which pages are opened is no business of its author."""
    repo("remote", "add", "origin", "https://git.corp.example/team/repo")
    (repo.path / ".ampcommit").write_text("[ampcommit]\n\tforge = github\n")

    assert remote(repo) == ("origin", "https://git.corp.example/team/repo", None)


@pytest.mark.parametrize("value", ["bitbucket", "", "GitHub"])
def test_a_word_that_is_no_forge_says_nothing(repo: Repo, value: str) -> None:
    """A misspelt setting is as good as none."""
    repo("remote", "add", "origin", "https://git.corp.example/team/repo")
    repo("config", "ampcommit.forge", value)

    assert remote(repo) == ("origin", "https://git.corp.example/team/repo", None)


def test_a_git_that_does_not_answer_is_the_callers(repo: Repo) -> None:
    """A broken configuration is said by git, and whoever asked decides what that means."""
    place = Place.of_folder(Git(str(repo.path), os.environ))
    (repo.path / ".git" / "config").write_text("[broken\n")

    with pytest.raises(GitError):
        remote_of(Git(str(repo.path), os.environ), place, os.environ)
