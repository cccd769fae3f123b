"""The README's git hooks, in real repositories: what stops a push, and what does not."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from tests.support import readme
from tests.support.command import ACCOUNT, BUILD, SERVICE
from tests.support.readme import ROOT
from tests.support.repository import Repository, copy_committed
from tests.support.run import run, run_words
from tests.support.terminal import Terminal
from tests.support.twilio import Answer, Twilio, build_body, held, page

HOOK, TRIAL = (block for block in readme.blocks("sh") if block.heading == "Git hooks")
FAIL_SAFE = HOOK.file
# As the README's sentence has it: without ` | 8` and the line `3 | 4 | 5)`.
STRICT = re.sub(r"(?m)^ *3 \| 4 \| 5\).*\n", "", FAIL_SAFE.replace(" | 8", ""))
NAMED = "my-service"
NOT_FOUND = "127: twbuild was not found"
STOPPED = "stopped by twbuild (exit code {})\nTo push anyway: git push --no-verify\n"
FOR_PRE_COMMIT = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
OTHER_SERVICE = "ZS" + "9f" * 16


@pytest.fixture
def repository(twilio: Twilio, tmp_path: Path) -> Repository:
    return Repository(tmp_path / "project", twilio.environ)


def newest(twilio: Twilio, answer: Answer, service: str = SERVICE) -> None:
    """What the service's newest build is."""
    twilio.lists(page(build_body(status="building")), service=service)
    twilio.says(answer, service=service)


def test_the_readme_names_the_service_and_how_strict_differs() -> None:
    assert f"twbuild status {NAMED};" in FAIL_SAFE
    assert "leave out ` | 8` and the line `3 | 4 | 5)`" in readme.prose()
    assert len(STRICT.splitlines()) == len(FAIL_SAFE.splitlines()) - 1


@pytest.mark.parametrize(
    ("hook", "answer", "pushes"),
    [(FAIL_SAFE, "failed", False), (FAIL_SAFE, 401, True), (STRICT, "building", False)],
)
def test_the_fail_safe_and_the_strict_hook_stop_a_push(
    twilio: Twilio, repository: Repository, hook: str, answer: str | int, pushes: bool
) -> None:
    newest(twilio, answer, service=NAMED)
    repository.hook(hook)

    ended = repository.push(TWBUILD_SERVICE=OTHER_SERVICE)

    assert repository.pushed() == pushes == (ended.code == 0), ended.stderr
    assert (".git/hooks/pre-push: stopped by twbuild (" in ended.stderr) == (not pushes)
    assert {request.path.split("/")[3] for request in twilio.requests} == {NAMED}


PRE_PUSH = ".git/hooks/pre-push"
SCRIPTS = [
    (False, ["sh", "-c", FAIL_SAFE, PRE_PUSH]),
    (True, ["sh", "-c", STRICT, PRE_PUSH]),
    *((strict, [*shlex.split(hook["entry"]), NAMED]) for strict, hook in enumerate(FOR_PRE_COMMIT)),
]


@pytest.mark.parametrize(("strict", "words"), SCRIPTS)
@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 8, 70, 127])
def test_a_hook_says_by_whom_a_push_was_stopped(
    tmp_path: Path, strict: bool, words: list[str], code: int
) -> None:
    """With which code, and how to push anyway; or that the push continues."""
    if code != 127:  # of a shell that finds no such program
        script = f'#!/bin/sh\ntest "$1 $2" = "status {NAMED}"; exit {code}'
        (tmp_path / "twbuild").write_text(script)
        (tmp_path / "twbuild").chmod(0o755)
    ended = run_words(words, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    name = PRE_PUSH if PRE_PUSH in words else "pre-commit"

    said = ""
    if code in (3, 4, 5) and not strict:
        said = f"{name}: status unknown (exit code {code}): the push continues\n"
    elif code != 0 and (code != 8 or strict):
        said = f"{name}: " + STOPPED.format(NOT_FOUND if code == 127 else code)
    assert ended.stderr.endswith(said)
    assert code == 127 or ended.stderr == said
    assert ended.code == ("stopped" in said)
    assert max(map(len, ended.stderr.splitlines()), default=0) <= 80


def test_a_hook_in_the_sandbox_stops_git_and_pushes_nothing(repository: Repository) -> None:
    repository.push()
    before = repository.git("rev-parse", "main", cwd=repository.remote)

    words = ["sh", "-c", HOOK.text + TRIAL.text]
    ended = run_words(words, env=repository.env, cwd=repository.folder)

    assert ended.code == 1
    assert STOPPED.format(1) in ended.stderr
    assert "failed to push some refs" in ended.stderr
    assert repository.git("rev-parse", "main", cwd=repository.remote) == before


def test_a_linked_worktree_never_takes_the_service_around_it(
    twilio: Twilio, repository: Repository
) -> None:
    worktree = repository.folder / "trees" / "wt"  # inside the main one, which has its own file
    repository.git("worktree", "add", "--quiet", "-b", "topic", str(worktree))
    newest(twilio, "failed")
    env = {**repository.env, "GIT_DIR": str(repository.folder / ".git" / "worktrees" / "wt")}
    for folder, service, code in ((repository.folder, OTHER_SERVICE, 2), (worktree, SERVICE, 1)):
        entries = {f"{ACCOUNT}:us1": {"serviceSid": service, "latestBuild": BUILD}}
        (folder / ".twiliodeployinfo").write_text(json.dumps(entries))

        assert run("status", env=env, cwd=worktree / "functions").code == code


def test_ctrl_c_stops_the_push(twilio: Twilio, repository: Repository) -> None:
    go_on = threading.Event()
    newest(twilio, held(go_on, "completed"), service=NAMED)
    repository.hook(FAIL_SAFE)

    with Terminal(["git", "-C", str(repository.folder), "push"], repository.env) as terminal:
        terminal.see_that(lambda: len(twilio.requests) > 1, "a poll")
        terminal.type("\x03")
        code = terminal.end()
    go_on.set()

    assert code != 0
    assert not repository.pushed()


def test_the_hooks_for_pre_commit_run_before_a_push_only() -> None:
    """They get no file names, and their names, which stand before "Passed", promise nothing."""
    fixed = {"language": "python", "stages": ["pre-push"], "pass_filenames": False}
    named = {"twbuild": "Twilio build check", "twbuild-strict": "Twilio build check (strict)"}

    assert {hook["id"]: hook["name"] for hook in FOR_PRE_COMMIT} == named
    for hook in FOR_PRE_COMMIT:
        assert hook.items() >= {**fixed, "always_run": True}.items()


@pytest.mark.registry
def test_pre_commit_stops_a_push_as_the_hook_promises(
    twilio: Twilio, repository: Repository, tmp_path: Path
) -> None:
    product = copy_committed(tmp_path / "product")
    registry = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "HTTPS_", "SSL_"))}
    repository.env |= {**registry, "PRE_COMMIT_HOME": str(tmp_path / "pre-commit")}
    (config,) = (b.text for b in readme.blocks("yaml") if b.heading == "Git hooks")
    shown = yaml.safe_load(config)
    source = {"repo": str(product.folder), "rev": product.git("rev-parse", "HEAD").strip()}
    for hook, answer, pushes in (
        ("twbuild", "failed", False),
        ("twbuild-strict", "building", False),
        ("twbuild", 400, True),
    ):
        newest(twilio, answer)
        shown["repos"][0] |= {**source, "hooks": [{"id": hook, "args": [SERVICE]}]}
        (repository.folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump(shown))
        repository.commit()
        words = [sys.executable, "-m", "pre_commit", "install"]
        subprocess.run(words, cwd=repository.folder, env=repository.env, check=True)
        ended = repository.push()

        reported = ended.stdout + ended.stderr
        assert repository.pushed() == pushes == (ended.code == 0), reported
        assert ("pre-commit: stopped by twbuild (" in reported) == (not pushes)
