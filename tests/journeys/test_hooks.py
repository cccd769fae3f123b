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
from tests.support.repository import Repository, copy_tracked
from tests.support.run import run, run_words
from tests.support.terminal import Terminal
from tests.support.twilio import Twilio, build_body, held, page

HOOK, TRIAL = (block for block in readme.blocks("sh") if block.heading == "Git hooks")
FAIL_SAFE = HOOK.file
# As the README's sentence has it: without ` | 8` and the line `3 | 4 | 5)`.
STRICT = re.sub(r"(?m)^ *3 \| 4 \| 5\).*\n", "", FAIL_SAFE.replace(" | 8", ""))
NAMED = "my-service"
FAIL_SAFE_UNNAMED = FAIL_SAFE.replace(f" {NAMED}", "")  # which the command line allows
NOT_FOUND = "127: twbuild was not found"
STOPPED = "stopped by twbuild (exit code {})\nTo push anyway: git push --no-verify\n"
FOR_PRE_COMMIT = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
OTHER_SERVICE = "ZS" + "9f" * 16


@pytest.fixture
def repository(twilio: Twilio, tmp_path: Path) -> Repository:
    return Repository(tmp_path / "project", twilio.environ)


def newest(twilio: Twilio, *answers: str | int, service: str = SERVICE) -> None:
    """What the service's newest build is."""
    twilio.lists(page(build_body(status="building")), service=service)
    twilio.says(*answers, service=service)


def project_file(folder: Path, service: str) -> None:
    entries = {f"{ACCOUNT}:us1": {"serviceSid": service, "latestBuild": BUILD}}
    (folder / ".twiliodeployinfo").write_text(json.dumps(entries))


def test_the_readme_names_the_service_and_how_strict_differs() -> None:
    assert f"twbuild status {NAMED};" in FAIL_SAFE
    assert "leave out ` | 8` and the line `3 | 4 | 5)`" in readme.prose()
    assert len(STRICT.splitlines()) == len(FAIL_SAFE.splitlines()) - 1


@pytest.mark.parametrize(
    ("hook", "answer", "pushes"),
    [
        (FAIL_SAFE, "failed", False),
        (FAIL_SAFE, 401, True),
        (STRICT, "building", False),
        (STRICT, "completed", True),
    ],
)
def test_the_fail_safe_and_the_strict_hook_stop_a_push(
    twilio: Twilio, repository: Repository, hook: str, answer: str | int, pushes: bool
) -> None:
    newest(twilio, answer, service=NAMED)
    repository.hook(hook)

    ended = repository.push(TWBUILD_SERVICE=OTHER_SERVICE)

    assert repository.pushed() == pushes == (ended.code == 0), ended.stderr
    assert (".git/hooks/pre-push: stopped by twbuild (" in ended.stderr) == (not pushes)
    assert polled(twilio) == {NAMED}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 8, 70, 127])
def test_a_hook_says_by_whom_a_push_was_stopped(tmp_path: Path, strict: bool, code: int) -> None:
    """With which code, and how to push anyway; or that the push continues."""
    name = FOR_PRE_COMMIT[strict]["name"]  # before "Passed", so that it may promise nothing
    assert name == "Twilio build check" + " (strict)" * strict
    if code != 127:  # of a shell that finds no such program
        (tmp_path / "twbuild").write_text(
            f'#!/bin/sh\ntest "$1 $2" = "status {NAMED}"; exit {code}'
        )
        (tmp_path / "twbuild").chmod(0o755)
    for name, words in (
        (
            ".git/hooks/pre-push",
            ["sh", "-c", STRICT if strict else FAIL_SAFE, ".git/hooks/pre-push"],
        ),
        ("pre-commit", [*shlex.split(FOR_PRE_COMMIT[strict]["entry"]), NAMED]),
    ):
        ended = run_words(words, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
        said = ended.stderr.splitlines()

        assert max(map(len, said), default=0) <= 80
        if code == 0 or (code == 8 and not strict):
            assert (ended.code, said) == (0, [])
        elif code in (3, 4, 5) and not strict:
            assert ended.code == 0
            assert said == [f"{name}: status unknown (exit code {code}): the push continues"]
        else:
            assert ended.code == 1
            stopped = STOPPED.format(NOT_FOUND if code == 127 else code)
            assert ended.stderr.endswith(f"{name}: {stopped}")


@pytest.mark.parametrize(
    ("hook", "typed", "becomes"),
    [
        (FAIL_SAFE, NAMED, "my.service"),
        (STRICT, NAMED, '"$NOT_SET"'),
        (FAIL_SAFE, f" {NAMED}", ""),
        (STRICT, "status", "stats"),
        (FAIL_SAFE, "twbuild status", "twbuild-of-old status"),
    ],
)
def test_a_mistake_in_the_hook_itself_stops_the_push(
    repository: Repository, hook: str, typed: str, becomes: str
) -> None:
    mistaken = hook.replace(typed, becomes, 1)
    assert mistaken != hook
    repository.hook(mistaken)

    ended = repository.push()

    assert not repository.pushed()
    assert ended.code == 1
    assert STOPPED.format(NOT_FOUND if "old" in becomes else 2) in ended.stderr


def test_a_hook_in_the_sandbox_stops_git_and_pushes_nothing(repository: Repository) -> None:
    repository.push()
    before = repository.git("rev-parse", "main", cwd=repository.remote)

    words = ["sh", "-c", HOOK.text + TRIAL.text]
    ended = run_words(words, env=repository.env, cwd=repository.folder)

    assert ended.code == 1
    assert STOPPED.format(1) in ended.stderr
    assert "failed to push some refs" in ended.stderr
    assert repository.git("rev-parse", "main", cwd=repository.remote) == before


@pytest.mark.parametrize(("own_file", "code"), [(True, 1), (False, 2)])
def test_a_linked_worktree_never_takes_the_service_around_it(
    twilio: Twilio, repository: Repository, own_file: bool, code: int
) -> None:
    worktree = repository.folder / "trees" / "wt"  # inside the main one, which has its own file
    repository.git("worktree", "add", "--quiet", "-b", "topic", str(worktree))
    newest(twilio, "failed")
    newest(twilio, "failed", service=OTHER_SERVICE)
    project_file(repository.folder, OTHER_SERVICE)
    if own_file:
        project_file(worktree, SERVICE)
    repository.hook(FAIL_SAFE_UNNAMED)

    ended = repository.push(cwd=worktree / "functions")
    git_dir = str(repository.folder / ".git" / "worktrees" / "wt")
    by_hand = run("status", env={**repository.env, "GIT_DIR": git_dir}, cwd=worktree / "functions")

    assert (ended.code, by_hand.code) == (1, code), ended.stderr
    assert ("no service given" in ended.stderr) == (not own_file)
    assert not repository.pushed("topic")
    assert polled(twilio) == ({SERVICE} if own_file else set())


def polled(twilio: Twilio) -> set[str]:
    return {request.path.split("/")[3] for request in twilio.requests}


@pytest.mark.parametrize(
    "hook", [FAIL_SAFE_UNNAMED, f"#!/bin/sh\nexec twbuild wait {SERVICE} {BUILD}\n"]
)
def test_ctrl_c_stops_the_push(twilio: Twilio, repository: Repository, hook: str) -> None:
    go_on = threading.Event()
    twilio.lists(page(build_body(status="building")))
    twilio.says(held(go_on, "completed"))
    repository.hook(hook)
    env = {**repository.env, "TWBUILD_SERVICE": SERVICE}

    with Terminal(["git", "-C", str(repository.folder), "push"], env) as terminal:
        terminal.see_that(twilio.polls, "a poll")
        terminal.type("\x03")
        code = terminal.end()
    go_on.set()

    assert code != 0
    assert not repository.pushed()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as a clone has it: what git would commit, in a commit."""
    folder = tmp_path_factory.mktemp("product") / "twbuild"
    mine = Repository(folder, dict(os.environ))
    copy_tracked(folder)
    mine.commit()
    return folder


@pytest.fixture(scope="module")
def pre_commit_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps what it has installed; once for all these tests."""
    return tmp_path_factory.mktemp("pre-commit")


def test_the_hooks_for_pre_commit_run_before_a_push_only() -> None:
    """They get no file names."""
    assert [hook["id"] for hook in FOR_PRE_COMMIT] == ["twbuild", "twbuild-strict"]
    fixed = {"language": "python", "stages": ["pre-push"], "pass_filenames": False}
    for hook in FOR_PRE_COMMIT:
        assert hook.items() >= {**fixed, "always_run": True}.items()


@pytest.mark.registry
@pytest.mark.parametrize(
    ("hook", "answer", "pushes"),
    [
        ("twbuild", "completed", True),
        ("twbuild", "failed", False),
        ("twbuild", 400, True),
        ("twbuild", "a usage error", False),
        ("twbuild-strict", "completed", True),
        ("twbuild-strict", "building", False),
    ],
)
def test_pre_commit_stops_a_push_as_the_hook_promises(
    twilio: Twilio,
    repository: Repository,
    product: Path,
    pre_commit_home: Path,
    hook: str,
    answer: str | int,
    pushes: bool,
) -> None:
    usage_error = answer == "a usage error"
    if not usage_error:
        newest(twilio, answer)
    (config,) = (b.text for b in readme.blocks("yaml") if b.heading == "Git hooks")
    shown = yaml.safe_load(config)
    commit = repository.git("rev-parse", "HEAD", cwd=product).strip()
    hooks = [{"id": hook, "args": ["my.service" if usage_error else SERVICE]}]
    shown["repos"][0] |= {"repo": str(product), "rev": commit, "hooks": hooks}
    repository.write(".pre-commit-config.yaml", yaml.safe_dump(shown))
    repository.commit()
    registry = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "HTTPS_", "SSL_"))}
    repository.env |= {**registry, "PRE_COMMIT_HOME": str(pre_commit_home)}
    words = [sys.executable, "-m", "pre_commit", "install"]
    subprocess.run(words, cwd=repository.folder, env=repository.env, check=True)

    ended = run_words(["git", "push"], env=repository.env, cwd=repository.folder, timeout=500)

    reported = ended.stdout + ended.stderr
    assert repository.pushed() == pushes == (ended.code == 0), reported
    assert ("pre-commit: stopped by twbuild (" in reported) == (not pushes)
    assert len(twilio.polls()) == (not usage_error)
