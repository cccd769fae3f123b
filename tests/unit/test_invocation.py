"""A command that a message gives starts twbuild as this run was started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRINTS = f"""#!{sys.executable}
import json, sys
sys.path.insert(0, {str(ROOT)!r})
from twbuild import invocation
print(json.dumps([invocation.program(), invocation.typed("-p", "dev")]))
"""
PYTHON = sys.executable
LAUNCHER = f"import sys; sys.argv = {{argv}}; exec({PRINTS!r})"


def words(folder: Path, typed: Sequence[str], **variables: str) -> tuple[list[str], list[str]]:
    """How `typed` would start its program again, and with `-p dev`."""
    env = {"PATH": "/usr/bin:/bin", **variables}
    printed = subprocess.run(typed, cwd=folder, env=env, capture_output=True, check=True).stdout
    program, with_profile = json.loads(printed)
    return program, with_profile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the program as a script, as a module, and as a file that is not executable."""
    for name in ("bin/tool", "tool/__main__.py", "tool.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(PRINTS)
    (tmp_path / "bin/tool").chmod(0o755)
    (tmp_path / "bin/other").symlink_to("tool")
    return tmp_path


STARTS = [["./bin/tool"], [PYTHON, "-m", "tool"], [PYTHON, "-X", "utf8", "tool.py"]]


@pytest.mark.parametrize("start", STARTS, ids=" ".join)
def test_a_program_off_the_path_keeps_its_words(folder: Path, start: list[str]) -> None:
    program, with_profile = words(folder, [*start, "wait", "svc", "--", "x"])
    _, behind_dashes = words(folder, [*start, "--", "wait", "svc", "--", "x"])

    assert program == start
    assert with_profile == behind_dashes == [*start, "wait", "-p", "dev", "svc", "--", "x"]


@pytest.mark.parametrize("name", ["tool", "other"])
def test_a_program_on_the_path_is_started_by_name(folder: Path, name: str) -> None:
    path, in_shell = f"{folder}/bin{os.pathsep}/bin", ["/bin/sh", "-c", name]

    assert words(folder, in_shell, PATH=path)[0] == [name]
    assert words(folder, [f"{folder}/bin/{name}"], PATH=path)[0] == [name]
    # The caller of uv does not have that PATH.
    assert words(folder, in_shell, PATH=path, UV="/bin/uv")[0] == [f"{folder}/bin/{name}"]


def test_another_program_of_the_same_name_is_not_taken(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/tool").write_text("#!/bin/sh\n")
    (folder / "elsewhere/tool").chmod(0o755)
    start = f"{folder}/bin/tool"

    assert words(folder, [start], PATH=f"{folder}/elsewhere:/bin")[0] == [start]
    assert words(folder / "bin", [PYTHON, "tool"])[0] == ["./tool"]


@pytest.mark.parametrize(
    ("argv", "program"),
    [
        ("['bin/tool', 'wait']", ["bin/tool"]),  # as poetry's launcher has it
        ("['no-such-tool', 'wait']", [PYTHON, "-m", "twbuild"]),
    ],
)
def test_a_launchers_own_code_is_in_no_command(folder: Path, argv: str, program: list[str]) -> None:
    assert words(folder, [PYTHON, "-c", LAUNCHER.format(argv=argv)])[0] == program
