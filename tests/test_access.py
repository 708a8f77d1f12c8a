"""Where the API is, and with what we may ask it."""

import os
import stat
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from ampcommit.amp.access import TOKEN_URL, Access, access
from ampcommit.errors import MisuseError, RemoteError
from tests.conftest import Repo

SECRET = "hush-9c1d"  # noqa: S105  # of nothing
GIVEN = {"AMPCOMMIT_CLIENT_ID": "id-1", "AMPCOMMIT_CLIENT_SECRET": SECRET}
TOKENS = {"AMPCOMMIT_TOKEN_URL": "https://auth.example.com/token"}


def helper(folder: Path, script: str) -> None:
    """Make a shell script git's credential helper, for every host."""
    path = folder / "helper"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    subprocess.run(["git", "config", "--global", "credential.helper", str(path)], check=True)


def test_amp_itself_is_asked_unless_told_otherwise() -> None:
    """Without variables, and with empty ones, the addresses are the documented ones."""
    for environ in ({}, {"AMP_URL": "", "AMPCOMMIT_TOKEN_URL": ""}, {"AMP_URL": "HTTPS://AmpCode.com:443/"}):
        allowed = access(environ)

        assert allowed.base == "https://ampcode.com"
        assert allowed.token_url == TOKEN_URL == "https://auth.ampcode.com/oauth2/token"  # noqa: S105  # an address


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://amp.example.com/", "https://amp.example.com"),
        ("https://amp.example.com:8443/prefix//", "https://amp.example.com:8443/prefix"),
        ("https://amp.example.com.", "https://amp.example.com."),
        ("https://192.0.2.1", "https://192.0.2.1"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.1.2.3", "http://127.1.2.3"),
        ("http://[::1]:80/x", "http://[::1]/x"),
        ("https://[2001:db8::1]:1", "https://[2001:db8::1]:1"),
    ],
)
def test_another_server_needs_its_own_token_endpoint(given: str, base: str) -> None:
    """A token for one server never goes to another one, unless somebody says that it belongs there."""
    with pytest.raises(MisuseError) as error:
        access({"AMP_URL": given})

    assert "AMPCOMMIT_TOKEN_URL" in error.value.hint
    assert access({"AMP_URL": given} | TOKENS).base == base
    assert access({"AMP_URL": given} | TOKENS).token_url == TOKENS["AMPCOMMIT_TOKEN_URL"]


@pytest.mark.parametrize(
    "given",
    [
        "http://ampcode.com",
        "http://127.0.0.1.example.com",
        "http://127.1",
        "http://10.0.0.1",
        "http://[::2]",
        "ftp://ampcode.com",
        "ampcode.com",
        "//ampcode.com",
        "https://",
        "https:///path",
        "https://:443",
        "https://ampcode.com:0",
        "https://ampcode.com:65536",
        "https://ampcode.com:x",
        "https://[::1",
        "https://[v1.x]",
        "https://[]",
        "https://a..b",
        f"https://{'a' * 64}.com",
        "https://amp%63ode.com",
        "https://amp_c*de.com",
        "https://ampcode.com?x=hush-9c1d",
        "https://ampcode.com#",
        "https://ampcode.com/a b",
        "https://ampcode.com\\@evil.example",
        "https://ampcode.com\n.evil.example",
        "https://\N{CYRILLIC SMALL LETTER A}mpcode.com",
        "https://me:hush-9c1d@ampcode.com",
        "https://hush-9c1d@ampcode.com",
        "https://@ampcode.com",
    ],
)
@pytest.mark.parametrize("variable", ["AMP_URL", "AMPCOMMIT_TOKEN_URL"])
def test_an_address_that_is_none_is_refused(variable: str, given: str) -> None:
    """N11: what is no https address, or may hold a password, is a misuse, and is not said back."""
    with pytest.raises(MisuseError) as error:
        access(TOKENS | {variable: given})

    assert variable in str(error.value)
    assert error.value.hint
    assert SECRET not in f"{error.value} {error.value.hint}"


def test_the_environment_comes_first(sealed: Path) -> None:
    """Id and secret of the environment count, and git is not asked."""
    helper(sealed, "touch $HOME/asked")

    allowed = access(GIVEN)

    assert allowed.origin == ""
    assert allowed.credentials() == ("id-1", SECRET)
    assert allowed.origin == "the environment"
    assert not (sealed / "asked").exists()


def test_a_value_of_two_lines_is_refused() -> None:
    """An id with a line break would be another question to git."""
    for environ in (GIVEN | {"AMPCOMMIT_CLIENT_ID": "i\nhost=evil"}, GIVEN | {"AMPCOMMIT_CLIENT_SECRET": "s\r"}):
        with pytest.raises(MisuseError, match="more than one line"):
            access(environ).credentials()


def stored(sealed: Path, *lines: str) -> None:
    """Give credentials to git as the hint says."""
    subprocess.run(["git", "config", "--global", "credential.helper", "store"], check=True)
    given = "".join(f"{line}\n" for line in lines)
    subprocess.run(["git", "credential", "approve"], input=given + "\n", text=True, check=True)
    assert (sealed / ".git-credentials").exists()


def asked(**more: str) -> Access:
    """Return the access of this process's environment."""
    return access(os.environ | more)


def test_git_knows_the_credentials(sealed: Path) -> None:
    """What was given to git as the hint says is found: for the token endpoint's host alone."""
    stored(sealed, "protocol=https", "host=auth.ampcode.com", "username=kept", f"password={SECRET}")

    allowed = asked()

    assert allowed.credentials() == ("kept", SECRET)
    assert allowed.origin == "git credential"
    assert asked(AMPCOMMIT_CLIENT_ID="kept").credentials() == ("kept", SECRET)
    for other in ("https://auth.example.com", "https://auth.ampcode.com:8443", "http://localhost"):
        with pytest.raises(RemoteError):
            asked(AMPCOMMIT_TOKEN_URL=other).credentials()


def test_a_port_belongs_to_the_host(sealed: Path) -> None:
    """Credentials for a host with a port are found for that port."""
    stored(sealed, "protocol=http", "host=127.0.0.1:8080", "username=u", f"password={SECRET}")

    allowed = access(os.environ | {"AMPCOMMIT_TOKEN_URL": "http://127.0.0.1:8080/t"})

    assert allowed.credentials() == allowed.credentials() == ("u", SECRET)


def test_the_given_id_is_asked_for(sealed: Path) -> None:
    """Where the environment gives the id alone, the secret of another id is not taken."""
    helper(sealed, "cat > $HOME/asked; echo username=other; echo password=x")

    with pytest.raises(RemoteError, match="no credentials"):
        asked(AMPCOMMIT_CLIENT_ID="mine").credentials()
    assert "username=mine\n" in (sealed / "asked").read_text()


@pytest.mark.parametrize("script", ["exit 0", "exit 1", "echo password=", "echo username=x", "echo quit=1"])
def test_nothing_found_names_both_ways(sealed: Path, script: str) -> None:
    """Without credentials it is a failure of the remote side that says how to give them."""
    helper(sealed, script)

    with pytest.raises(RemoteError, match="there are no credentials") as error:
        asked().credentials()

    assert error.value.exit_code == 5
    assert "AMPCOMMIT_CLIENT_SECRET" in error.value.hint
    assert "host=auth.ampcode.com" in error.value.hint
    assert "git credential approve" in error.value.hint


def test_nobody_is_asked(sealed: Path) -> None:
    """Neither the terminal nor a window asks the person: a run in a pipe must end."""
    asking = sealed / "asking"
    asking.write_text("#!/bin/sh\ntouch $HOME/asked; echo x\n")
    asking.chmod(0o755)
    subprocess.run(["git", "config", "--global", "core.askPass", str(asking)], check=True)

    with pytest.raises(RemoteError, match="there are no credentials"):
        asked(GIT_ASKPASS=str(asking), SSH_ASKPASS=str(asking), DISPLAY=":0").credentials()
    assert not (sealed / "asked").exists()


def test_a_repository_has_no_say(repo: Repo, sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository's credential helper is not run, in whatever way git is pointed to it."""
    repo("config", "credential.helper", "!touch $HOME/asked; echo username=x; echo password=y; :")
    monkeypatch.chdir(repo.path)
    pointed = {"GIT_DIR": str(repo.path / ".git"), "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "credential.helper"}

    with pytest.raises(RemoteError, match="there are no credentials"):
        asked(**pointed, GIT_CONFIG_VALUE_0="!touch $HOME/asked; :").credentials()
    assert not (sealed / "asked").exists()


def test_a_helper_that_hangs_is_not_waited_for(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential helper has a time limit; here the git that would run it stands still."""
    slow = sealed / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(RemoteError, match=r"no credentials.*did not answer"):
        asked().credentials(0.3)


def test_no_text_holds_the_secret(sealed: Path) -> None:
    """N11: neither the object's text, nor a failure's traceback, nor the process list shows the secret."""
    helper(sealed, f"echo username=kept; echo password={SECRET}; tr '\\0' ' ' < /proc/$PPID/cmdline > $HOME/argv")
    allowed = asked()
    texts = [repr(access(GIVEN)), str(access(GIVEN))]

    assert allowed.credentials() == ("kept", SECRET)

    helper(sealed, f"echo 'fatal: wrong {SECRET}' >&2; echo '{SECRET}' >&2; exit 3")
    with pytest.raises(RemoteError) as error:
        asked().credentials()
    texts += [repr(allowed), "".join(traceback.format_exception(error.value)), error.value.hint]
    if sys.platform == "linux":
        texts.append((sealed / "argv").read_text())
    assert not [text for text in texts if SECRET in text]
