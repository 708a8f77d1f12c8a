"""Signatures of shared lines, made and checked by the real ssh-keygen."""

import base64
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ampcommit.errors import AmpcommitError, SetupError
from ampcommit.gitcmd import Git
from ampcommit.notes.signing import ALLOWED_LIMIT, SIGNATURES_TRIED, BadSignature, Signers, own_key, sign
from ampcommit.notes.sshsig import digest, key_in
from ampcommit.place import Place
from tests.conftest import Repo

KEYGEN = shutil.which("ssh-keygen") or ""
pytestmark = pytest.mark.skipif(not KEYGEN, reason="there is no ssh-keygen here")

KINDS = ("ed25519", "ecdsa", "rsa")
LINE = b'{"v":1,"kind":"commit","commit":"' + b"1" * 40 + b'"}'
ELSE = LINE.replace(b"1" * 40, b"2" * 40)


def keygen(*args: object, cwd: Path | None = None) -> None:
    """Run the real ssh-keygen."""
    argv = [KEYGEN, "-q", *map(str, args)]
    subprocess.run(argv, check=True, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key of each kind, one with a passphrase, and one of a stranger."""
    folder = tmp_path_factory.mktemp("keys")
    for kind in KINDS:
        keygen("-t", kind, "-N", "", "-C", "", "-f", folder / kind)
    keygen("-t", "ed25519", "-N", "a passphrase", "-f", folder / "locked")
    keygen("-t", "ed25519", "-N", "", "-f", folder / "stranger")
    return folder


@pytest.fixture(scope="module")
def signed(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The line that signs LINE with the key of kind ed25519."""
    return by_hand(keys / "ed25519", LINE, tmp_path_factory.mktemp("signed"))


@pytest.fixture(scope="module")
def judge(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Signers:
    """Signers among whom a@x has the key of kind ed25519."""
    return Signers(allow(keys), os.environ, Place(str(tmp_path_factory.mktemp("nowhere"))))


def public(keys: Path, name: str = "ed25519") -> str:
    """Return kind and text of a public key."""
    return " ".join((keys / f"{name}.pub").read_text().split()[:2])


def allow(keys: Path, *lines: str) -> bytes:
    """Return a file of allowed signers, in which KEY stands for the key of kind ed25519."""
    return "".join(f"{line}\n" for line in lines or ("a@x KEY",)).replace("KEY", public(keys)).encode()


def by_hand(key: Path, line: bytes, folder: Path, *args: str, namespace: str = "ampcommit", of: bytes = b"") -> bytes:
    """Return a signature line that was made without our help."""
    (folder / "f").write_bytes(line)
    (folder / "f.sig").unlink(missing_ok=True)
    keygen("-Y", "sign", *args, "-n", namespace, "-f", key, folder / "f")
    return framed("".join((folder / "f.sig").read_text().splitlines()[1:-1]), of or line)


def framed(body: str, line: bytes = LINE) -> bytes:
    """Return the line of kind signature that says *body* of *line*."""
    return f'{{"v":1,"kind":"signature","of":"{digest(line)}","signature":"{body}"}}'.encode()


def blob(signature_line: bytes) -> bytes:
    """Return the signature itself."""
    return base64.b64decode(signature_line.split(b'"')[-2])


def unframed(data: bytes) -> bytes:
    """Return the line of kind signature that holds *data* for LINE."""
    return framed(base64.b64encode(data).decode())


def git(repo: Repo) -> Git:
    """Return git in *repo*."""
    return Git(str(repo.path))


def signers(repo: Repo, allowed: bytes, environ: Mapping[str, str] = os.environ, seconds: float = 60) -> Signers:
    """Return those whom *allowed* names."""
    return Signers(allowed, environ, Place.of_folder(git(repo)), seconds)


def stand_in(folder: Path, text: str) -> dict[str, str]:
    """Put a script in the place of ssh-keygen; return an environment that finds it."""
    folder.mkdir(exist_ok=True)
    script = folder / "ssh-keygen"
    script.write_text(text)
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def counting(folder: Path) -> tuple[dict[str, str], Path]:
    """Return an environment in which each run of ssh-keygen leaves a line in the log."""
    log = folder / "log"
    log.touch()
    return stand_in(folder / "bin", f'#!/bin/sh\necho "$2" >> {log}\nexec {KEYGEN} "$@"\n'), log


@pytest.fixture
def agent_of_ssh(tmp_path: Path, keys: Path) -> Iterator[dict[str, str]]:
    """An environment with a real agent that holds the key of kind ed25519, and the locked one."""
    agent, add = shutil.which("ssh-agent"), shutil.which("ssh-add")
    if not (agent and add):
        pytest.skip("there is no ssh-agent here")
    socket = f"/tmp/ampcommit-test-{os.getpid()}-{time.monotonic_ns()}"  # short enough for an address
    process = subprocess.Popen([agent, "-D", "-a", socket], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while not os.path.exists(socket) and time.monotonic() < until:
            time.sleep(0.01)
        asked = stand_in(tmp_path / "ask", "#!/bin/sh\necho a passphrase\n")["PATH"].split(os.pathsep)[0]
        environ = {**os.environ, "SSH_AUTH_SOCK": socket, "DISPLAY": ":0", "SSH_ASKPASS_REQUIRE": "force"}
        environ["SSH_ASKPASS"] = f"{asked}/ssh-keygen"
        for name in ("ed25519", "locked"):
            subprocess.run(
                [add, "-q", str(keys / name)],
                check=True,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
                start_new_session=True,  # an old ssh-add would rather ask the terminal
            )
        yield environ
    finally:
        process.terminate()
        process.wait()
        Path(socket).unlink(missing_ok=True)


# Signing.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", ["", ".pub"])
def test_what_is_signed_is_found_good(repo: Repo, keys: Path, kind: str, suffix: str) -> None:
    """A key of each usual kind signs, named by its private or public file, and ssh-keygen finds it good."""
    repo("config", "user.signingKey", f"{keys / kind}{suffix}")
    made = sign([LINE, ELSE], git(repo), os.environ)
    judge = signers(repo, f"a@x {public(keys, kind)}\n".encode())
    assert [judge.signed_by(line, [*made, LINE, ELSE]) for line in (LINE, ELSE)] == ["a@x", "a@x"]
    assert made[0] == framed(made[0].split(b'"')[-2].decode())


def test_signatures_come_in_the_order_of_the_lines(repo: Repo, keys: Path) -> None:
    """More lines than one ssh-keygen is given are signed in their order; a batch starts one process."""
    repo("config", "user.signingKey", str(keys / "ed25519"))
    environ, log = counting(repo.path.parent)
    lines = [b"%d" % number for number in range(2001)]
    made = sign(lines, git(repo), environ)
    assert [line.split(b'"of":"')[1][:71].decode() for line in made] == [digest(line) for line in lines]
    assert len(log.read_text().splitlines()) == 3
    judge = signers(repo, allow(keys))
    assert judge.signed_by(b"2000", made) == judge.signed_by(b"0", made) == "a@x"


def test_nothing_to_sign_needs_no_key(repo: Repo) -> None:
    """Who shares nothing new is not asked for a key."""
    assert sign([], git(repo), {}) == []


@pytest.mark.parametrize("form", ["key::{}", "{}"])
def test_an_agent_signs_for_a_public_key(
    repo: Repo, keys: Path, agent_of_ssh: dict[str, str], form: str, signed: bytes
) -> None:
    """A public key in the configuration signs through the agent, as it does for git."""
    repo("config", "user.signingKey", form.format(public(keys)))
    assert sign([LINE], git(repo), agent_of_ssh) == [signed]


def test_an_agent_opens_a_locked_key(repo: Repo, keys: Path, agent_of_ssh: dict[str, str]) -> None:
    """A key with a passphrase signs where an agent holds it."""
    repo("config", "user.signingKey", str(keys / "locked"))
    made = sign([LINE], git(repo), agent_of_ssh)
    assert signers(repo, f"b@x {public(keys, 'locked')}".encode()).signed_by(LINE, made) == "b@x"


def test_a_file_of_a_public_key_may_be_all_there_is(
    repo: Repo, keys: Path, agent_of_ssh: dict[str, str], tmp_path: Path, signed: bytes
) -> None:
    """The path of a private key that only the agent has is found by its public file, as ssh-keygen does."""
    shutil.copy(keys / "ed25519.pub", tmp_path / "id.pub")
    repo("config", "user.signingKey", str(tmp_path / "id"))
    assert sign([LINE], git(repo), agent_of_ssh) == [signed]


@pytest.mark.parametrize("name", ["locked", "locked.pub"])
def test_a_locked_key_asks_nobody(repo: Repo, keys: Path, name: str, tmp_path: Path) -> None:
    """A passphrase is never asked for, in no window either: the failure says to use the agent."""
    mark = tmp_path / "asked"
    asked = stand_in(tmp_path / "ask", f"#!/bin/sh\ntouch {mark}\necho a passphrase\n")["PATH"].split(os.pathsep)[0]
    asking = {"DISPLAY": ":0", "SSH_ASKPASS": f"{asked}/ssh-keygen", "SSH_ASKPASS_REQUIRE": "force"}
    repo("config", "user.signingKey", str(keys / name))
    with pytest.raises(SetupError, match=r"does not sign: .*passphrase") as caught:
        sign([LINE], git(repo), os.environ | asking)
    assert "ssh-add" in caught.value.hint
    assert not mark.exists()


def test_a_public_key_without_an_agent_does_not_sign(repo: Repo, keys: Path) -> None:
    """The private half of a literal key is nowhere but in an agent."""
    repo("config", "user.signingKey", f"key::{public(keys)}")
    environ = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
    with pytest.raises(SetupError, match="does not sign") as caught:
        sign([LINE], git(repo), environ)
    assert "ssh-add" in caught.value.hint


def test_a_home_and_the_top_are_found(repo: Repo, keys: Path, sealed: Path, signed: bytes) -> None:
    """A path begins at the home folder with a tilde, else at the top of the work tree, as for git."""
    for where in (sealed, repo.path):
        shutil.copy(keys / "ed25519", where / "id")
    (repo.path / "below").mkdir()
    for value in ("~/id", "id"):
        repo("config", "user.signingKey", value)
        assert sign([LINE], Git(str(repo.path / "below")), os.environ) == [signed]


def test_without_a_key_nothing_is_signed(repo: Repo, tmp_path: Path) -> None:
    """No key is guessed, and no command of the configuration is run to find or use one."""
    mark = tmp_path / "run"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {mark}\n")
    evil.chmod(0o755)
    repo("config", "gpg.ssh.defaultKeyCommand", str(evil))
    repo("config", "gpg.ssh.program", str(evil))
    repo("config", "gpg.format", "ssh")
    with pytest.raises(SetupError, match="no key to sign with") as caught:
        sign([LINE], git(repo), os.environ)
    assert "user.signingKey" in caught.value.hint
    assert not mark.exists()


def test_the_program_of_the_configuration_is_not_run(repo: Repo, keys: Path, tmp_path: Path, signed: bytes) -> None:
    """S11: `gpg.ssh.program` could come with a repository; ssh-keygen signs."""
    repo("config", "gpg.ssh.program", str(tmp_path / "not-there"))
    repo("config", "user.signingKey", str(keys / "ed25519"))
    assert sign([LINE], git(repo), os.environ) == [signed]


@pytest.mark.parametrize("value", ["0123456789ABCDEF", "/not/there", "a\x1b[31mb"])
def test_a_key_of_another_kind_is_named(repo: Repo, value: str) -> None:
    """The id of a gpg key, or a path that leads nowhere, is a failure that says so, harmless on a terminal."""
    repo("config", "user.signingKey", value)
    with pytest.raises(SetupError, match=r"user\.signingKey is not an ssh key") as caught:
        sign([LINE], git(repo), os.environ)
    assert "\x1b" not in str(caught.value)


def test_a_file_that_is_no_key(repo: Repo, tmp_path: Path) -> None:
    """What ssh-keygen says of a bad key is told."""
    (tmp_path / "id").write_text("no key\n")
    repo("config", "user.signingKey", str(tmp_path / "id"))
    with pytest.raises(SetupError, match=r"does not sign: .") as caught:
        sign([LINE], git(repo), os.environ)
    assert "by hand" in caught.value.hint


# Which key that is.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["{}", "{}.pub", "key::", "plain"])
def test_the_key_that_signs_is_known(repo: Repo, keys: Path, kind: str, form: str) -> None:
    """However the configuration names the key, it is the one that signatures have in them; nothing is run for that."""
    named = {"key::": f"key::{public(keys, kind)} a comment", "plain": public(keys, "ed25519")}
    repo("config", "user.signingKey", named.get(form, form).format(keys / kind))
    expected = public(keys, "ed25519" if form == "plain" else kind).split()[1]

    assert own_key(git(repo), {"PATH": "/nowhere"}) == base64.b64decode(expected)


def test_without_a_public_file_a_signature_tells_the_key(repo: Repo, keys: Path, tmp_path: Path, signed: bytes) -> None:
    """A private key alone, whose public half nobody wrote down, is known by what it signs."""
    shutil.copy(keys / "ed25519", tmp_path / "id")
    repo("config", "user.signingKey", str(tmp_path / "id"))

    assert own_key(git(repo), os.environ) == key_in(signed.split(b'"')[-2]) == base64.b64decode(public(keys).split()[1])


def test_a_key_that_is_linked_to_is_read(repo: Repo, keys: Path, tmp_path: Path) -> None:
    """The file of a key may be a link, as where dotfiles are kept elsewhere."""
    (tmp_path / "id.pub").symlink_to(keys / "ed25519.pub")
    repo("config", "user.signingKey", str(tmp_path / "id"))

    assert own_key(git(repo), {"PATH": "/nowhere"}) == base64.b64decode(public(keys).split()[1])


# The program.


@pytest.mark.parametrize("below", [".", "tools/bin", ".git", "other"])
def test_no_program_of_the_repository_is_run(repo: Repo, keys: Path, below: str, tmp_path: Path) -> None:
    """S11: an ssh-keygen in the repository is passed over, whatever PATH says and in whichever work tree it lies."""
    repo("config", "user.signingKey", str(keys / "ed25519"))
    repo.commit("-m", "one")
    linked = tmp_path / "linked"
    repo("worktree", "add", "-q", str(linked))
    other = tmp_path / "other"
    repo("worktree", "add", "-q", str(other))
    folder = (other if below == "other" else repo.path) / below
    folder.mkdir(parents=True, exist_ok=True)
    environ = stand_in(folder, f"#!/bin/sh\ntouch {tmp_path / 'run'}\n")
    (tmp_path / "link").symlink_to(folder)
    environ["PATH"] = f"{tmp_path / 'link'}{os.pathsep}{environ['PATH']}"
    for where in (repo.path, linked):
        made = sign([LINE], Git(str(where)), environ)
        judge = Signers(allow(keys), environ, Place.of_folder(Git(str(where))))
        assert judge.signed_by(LINE, made) == "a@x"
    assert not (tmp_path / "run").exists()


def test_a_relative_path_is_not_searched(repo: Repo, keys: Path, tmp_path: Path) -> None:
    """A folder of PATH that depends on where one stands is passed over; nothing else there is an explained failure."""
    repo("config", "user.signingKey", str(keys / "ed25519"))
    (tmp_path / "ssh-keygen").write_text("not executable")
    environ = {**os.environ, "PATH": os.pathsep.join(("", ".", "bin", str(tmp_path), str(tmp_path / "not-there")))}
    for ask in (lambda: sign([LINE], git(repo), environ), lambda: signers(repo, b"", environ)):
        with pytest.raises(SetupError, match="no ssh-keygen on PATH outside the repository") as caught:
            ask()
        assert "OpenSSH 8.2" in caught.value.hint


def test_what_cannot_be_started_is_explained(repo: Repo, keys: Path, tmp_path: Path) -> None:
    """A file that the system cannot run is no crash."""
    repo("config", "user.signingKey", str(keys / "ed25519"))
    environ = stand_in(tmp_path / "bin", "#!/not/there\n")
    with pytest.raises(SetupError, match="cannot be started"):
        sign([LINE], git(repo), environ)


@pytest.mark.parametrize(
    "said", ["unknown option -- Y\nusage: ssh-keygen [-q]", 'Unsupported operation for -Y: "find-principals"']
)
def test_an_old_program_is_named(repo: Repo, keys: Path, tmp_path: Path, said: str, signed: bytes) -> None:
    """An ssh-keygen before signatures, or before `find-principals`, is a matter of the machine, not of the record."""
    repo("config", "user.signingKey", str(keys / "ed25519"))
    environ = stand_in(tmp_path / "bin", f"#!/bin/sh\ncat >&2 <<'E'\n{said}\nE\nexit 1\n")
    for ask in (
        lambda: sign([LINE], git(repo), environ),
        lambda: signers(repo, allow(keys), environ).signed_by(LINE, [signed]),
    ):
        with pytest.raises(SetupError, match="too old") as caught:
            ask()
        assert "OpenSSH 8.2" in caught.value.hint


@pytest.mark.parametrize(
    "written", ["", "echo garbage > 0.sig", "head -c 1000000 /dev/zero > 0.sig", "ln -s /etc/passwd 0.sig"]
)
def test_a_program_that_signs_nothing(repo: Repo, keys: Path, tmp_path: Path, written: str) -> None:
    """What ssh-keygen writes is looked at: without a signature there is no signature line."""
    repo("config", "user.signingKey", str(keys / "ed25519"))
    with pytest.raises(SetupError, match="did not write a signature"):
        sign([LINE], git(repo), stand_in(tmp_path / "bin", f"#!/bin/sh\n{written}\n"))


def test_a_silent_refusal(repo: Repo, keys: Path, tmp_path: Path) -> None:
    """A program that fails without a word is a failure with one."""
    repo("config", "user.signingKey", str(keys / "ed25519"))
    with pytest.raises(SetupError, match="does not say why"):
        sign([LINE], git(repo), stand_in(tmp_path / "bin", "#!/bin/sh\nexit 1\n"))


def test_nobody_waits_for_ever(repo: Repo, keys: Path, tmp_path: Path, signed: bytes) -> None:
    """A program that hangs is ended in bounded time, with its children, when signing and when checking."""
    repo("config", "user.signingKey", str(keys / "ed25519"))
    environ = stand_in(tmp_path / "bin", f"#!/bin/sh\nsleep 300 &\necho $! >> {tmp_path / 'pids'}\nwait\n")
    for ask in (
        lambda: sign([LINE], git(repo), environ, seconds=1),
        lambda: signers(repo, allow(keys), environ, seconds=1).signed_by(LINE, [signed]),
    ):
        with pytest.raises(SetupError, match="did not answer in 1 seconds"):
            ask()
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    until = time.monotonic() + 30
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.01)
    assert len(pids) == 2
    assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    """Say whether a process runs; one that nobody has reaped does not."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.strip().startswith("Z")


def test_one_that_ends_as_its_time_is_up(
    repo: Repo, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system says that there is nobody to end any more, that is no failure of ours."""
    repo("config", "user.signingKey", str(keys / "ed25519"))
    environ = stand_in(tmp_path / "bin", "#!/bin/sh\nexec sleep 1\n")

    def gone(pid: int, number: int) -> None:
        raise PermissionError(1, f"Operation not permitted: {pid}, {number}")

    with monkeypatch.context() as patch:
        patch.setattr("os.killpg", gone)
        with pytest.raises(SetupError, match="did not answer"):
            sign([LINE], git(repo), environ, seconds=0.2)


# Checking.


def test_what_has_no_signature_is_unsigned(judge: Signers, signed: bytes) -> None:
    """No line, lines of other kinds and the signatures of other lines leave a line unsigned."""
    notes = [LINE, ELSE, b"", b"\xff\0", b"{}", signed[:-1], signed[1:], signed.replace(b":1,", b":2,"), b"[" * 100000]
    assert judge.signed_by(LINE, []) is None
    assert judge.signed_by(LINE, notes) is None
    assert judge.signed_by(ELSE, [signed]) is None
    assert judge.signed_by(LINE + b"\n", [signed]) is None
    assert judge.signed_by(LINE, [*notes, signed]) == "a@x"


def test_a_signature_of_another_line_is_bad(judge: Signers, keys: Path, tmp_path: Path) -> None:
    """A good signature that was copied from another line is none of this one."""
    copied = by_hand(keys / "ed25519", ELSE, tmp_path, of=LINE)
    with pytest.raises(BadSignature, match="not valid for it"):
        judge.signed_by(LINE, [copied])


@pytest.mark.parametrize("namespace", ["git", "file", "ampcommit2", "AMPCOMMIT"])
def test_another_namespace_is_bad(judge: Signers, keys: Path, tmp_path: Path, namespace: str) -> None:
    """What was signed as a commit, a file or anything else is not signed as a record."""
    with pytest.raises(BadSignature, match="not one for a record"):
        judge.signed_by(LINE, [by_hand(keys / "ed25519", LINE, tmp_path, namespace=namespace)])


def test_a_stranger_is_bad(judge: Signers, keys: Path, tmp_path: Path, signed: bytes) -> None:
    """The key of somebody who is not in the file signs nothing; beside a good signature it does no harm."""
    strange = by_hand(keys / "stranger", LINE, tmp_path)
    with pytest.raises(BadSignature, match="not among the allowed signers") as caught:
        judge.signed_by(LINE, [strange])
    assert caught.value.hint
    assert isinstance(caught.value, AmpcommitError)
    assert judge.signed_by(LINE, [strange, signed, framed("garbage")]) == "a@x"


def test_the_shorter_digest_is_good(judge: Signers, keys: Path, tmp_path: Path) -> None:
    """Both digests that ssh signatures know are good, where ssh-keygen can be told to use the other."""
    try:
        made = by_hand(keys / "ed25519", LINE, tmp_path, "-O", "hashalg=sha256")
    except subprocess.CalledProcessError:
        pytest.skip("this ssh-keygen cannot be told a digest")
    assert judge.signed_by(LINE, [made]) == "a@x"


@pytest.mark.parametrize(
    ("lines", "principal"),
    [
        (('a@x namespaces="ampcommit" KEY',), "a@x"),
        (('a@x namespaces="git,amp*" KEY',), "a@x"),
        (('a@x namespaces="git" KEY',), None),
        (('a@x namespaces="git" KEY', 'b@x namespaces="ampcommit" KEY'), "b@x"),
        (('a@x valid-after="20200101" KEY',), "a@x"),
        (('a@x valid-before="20200101" KEY',), None),
        (('a@x valid-after="20990101" KEY',), None),
        (('a@x valid-before="20200101" KEY', "b@x KEY"), "b@x"),
        (("a@x,b@x KEY of a person",), "a@x"),
        (("*@x KEY",), "*@x"),
        (("# a comment", "", "nonsense", "a@x unknown-option KEY", "c@x KEY"), "c@x"),
        (("a@x cert-authority KEY",), None),
        (("#a@x KEY",), None),
        (("KEY",), None),
    ],
)
def test_the_file_is_read_as_ssh_keygen_reads_it(
    repo: Repo, keys: Path, lines: tuple[str, ...], principal: str | None, signed: bytes
) -> None:
    """Namespaces, times and authorities of the file hold; a line that allows less does not hide one that allows it."""
    judge = signers(repo, allow(keys, *lines))
    if principal:
        assert judge.signed_by(LINE, [signed]) == principal
    else:
        with pytest.raises(BadSignature):
            judge.signed_by(LINE, [signed])


@pytest.mark.parametrize(
    ("allowed", "validity", "good"),
    [
        ("*@x cert-authority CA", "+1d", True),
        ("*@x CERT-AUTHORITY CA", "+1d", True),
        ("*@y cert-authority CA", "+1d", False),
        ("*@x cert-authority KEY", "+1d", False),
        ("*@x CA", "+1d", False),
        ("a@x KEY", "+1d", False),
        ("*@x cert-authority CA", "-2d:-1d", False),
    ],
)
def test_an_authority_vouches_for_keys(  # noqa: PLR0917  # a table
    repo: Repo, keys: Path, tmp_path: Path, allowed: str, validity: str, good: bool
) -> None:
    """One line for an authority stands for everybody to whom it gave a certificate that holds now."""
    for name in ("ed25519", "ed25519.pub"):
        shutil.copy(keys / name, tmp_path)
    keygen("-s", keys / "ecdsa", "-I", "id", "-n", "a@x,a@z", "-V", validity, tmp_path / "ed25519.pub")
    (tmp_path / "ed25519-cert.pub").rename(tmp_path / "ed25519.pub")
    made = by_hand(tmp_path / "ed25519.pub", LINE, tmp_path)
    judge = signers(repo, allow(keys, allowed.replace(" CA", f" {public(keys, 'ecdsa')}")))
    if good:
        assert judge.signed_by(LINE, [made]) == "a@x"
    else:
        with pytest.raises(BadSignature):
            judge.signed_by(LINE, [made])


def test_each_signature_is_asked_about_once(repo: Repo, keys: Path, signed: bytes, tmp_path: Path) -> None:
    """A question that was asked is not asked again, and the owner of a key is looked up once for all lines."""
    repo("config", "user.signingKey", str(keys / "ed25519"))
    more = sign([ELSE], git(repo), os.environ)
    environ, log = counting(tmp_path)
    judge = signers(repo, allow(keys), environ)
    for _ in range(3):
        assert judge.signed_by(LINE, [signed, *more]) == judge.signed_by(ELSE, [signed, *more]) == "a@x"
    assert judge.signed_by(LINE, more) is None
    assert log.read_text().split() == ["find-principals", "verify", "verify"]


def test_ten_thousand_signatures_of_one_line(repo: Repo, keys: Path, tmp_path: Path, signed: bytes) -> None:
    """Junk by strangers costs no process and hides nothing; junk under an allowed key costs a bounded number."""
    environ, log = counting(tmp_path)
    judge = signers(repo, allow(keys), environ)
    data, strange = blob(signed), blob(by_hand(keys / "stranger", LINE, tmp_path))
    junk = [unframed(strange[:-4] + number.to_bytes(4, "big")) for number in range(10000)]
    with pytest.raises(BadSignature, match="allowed signers"):
        judge.signed_by(LINE, junk)
    assert log.read_text() == ""
    assert judge.signed_by(LINE, [*junk, signed]) == "a@x"
    forged = [unframed(data[:-4] + number.to_bytes(4, "big")) for number in range(10000)]
    log.write_text("")
    with pytest.raises(BadSignature, match="not valid"):
        judge.signed_by(LINE, forged)
    assert len(log.read_text().split()) == SIGNATURES_TRIED


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 1000, b"a@x ssh-ed25519 AAAA\n" * 100])
def test_a_file_that_allows_nobody(repo: Repo, data: bytes, signed: bytes) -> None:
    """Whatever the file holds, who is not in it is not allowed."""
    with pytest.raises(BadSignature):
        signers(repo, data).signed_by(LINE, [signed])


def test_bytes_around_an_allowed_key(repo: Repo, keys: Path, signed: bytes) -> None:
    """Names in the file that are no text, or no name, neither allow anybody nor end the run; odd ones are told."""
    key = public(keys).encode()
    odd = [b"\xff\xfe@x", b"-I", b"\x1b[31m", b"a\0b", b"!a@x", b'"', b"n" * 5000]
    for name in odd:
        try:
            found = signers(repo, name + b" " + key + b"\r\n").signed_by(LINE, [signed])
        except BadSignature:
            continue
        assert isinstance(found, str)
    assert signers(repo, b"\xff@x " + key).signed_by(LINE, [signed]) == "\\xff@x"


def test_a_file_that_is_too_long(repo: Repo) -> None:
    """A file of allowed signers has a bounded size."""
    signers(repo, b"#" * ALLOWED_LIMIT)
    with pytest.raises(SetupError, match="more than 1024 KiB"):
        signers(repo, b"#" * (ALLOWED_LIMIT + 1))


# Tampering.


def test_forms_that_ssh_keygen_would_take_are_refused(judge: Signers, signed: bytes) -> None:
    """A signature has one form: an older version, words in the reserved field, and other padding are refused."""
    data, body = blob(signed), signed.split(b'"')[-2].decode()
    mark = b"\0\0\0\x09ampcommit\0\0\0\0"
    assert data.count(mark) == 1
    forms = [
        unframed(b"SSHSIG\0\0\0\0" + data[10:]),
        unframed(data.replace(mark, mark[:-4] + b"\0\0\0\1x")),
        unframed(data.replace(b"sha512", b"sha513")),
        unframed(data + b"\0"),
        unframed(data + b"\0\0\0\0"),
        *(unframed(data[:size]) for size in range(len(data))),
        framed(body + "="),
        framed(body.rstrip("=")),
        framed(body[:76] + "\\n" + body[76:]),
        framed(" " + body),
        framed("\u00e9" + body),
        framed("A" * 100000),
        framed(""),
    ]
    for form in forms:
        with pytest.raises(BadSignature):
            judge.signed_by(LINE, [form])


def changed(data: bytes, at: int, by: int) -> bytes:
    """Return *data* with one byte changed."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ by]) + data[at + 1 :]


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 10000), by=st.integers(1, 255))
def test_any_changed_byte_of_the_line(judge: Signers, signed: bytes, at: int, by: int) -> None:
    """A line in which any byte is changed has no signature, and moving the old one to it makes a bad one."""
    line = changed(LINE, at, by)
    assert judge.signed_by(line, [signed]) is None
    with pytest.raises(BadSignature):
        judge.signed_by(line, [signed.replace(digest(LINE).encode(), digest(line).encode())])


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, 10000), by=st.integers(1, 255))
def test_any_changed_byte_of_the_signature_line(judge: Signers, signed: bytes, at: int, by: int) -> None:
    """A signature line in which any byte is changed signs nothing."""
    try:
        assert judge.signed_by(LINE, [changed(signed, at, by)]) is None
    except BadSignature:
        pass  # as good an answer


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, 10000), by=st.integers(1, 255))
@example(at=9, by=1)
def test_any_changed_byte_of_the_signature(judge: Signers, signed: bytes, at: int, by: int) -> None:
    """A signature in which any byte is changed, well encoded, is bad."""
    with pytest.raises(BadSignature):
        judge.signed_by(LINE, [unframed(changed(blob(signed), at, by))])


@settings(max_examples=100, deadline=None)
@given(junk=st.lists(st.binary(max_size=200)), bodies=st.lists(st.binary(max_size=200)))
def test_garbage_is_no_signature(judge: Signers, signed: bytes, junk: list[bytes], bodies: list[bytes]) -> None:
    """Whatever else stands in a note, a good signature is found, and nothing else is taken for one."""
    notes = [*junk, *map(unframed, bodies), *(signed.replace(blob(signed)[:8], body) for body in bodies)]
    assert judge.signed_by(LINE, [*notes, signed]) == "a@x"
    try:
        assert judge.signed_by(LINE, [line for line in notes if line != signed]) is None
    except BadSignature:
        assert bodies
