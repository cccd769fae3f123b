"""README.md, taken apart; and its table of exit codes, which `make readme` regenerates."""

from __future__ import annotations

import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.support.command import TWBUILD
from tests.support.run import base_environ
from twbuild.outcome import ExitCode

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
COLUMNS = 100  # as wide as help ever is

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"^cat > (\S+) << 'END'\n(.*?)^END\n", re.DOTALL | re.MULTILINE)
_CODES = re.compile(r"(?<=\| code \| meaning \|\n\| --- \| --- \|\n).*?(?=\n\n)", re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its language, its text, and the heading above it."""

    language: str
    text: str
    heading: str

    @property
    def file(self) -> str:
        """The file that it writes when it is pasted, else nothing."""
        found = _FILE.search(self.text)
        return found[2] if found else ""


def text() -> str:
    """The whole page."""
    return README.read_text("utf-8")


def prose() -> str:
    """The page without its blocks."""
    return _BLOCK.sub("", text())


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks in these languages (none: in all), in order."""
    page = text()
    found = []
    for match in _BLOCK.finditer(page):
        outside = _BLOCK.sub("", page[: match.start()])
        heading = re.findall(r"^#+ (.*)$", outside, re.MULTILINE)[-1]
        found.append(Block(match[1], match[2], heading))
    return [block for block in found if not languages or block.language in languages]


@cache
def help_text(command: str, program: str = TWBUILD) -> str:
    """The help of `command` as it is typed and printed in a window of COLUMNS columns."""
    words = [program, *command.split(), "--help"]
    with tempfile.TemporaryDirectory() as home:
        env = base_environ(Path(home), COLUMNS=str(COLUMNS), LC_ALL="C.UTF-8")
        done = subprocess.run(words, env=env, check=True, capture_output=True, timeout=60)
    lines = [line.rstrip() for line in done.stdout.decode().splitlines()]
    typed = " ".join(["$ twbuild", *words[1:]])
    return "\n".join([typed, *lines]).rstrip() + "\n"


def exit_code_rows() -> str:
    """The rows of the table of exit codes."""
    return "\n".join(f"| {code.value} | {code.meaning} |" for code in ExitCode)


def regenerated(page: str) -> str:
    """`page` with its table of exit codes as it must be."""
    return _CODES.sub(lambda _: exit_code_rows(), page)


if __name__ == "__main__":
    README.write_text(regenerated(text()), "utf-8")
