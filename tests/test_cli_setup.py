"""The commands about the setup of a clone, as they are typed."""

from tests.conftest import Repo, Run


def test_install_and_doctor_agree(run: Run, repo: Repo) -> None:
    """What `install` has put there is alive; taken out again it is not, and that is an exit status."""
    assert run("doctor").status == 1
    assert run("install").status == 0
    alive = run("doctor", "--json")
    assert (alive.status, alive.data["needs_mending"]) == (0, False)
    assert {hook["hook"]: hook["ran"] for hook in alive.data["hooks"]} == dict.fromkeys(
        ("commit-msg", "post-commit", "post-merge", "post-rewrite"), True
    )

    (repo.path / ".git" / "hooks" / "post-rewrite").chmod(0o644)
    assert (run("status").status, run("doctor").status) == (0, 1)


def test_the_lines_for_hooks_of_ones_own_are_printed(run: Run, repo: Repo) -> None:
    """`install --print` writes nothing."""
    done = run("install", "--print")

    assert (done.status, done.err) == (0, "")
    assert done.out.count("ampcommit hook post-rewrite") == 1
    assert list(run("install", "--print", "--json").data["hooks"]) == [
        "commit-msg",
        "post-commit",
        "post-merge",
        "post-rewrite",
    ]
    assert not (repo.path / ".git" / "hooks" / "post-rewrite").exists()


def test_a_hook_that_ran_before_is_named(run: Run, repo: Repo) -> None:
    """Whoever has hooks of their own sees that they are kept."""
    hook = repo.path / ".git" / "hooks" / "commit-msg"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)

    assert "runs before it" in run("install").out


def test_sharing_is_an_option_of_install(run: Run, repo: Repo) -> None:
    """`install --share` puts in one hook more, and says so; `uninstall` takes it out."""
    repo("remote", "add", "origin", "/nowhere")
    assert "pre-push" not in run("install").out
    assert "\npre-push     installed\n" in run("install", "--share").out
    assert run("install", "--json").data["share"]["state"] == "installed"
    assert run("status", "--json").data["share"]["fetched"] == ["origin"]

    assert "pre-push" not in run("uninstall").out
    assert run("status", "--json").data["share"]["fetched"] == []
