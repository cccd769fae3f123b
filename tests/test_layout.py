"""How the source is laid out: which module may do what, and what make offers."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import twbuild
from tests import breaks
from tests.support import readme

PACKAGE = Path(twbuild.__file__).parent
ROOT = readme.README.parent
MAKEFILE = (ROOT / "Makefile").read_text()
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.stem != "__init__"
}


def calls(module: str) -> Iterator[str]:
    """What a module calls, written as it is in the source."""
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def calling(pattern: str) -> set[str]:
    """The modules that call what matches, as a plain name or at the end of a dotted one."""
    ending = re.compile(rf"(?:.*\.)?(?:{pattern})", re.DOTALL)
    return {name for name in MODULES if any(map(ending.fullmatch, calls(name)))}


def imports(module: str) -> set[str]:
    """The import statements of a module, wherever they are."""
    nodes = ast.walk(MODULES[module])
    return {ast.unparse(n) for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))}


def importing(pattern: str) -> set[str]:
    """The modules with an import statement in which it occurs."""
    return {name for name in MODULES if any(re.search(pattern, line) for line in imports(name))}


def test_only_the_runner_waits() -> None:
    never = r"sleep|Event|Condition|(Bounded)?Semaphore|Barrier|signal\.pause|sigtimedwait"
    assert calling(never) == importing(r"\bqueue\b") == set()
    assert calling("recv(_into)?") == {"watch.runner"}
    # A stream whose reader is slow, within its limit; and the sandbox's command.
    assert calling("select|poll|epoll|kqueue|sigwait(info)?") == {"output.streams"}
    children = r"wait(pid|id|3|4)?|communicate|subprocess\.(run|call|check_\w+)"
    assert calling(children) == {"sandbox.command", "sandbox.job"}


def test_no_clock_that_can_jump_is_read() -> None:
    assert calling(r"time\.time|time") == importing("import time, |from time") == set()


def test_contributing_lists_each_module_once_and_names_only_what_exists() -> None:
    page = (ROOT / ".github" / "CONTRIBUTING.md").read_text("utf-8")
    listed = re.findall(r"^  ([\w/]+)\.py  +\w", page, re.MULTILINE)
    table = page.partition("## Where a change goes")[2].partition("\n## ")[0]
    places = re.findall(r"(?:`([\w]+)` in )?`([\w/]+)\.py`", table)

    assert sorted(listed) == sorted(name.replace(".", "/") for name in MODULES)
    assert len(places) > 20
    for name, module in places:
        assert re.search(rf"\b{name}\b", (PACKAGE / f"{module}.py").read_text("utf-8")), name


def test_only_three_modules_know_the_http_library() -> None:
    known = {"api.transport", "api.network", "api.connection_errors"}

    assert importing(r"\b(requests|urllib3)\b") == known


def test_only_main_exits_and_only_it_dies_of_signals() -> None:
    assert calling(r"os\._exit|sys\.exit|exit|quit|os\.abort") == {"__main__", "signals"}
    assert calling(r"signals\.die") == {"__main__"}


def test_a_broad_except_stands_only_where_everything_is_carried_on() -> None:
    broad = {
        name
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
    }

    assert broad == {"__main__", "watch.runner"}


# What they import in functions is imported before the wait, or has been by then.
LOAD_BEFORE = re.compile(r"__main__|app|cli|completion|options|config\..*|sandbox\..*")
LOADED_BEFORE = {
    ("api.connector", "import socks"),  # by requests, if it is installed
    ("output.report", "from twbuild.output import rendering"),
    ("output.report", "from twbuild.output.live import Live"),
    ("output.stderr", "from twbuild.output import rendering"),
    ("output.stdout", "from twbuild.output import rendering"),
    ("signals", "import resource"),
}


def test_nothing_is_loaded_in_the_middle_of_a_wait() -> None:
    late = {
        (name, ast.unparse(statement))
        for name, tree in MODULES.items()
        if not LOAD_BEFORE.fullmatch(name)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for statement in ast.walk(function)
        if isinstance(statement, (ast.Import, ast.ImportFrom))
    }
    calling_codecs = re.compile(r"\.(?:en|de)code\(['\"]([\w-]+)")
    codecs = {c for tree in MODULES.values() for c in calling_codecs.findall(ast.unparse(tree))}

    assert late == LOADED_BEFORE
    assert {"ascii", "utf-8-sig"} <= codecs <= {"ascii", "utf-8", "utf-8-sig"}, "Python has these"


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


UNSUITABLE = [
    ("exit 1", "", "twbuild needs Python 3.10 or newer, and none was found."),
    ('case "$*" in *ensurepip*) exit 1 ;; esac', "", "python3 has no venv module, which makes"),
    ("exit 0", "/nowhere/python3.9", "PYTHON=/nowhere/python3.9 is not Python 3.10 or newer."),
]


@pytest.mark.parametrize(("script", "chosen", "sentence"), UNSUITABLE)
def test_an_unsuitable_python_is_reported_in_a_sentence(
    tmp_path: Path, script: str, chosen: str, sentence: str
) -> None:
    (tmp_path / "python3").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "python3").chmod(0o755)
    words = [str(ROOT / ".ci" / "environment"), str(tmp_path / "venv")]
    env = {"PATH": str(tmp_path), "PYTHON": chosen}
    made = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=60)

    assert made.returncode == 1
    assert f"make: {sentence}" in made.stderr
    assert not (tmp_path / "venv").exists()


def test_every_break_has_its_place_and_its_tests() -> None:
    assert breaks.misplaced() == []
    assert len(breaks.BREAKS) <= 40
