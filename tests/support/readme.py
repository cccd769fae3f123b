"""README.md, taken apart; and its generated parts, which `make readme` regenerates."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.support.command import TWBUILD, base_environ
from twbuild.outcome import ExitCode

README = Path(__file__).parents[2] / "README.md"
HELPED = ("", "wait", "status", "sandbox")
COLUMNS = 80

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CODES = re.compile(r"(?<=\| code \| meaning \|\n\| --- \| --- \|\n).*?(?=\n\n)", re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its language, its text, and the heading that it stands under."""

    language: str
    text: str
    heading: str


def text() -> str:
    """The whole page."""
    return README.read_text("utf-8")


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks in these languages, in order."""
    page = text()
    found = []
    for match in _BLOCK.finditer(page):
        outside = _BLOCK.sub("", page[: match.start()])
        heading = re.findall(r"^#+ (.*)$", outside, re.MULTILINE)[-1]
        found.append(Block(match[1], match[2], heading))
    return [block for block in found if block.language in languages]


def help_text(command: str, program: str = TWBUILD) -> str:
    """What a reader sees who asks for the help of `command` in a window of 80 columns."""
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
    """`page` with its generated parts as they must be."""
    page = _CODES.sub(lambda _: exit_code_rows(), page)
    for command in HELPED:
        told = help_text(command)
        typed = told.partition("\n")[0]
        before, fence, rest = page.partition(f"```console\n{typed}\n")
        page = before + fence.replace(f"{typed}\n", told) + rest[rest.index("```") :]
    return page


if __name__ == "__main__":
    README.write_text(regenerated(text()), "utf-8")
