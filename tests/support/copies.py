"""A copy of the tree, to be changed: its tests run with its own twbuild."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest

from tests.support.command import TWBUILD
from tests.support.repository import copy_tracked


def copy_tree(copy: Path) -> None:
    """Copy the tree, with an environment that imports twbuild from the copy."""
    copy_tracked(copy, "--cached", "--others", "--exclude-standard")
    venv.create(copy / ".venv", symlinks=True)
    (libraries,) = (copy / ".venv/lib").glob("python*/site-packages")
    original = Path(pytest.__file__).parents[1]
    (libraries / "copy.pth").write_text(f"{copy}\n{original}\n")
    command = copy / ".venv/bin/twbuild"
    _, _, rest = Path(TWBUILD).read_text().partition("\n")
    command.write_text(f"#!{copy}/.venv/bin/python\n{rest}")
    command.chmod(0o755)


def run_tests(copy: Path, file: str, named: str, *options: str) -> int:
    """What pytest exits with for the tests of a file that have this in their names."""
    words = ["sh", "-c", 'ulimit -v 4000000; exec "$@"', "sh"]  # some breaks read without end
    words += [".venv/bin/python", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *options]
    words += [file, "-k", named]
    return subprocess.run(words, cwd=copy, capture_output=True, check=False).returncode
