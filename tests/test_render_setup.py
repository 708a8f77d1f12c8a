"""What the user sees of a setup: each hook with what to do, and the policy with where it comes from."""

import os
from pathlib import Path

import pytest

from ampcommit import shim
from ampcommit.amp import ampcli
from ampcommit.render import setup as render_setup
from ampcommit.verbs.at_work import use
from ampcommit.verbs.doctor import doctor
from ampcommit.verbs.install import install, package, status, uninstall
from tests.conftest import PARENT, Repo, url
from tests.test_render_paper import HOSTILE, Capture, data, seen

LINK = f"Amp-Thread-ID: {url(PARENT)}"


def test_install_ends_with_the_policy_in_force(repo: Repo, capsys: Capture) -> None:
    """Who installed sees what is demanded now, who said so, and how a mixed team begins."""
    render_setup.setup(install(str(repo.path)), as_json=False, verb="install")
    out = seen(capsys)

    assert out[:4] == [f"{hook:<12} installed" for hook in shim.HOOKS]
    assert "  mode       require          from default" in out
    assert "  host       (none)           from default" in out
    assert "  exempt     merge fixup      from default" in out
    assert any("git config ampcommit.authors agent" in line for line in out)


def test_a_mixed_team_is_not_told_twice(repo: Repo, capsys: Capture) -> None:
    """Once the policy says so, the hint is gone."""
    repo("config", "ampcommit.authors", "agent")
    render_setup.setup(status(str(repo.path)), as_json=False, verb="status")
    out = seen(capsys)

    assert "  authors    agent            from git config" in out
    assert not any("Not everybody" in line for line in out)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("", "not installed: run `ampcommit install`"),
        ("#!/bin/sh\n", "somebody else's hook; `ampcommit install` keeps it running"),
        ("#!/bin/sh\nampcommit hook commit-msg\n", "calls ampcommit, put there by hand"),
        (shim.fast("commit-msg", "/bin/sh", package()), "of another version or place: run `ampcommit install` again"),
        (shim.fast("commit-msg", "/nonexistent", package()), "cannot run: run `ampcommit install` again"),
    ],
)
def test_every_state_says_what_to_do(repo: Repo, capsys: Capture, script: str, says: str) -> None:
    """A hook that does not work comes with the way out."""
    if script:
        path = repo.path / ".git" / "hooks" / "commit-msg"
        path.write_text(script)
        path.chmod(0o755)
    render_setup.setup(status(str(repo.path)), as_json=False, verb="status")

    assert seen(capsys)[0] == f"commit-msg   {says}"


def test_an_earlier_hook_is_named(repo: Repo, capsys: Capture) -> None:
    """A person sees whose hook runs before ours."""
    earlier = repo.path / ".git" / "hooks" / "commit-msg"
    earlier.write_text("# https://pre-commit.com\n")
    earlier.chmod(0o755)
    render_setup.setup(install(str(repo.path)), as_json=False, verb="install")

    assert seen(capsys)[0] == "commit-msg   installed; pre-commit runs before it"


def test_a_hooks_folder_of_others_is_named(installed: Repo, capsys: Capture) -> None:
    """Who sees `absent` also sees where git looks."""
    installed("config", "core.hooksPath", "shared")
    render_setup.setup(status(str(installed.path)), as_json=False, verb="status")

    assert seen(capsys)[0].startswith(f"hooks        {installed.path}/shared  (core.hooksPath; ")


def test_a_hook_that_install_would_not_touch_is_not_promised_to_be_kept(repo: Repo, capsys: Capture) -> None:
    """In a folder of others a foreign hook is named, and nothing is said of what `install` would do with it."""
    (repo.path / "shared").mkdir()
    (repo.path / "shared" / "commit-msg").write_text("#!/bin/sh\n")
    repo("config", "core.hooksPath", "shared")
    render_setup.setup(status(str(repo.path)), as_json=False, verb="status")

    assert seen(capsys)[1] == "commit-msg   somebody else's hook"


def test_a_hook_that_install_would_refuse_is_told_so(installed: Repo, capsys: Capture) -> None:
    """Where two hooks of others are there, install keeps neither: who looks is sent to doctor."""
    hooks = installed.path / ".git" / "hooks"
    (hooks / f"post-commit{shim.EARLIER}").write_text("#!/bin/sh\n: one\n")
    (hooks / "post-commit").write_text("#!/bin/sh\n: another\n")
    render_setup.setup(status(str(installed.path)), as_json=False, verb="status")

    assert "doctor" in seen(capsys)[1]


def test_uninstall_says_what_stays(installed: Repo, capsys: Capture) -> None:
    """The ledger is not removed with the hooks."""
    render_setup.setup(uninstall(str(installed.path)), as_json=False, verb="uninstall")
    out = seen(capsys)

    assert out[:4] == [f"{hook:<12} not installed" for hook in shim.HOOKS]
    assert out[4].endswith("ledger.jsonl")
    assert "(kept;" in out[5]
    assert len(out) == 6


def test_problems_of_the_policy_are_shown_harmless(repo: Repo, capsys: Capture) -> None:
    """What a cloned policy file says is text, not colour (S01)."""
    (repo.path / ".ampcommit").write_text(f'[ampcommit "{HOSTILE}"]\n\tx = y\n[ampcommit]\n\tamp = x\n\tmode = [red]\n')
    render_setup.setup(status(str(repo.path)), as_json=False, verb="status")

    assert len([line for line in seen(capsys) if line.startswith("warning: ")]) == 3


def test_a_thread_set_by_hand_is_shown(repo: Repo, capsys: Capture) -> None:
    """Nobody forgets a word that goes into every message."""
    use(PARENT, os.environ, str(repo.path))
    render_setup.setup(status(str(repo.path)), as_json=False, verb="status")

    assert f"thread       {PARENT} (set by hand" in "\n".join(seen(capsys))


@pytest.mark.parametrize(("resolve", "lines"), [("background", 3), ("never", 1)])
def test_who_will_be_asked_is_said(repo: Repo, tmp_path: Path, capsys: Capture, resolve: str, lines: int) -> None:
    """Nobody is surprised that Amp is asked behind a commit's back, and everybody sees how to end that."""
    (tmp_path / "amp").write_text("#!/bin/sh\n")
    found = install(str(repo.path))
    repo("config", "ampcommit.resolve", resolve)
    ampcli.record(found.place, str(tmp_path / "amp"))
    render_setup.setup(status(str(repo.path)), as_json=False, verb="status")
    out = seen(capsys)

    at = out.index(f"amp          {tmp_path / 'amp'}")
    assert out[at + lines] == "policy"
    assert ("git config ampcommit.resolve never" in "".join(out)) == (resolve == "background")


def test_a_hostile_path_is_shown_harmless(tmp_path: Path, capsys: Capture) -> None:
    """A folder can have any name (S07)."""
    path = tmp_path / "\x1b[2J [red]x[-]"
    path.mkdir()
    Repo(path)("init", "-q")
    render_setup.setup(install(str(path)), as_json=False, verb="install")

    assert "\\x1b[2J [red]x[-]/.git/ampcommit/ledger.jsonl" in seen(capsys)[len(shim.HOOKS)]


def test_long_paths_are_not_wrapped(tmp_path: Path, capsys: Capture) -> None:
    """What is printed can be copied."""
    path = tmp_path / ("a" * 150)
    path.mkdir()
    Repo(path)("init", "-q")
    render_setup.setup(install(str(path)), as_json=False, verb="install")

    assert seen(capsys)[len(shim.HOOKS)] == f"ledger       {path}/.git/ampcommit/ledger.jsonl"


@pytest.mark.parametrize("verb", ["install", "uninstall", "status"])
def test_the_json_of_a_setup(installed: Repo, capsys: Capture, verb: str) -> None:
    """Machines get every fact under its own name."""
    render_setup.setup(status(str(installed.path)), as_json=True, verb=verb)
    found = data(capsys)

    names = "schema top folder hooks works share python package amp resolve use ledger policy problems warnings"
    assert (names.split(), found["schema"]) == (list(found), "ampcommit.status/1")
    assert [list(hook) for hook in found["hooks"]] == [["hook", "path", "state", "earlier"]] * len(shim.HOOKS)
    assert (found["works"], found["top"]) == (True, str(installed.path))
    assert found["policy"]["mode"] == {"value": "require", "from": "default"}
    assert found["policy"]["exempt"] == {"value": ["merge", "fixup"], "from": "default"}


def test_who_shares_sees_how(repo: Repo, capsys: Capture) -> None:
    """With sharing set up a line says what a push does, and one whose records come; without it, nothing is said."""
    render_setup.setup(install(str(repo.path), sharing=True), as_json=False, verb="install")
    out = seen(capsys)
    assert out[4] == "pre-push     installed"
    assert out[5].startswith("shared       nothing comes with `git fetch`; ")

    repo("remote", "add", "origin", "/nowhere")
    found = install(str(repo.path), sharing=True)
    render_setup.setup(found, as_json=False, verb="install")
    assert seen(capsys)[5] == "shared       the records of origin come with `git fetch`"
    render_setup.setup(found, as_json=True, verb="install")
    path = f"{repo.path}/.git/hooks/pre-push"
    assert data(capsys)["share"] == {"path": path, "state": "installed", "earlier": None, "fetched": ["origin"]}
    (repo.path / ".git" / "hooks" / "pre-push").unlink()
    render_setup.setup(status(str(repo.path)), as_json=False, verb="status")
    assert seen(capsys)[4] == "pre-push     not installed: run `ampcommit install --share`"
    render_setup.setup(uninstall(str(repo.path)), as_json=False, verb="uninstall")
    assert "pre-push" not in "".join(seen(capsys))


def test_a_push_hook_put_there_by_hand_stays_after_uninstall(repo: Repo, capsys: Capture) -> None:
    """What is not ours to take out is still named."""
    put(repo, "pre-push", '#!/bin/sh\nampcommit hook pre-push "$@"\n')
    render_setup.setup(uninstall(str(repo.path)), as_json=False, verb="uninstall")
    out = seen(capsys)

    assert (out[4], out[5][:7]) == ("pre-push     calls ampcommit, put there by hand", "ledger ")


# What `doctor` found.


def put(repo: Repo, name: str, text: str) -> None:
    """Write a hook."""
    path = repo.path / ".git" / "hooks" / name
    path.write_text(text)
    path.chmod(0o755)


def test_a_proof_is_a_line_for_each_hook(installed: Repo, capsys: Capture) -> None:
    """Who asks whether it is alive gets an answer for each hook, and one for all."""
    render_setup.examined(doctor(os.environ, str(installed.path)), as_json=False)

    assert seen(capsys) == [
        "commit-msg   ran",
        "post-commit  ran",
        "post-merge   ran",
        "post-rewrite ran",
        "nothing needs mending",
    ]


def test_what_is_off_comes_with_what_to_do(installed: Repo, capsys: Capture) -> None:
    """Two lines for each finding, the gravest first; what a foreign hook says is harmless (S01)."""
    put(installed, "commit-msg.before-ampcommit", f"#!/bin/sh\necho '{HOSTILE}' >&2\nexit 1\n")
    (installed.path / ".git" / "hooks" / "post-merge").unlink()
    installed("config", "ampcommit.mode", "off")
    render_setup.examined(doctor(os.environ, str(installed.path)), as_json=False)
    out = seen(capsys)

    assert out[:4] == ["commit-msg   not proved", "post-commit  ran", "post-merge   did not run", "post-rewrite ran"]
    assert [line.partition(":")[0] for line in out[4:]] == ["error", " hint", "warning", " hint", "note", " hint"]
    assert r"\x1b[2J\x1b]0;owned\x07 [red]x[/] \u202e" in out[6]


def test_warnings_alone_need_no_mending(installed: Repo, capsys: Capture) -> None:
    """The last line says what the exit status says."""
    installed("config", "ampcommit.hots", "x")
    render_setup.examined(doctor(os.environ, str(installed.path)), as_json=False)

    assert [line.partition(" ")[0] for line in seen(capsys)[4:]] == ["warning:", "", "nothing"]


def test_what_was_not_proved_is_not_called_well(installed: Repo, capsys: Capture) -> None:
    """An earlier hook that refuses the trial leaves a question open, and the last line says so."""
    earlier = installed.path / ".git" / "hooks" / f"commit-msg{shim.EARLIER}"
    earlier.write_text("#!/bin/sh\nexit 1\n")
    earlier.chmod(0o755)
    render_setup.examined(doctor(os.environ, str(installed.path)), as_json=False)

    assert seen(capsys)[-1] == "nothing is known to need mending"


def test_the_json_of_an_examination(installed: Repo, capsys: Capture) -> None:
    """Machines get each hook and each finding with all of its fields."""
    (installed.path / ".git" / "hooks" / "post-merge").unlink()
    render_setup.examined(doctor(os.environ, str(installed.path)), as_json=True)
    found = data(capsys)

    assert list(found) == ["schema", "top", "folder", "hooks", "findings", "needs_mending"]
    assert (found["schema"], found["top"], found["needs_mending"]) == (
        "ampcommit.doctor/1",
        str(installed.path),
        True,
    )
    path = str(installed.path / ".git" / "hooks" / "post-merge")
    absent = {"hook": "post-merge", "path": path, "state": "absent", "started": False, "ran": False}
    assert found["hooks"][2] == absent
    assert found["hooks"][3] == absent | {
        "hook": "post-rewrite",
        "path": path.replace("merge", "rewrite"),
        "state": "installed",
        "started": True,
        "ran": True,
    }
    assert [list(finding) for finding in found["findings"]] == [["code", "level", "message", "hint"]]
