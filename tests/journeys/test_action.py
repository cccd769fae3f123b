"""The composite action: its own wait step, run in the sandbox."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import action
from tests.support.command import BUILD, OTHER_BUILD, SERVICE, TWBUILD
from tests.support.run import Ended, Env, run_words

Wait = Callable[..., tuple[Ended, dict[str, str]]]
# No input is ever run.
HOSTILE = {"service": "$(touch pwned)", "build": '"; touch pwned; "', "timeout": "`> pwned`"}


@pytest.fixture
def wait(base: Env, tmp_path: Path) -> Wait:
    """Runs the wait step in the sandbox: how it ended, and the action's outputs.

    A file of the project is not taken for a module.
    """
    (tmp_path / "json.py").write_text("raise SystemExit(0)")
    (tmp_path / "twbuild" / "bin").mkdir(parents=True)
    (tmp_path / "twbuild" / "bin" / "twbuild").symlink_to(TWBUILD)
    runner = {"RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "output")}
    env = {**base, **runner, "GITHUB_ACTIONS": "true", "CI": "true"}

    def run(*sandbox: str, **given: str) -> tuple[Ended, dict[str, str]]:
        inputs = {"service": SERVICE, "build": BUILD, **given}
        env.update(action.environment(action.WAIT, inputs))
        words = [TWBUILD, "sandbox", *sandbox, *action.command(action.WAIT, tmp_path)]
        ended = run_words(words, env=env, cwd=tmp_path)
        output = tmp_path / "output"
        return ended, action.outputs(output) if output.exists() else {}

    return run


@pytest.mark.parametrize(
    ("sandbox", "given", "code", "outcome"),
    [
        (["--build-time", "0s"], {}, 0, "completed"),
        (["--build-time", "1h"], {"timeout": "1s"}, 124, "timeout"),
        (["--build-time", "0s", "--outcome", "failed"], {"service": OTHER_BUILD}, 1, "failed"),
        (["--build-time", "0s"], {"service": "--help"}, 0, "completed"),  # a unique name
        ([], {"build": ""}, 2, ""),
        # An input is never run.
        (
            [],
            {"service": "$(touch pwned)", "build": '"; touch pwned; "', "timeout": "`>pwned`"},
            2,
            "",
        ),
    ],
)
def test_the_step_and_its_outputs_end_as_the_wait(
    wait: Wait, tmp_path: Path, sandbox: list[str], given: Env, code: int, outcome: str
) -> None:
    ended, outputs = wait(*sandbox, **given)

    assert ended.code == code, ended.stderr
    assert outputs == {"outcome": outcome, "exit-code": str(code)}
    annotations = re.findall("^::error title=twbuild::", ended.stderr, re.MULTILINE)
    assert len(annotations) == bool(code)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("output", "outcome", "code"),
    [("", "failed", 1), (".", "completed", 0), ("/dev/full", "completed", 0)],
)
def test_the_step_keeps_the_waits_code_whatever_else_fails(
    wait: Wait, tmp_path: Path, output: str, outcome: str, code: int
) -> None:
    unwritable = ["env", f"GITHUB_OUTPUT={output}", f"PATH={tmp_path}"]  # without python3, too
    (tmp_path / "bash").symlink_to(shutil.which("bash") or "")
    ended, _ = wait("--build-time", "0s", "--outcome", outcome, *unwritable)

    assert ended.code == code, ended.stderr
    assert "outputs could not be written to GITHUB_OUTPUT" in ended.stderr


STAND_INS = {
    "pipx": 'test "$1 $2 $3" = "install --quiet ." && mkdir -p "$PIPX_BIN_DIR" &&\n'
    '> "$PIPX_BIN_DIR/twbuild"',
    "python3": 'test "$1 $2" = "-m venv" && mkdir -p "$3/bin" &&\n'
    'printf \'#!/bin/sh\\n> "${0%%pip}twbuild"\' > "$3/bin/pip" && chmod +x "$3/bin/pip"',
}


# Without rm, the folder cannot be removed.
@pytest.mark.parametrize(
    "programs", [("rm", "pipx"), ("rm", "python3"), ("rm",), ("pipx",)], ids=str
)
def test_it_is_installed_with_pipx_or_in_an_environment(
    base: Env, tmp_path: Path, programs: tuple[str, ...]
) -> None:
    for name in ("bash", "mkdir", "chmod", *programs[:1]):
        if name not in STAND_INS:
            (tmp_path / name).symlink_to(shutil.which(name) or "")
    for name in STAND_INS.keys() & set(programs):
        (tmp_path / name).write_text(f"#!/bin/sh\n{STAND_INS[name]}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "temp").mkdir()
    env = {**base, "PATH": str(tmp_path), "RUNNER_TEMP": str(tmp_path / "temp")}
    env["GITHUB_ACTION_PATH"] = str(action.FOLDER)
    ended = run_words(action.command(action.INSTALL, tmp_path), env=env)

    is_possible = len(programs) == 2
    assert ended.code == (0 if is_possible else 70), ended.stderr
    assert (tmp_path / "temp" / "twbuild" / "bin" / "twbuild").exists() == is_possible
    assert ended.stderr.count("::error title=twbuild::twbuild could not") == (not is_possible)
