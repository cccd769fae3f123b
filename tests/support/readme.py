"""README.md, taken apart, and the help that it is compared with."""

from __future__ import annotations

import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.support.command import TWBUILD
from tests.support.run import base_environ

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

_HEADING_OR_BLOCK = re.compile(r"^#+ ([^\n]*)$|^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"^cat > \S+ << 'END'\n(.*?)^END\n", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, its text, and the heading above it."""

    language: str
    text: str
    heading: str

    @property
    def file(self) -> str:
        """The file that it writes when it is pasted, else nothing."""
        return "".join(_FILE.findall(self.text))


def text() -> str:
    """The whole page."""
    return README.read_text("utf-8")


def prose() -> str:
    """The page without its blocks."""
    return _HEADING_OR_BLOCK.sub(lambda found: "" if found[2] else found[0], text())


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks in these languages (none: in all), in order."""
    found, heading = [], ""
    for title, language, content in _HEADING_OR_BLOCK.findall(text()):
        heading = title or heading
        if language in (languages or (language,)) and not title:
            found.append(Block(language, content, heading))
    return found


@cache
def help_text(command: str, program: str = TWBUILD) -> str:
    """The help of `command` in a window as wide as help ever is."""
    with tempfile.TemporaryDirectory() as home:
        env = base_environ(Path(home), COLUMNS="100", LC_ALL="C.UTF-8")
        return subprocess.check_output([program, *command.split(), "--help"], env=env, text=True)
