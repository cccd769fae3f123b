"""How the house is built: which room may use which, and what only one room may do."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support import readme
from tests.support.rooms import PACKAGE, from_the_top, rooms

ROOT = readme.README.parent
MAKEFILE = (ROOT / "Makefile").read_text()


def tree(room: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{room}.py").read_text("utf-8"))


def imported(room: str) -> set[str]:
    """The first names of the modules that a room imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(tree(room)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def calling(*names: str) -> set[str]:
    """The rooms that call any of these, written as they stand in the source."""
    return {
        room
        for room in rooms()
        for node in ast.walk(tree(room))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names
    }


def test_no_room_uses_one_that_stands_above_it() -> None:
    above: set[str] = set()
    for room in from_the_top():
        above.add(room.name)
        assert not room.uses & above, f"{room.name} uses {room.uses & above}"


def test_every_room_can_be_reached_from_the_command() -> None:
    assert {room.name for room in from_the_top()} == set(rooms())


@pytest.mark.parametrize("room", ["watch", "newest", "patience", "target", "errors", "events"])
def test_who_decides_neither_asks_nor_waits_nor_draws(room: str) -> None:
    assert not imported(room) & {"requests", "urllib3", "rich", "threading", "queue", "time"}


@pytest.mark.parametrize(
    ("library", "where"),
    [
        ("requests", {"fetcher", "answers", "mishaps", "network", "problems", "leanrequests"}),
        ("rich", {"live", "screen"}),
        ("typer", {"cli", "options"}),
    ],
)
def test_each_library_is_known_to_few_rooms(library: str, where: set[str]) -> None:
    assert {room for room in rooms() if library in imported(room)} <= where


def test_only_the_runner_waits() -> None:
    assert calling("time.sleep", "threading.Event") == set()
    assert {room for room in rooms() if "queue" in imported(room)} == {"wait"}


def test_only_main_exits_and_only_it_dies_of_signals() -> None:
    assert calling("os._exit", "sys.exit", "exit", "os.abort") == {"__main__", "signals"}
    assert calling("signals.die") == {"__main__"}


def test_a_broad_except_stands_only_where_everything_is_carried_on() -> None:
    broad = {
        room
        for room in rooms()
        for node in ast.walk(tree(room))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
    }

    assert broad == {"__main__", "wait"}


def test_make_help_lists_every_target_that_people_call() -> None:
    words = ["make", "--no-print-directory", "help"]
    listed = subprocess.check_output(words, cwd=ROOT, text=True)
    named = re.findall(r"^make (\w+)  +\w", listed, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*?[^\\])\n", MAKEFILE, re.MULTILINE | re.DOTALL)

    assert phony
    assert len(named) > 8
    assert set(named) <= set(phony[1].replace("\\", " ").split())
    assert set(re.findall(r"`make (\w+)`", readme.text())) <= set(named)
    for target in re.findall(r"^([a-z]+): (?!COV|exp)", MAKEFILE, re.MULTILINE):
        assert re.search(rf"^# .*\n{target}:|^## {target}  +\w", MAKEFILE, re.MULTILINE), target


STAND_INS = {
    "too old": ("exit 1", "twbuild needs Python 3.10 or newer, and none was found."),
    "no venv module": (
        'case "$*" in *ensurepip*) exit 1 ;; esac',
        "python3 has no venv module, which makes the environment to install into.",
    ),
}


@pytest.mark.parametrize(("script", "sentence"), STAND_INS.values(), ids=STAND_INS)
def test_a_python_that_will_not_do_is_told_in_a_sentence(
    tmp_path: Path, script: str, sentence: str
) -> None:
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)

    ended = environment(tmp_path, PATH=str(python.parent))

    assert ended.returncode == 1
    assert f"make: {sentence}" in ended.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_that_was_chosen_must_do() -> None:
    ended = environment(Path("/nowhere"), PATH="/nowhere", PYTHON="/nowhere/python3.9")

    assert ended.returncode == 1
    assert ended.stderr == "make: PYTHON=/nowhere/python3.9 is no Python 3.10 or newer.\n"


def environment(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Make an environment as the Makefile does."""
    words = [str(ROOT / ".ci" / "environment"), str(folder / "venv")]
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_what_ci_runs_can_be_run() -> None:
    for name in ("run", "environment", "fresh"):
        assert os.access(ROOT / ".ci" / name, os.X_OK)
        listed = subprocess.check_output(["git", "ls-files", "-s", f".ci/{name}"], cwd=ROOT)
        assert listed.startswith(b"100755 ")
