"""How this run of twbuild was started, for the commands that messages give."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence


def program() -> list[str]:
    """The words that start twbuild again from the caller's shell.

    Its name where the caller's PATH leads to it, else its path; with Python's own words for
    `python -m twbuild` and for a zipapp that is not executable.
    """
    script = sys.argv[0]
    name = os.path.basename(script)
    if name == "__main__.py" or not _is_executable(script):
        return _with_python()
    # uv puts the folder of what it runs into the PATH of that program alone.
    on_path = None if "UV" in os.environ else shutil.which(name)
    if on_path and os.path.samefile(on_path, _path(script)):
        return [name]
    return [script if os.path.dirname(script) else os.path.join(os.curdir, script)]


def typed(*added: str) -> list[str]:
    """The words of this run, with options `added` behind the command's name."""
    at = 2 if sys.argv[1:2] == ["--"] else 1
    return [*program(), *sys.argv[at : at + 1], *added, *sys.argv[at + 1 :]]


def _with_python() -> list[str]:
    """Python, its own options, and the module or the file that it runs."""
    words: Sequence[str] = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    if len(words) < 2 or "-c" in words:  # a launcher's own code, not for a user to type
        words = [sys.executable or "python3", "-m", "twbuild"]
    return list(words)


def _path(script: str) -> str:
    """The file behind the script's name, which may be on the PATH only."""
    return script if os.path.dirname(script) else shutil.which(script) or script


def _is_executable(script: str) -> bool:
    return os.path.isfile(_path(script)) and os.access(_path(script), os.X_OK)
