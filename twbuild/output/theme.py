"""What rich draws with: the one theme, its console, and lines wrapped between words."""

from __future__ import annotations

import io
import re
from functools import lru_cache

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text
from rich.theme import Theme

from twbuild.text import Line, plain

THEME = Theme(
    {
        "building": "cyan",
        "completed": "green",
        "failed": "bold red",
        "problem": "yellow",
        "detail": "dim",
        "time": "dim",
        "command": "bold",
    },
    inherit=False,
)


@lru_cache(maxsize=1)
def _console() -> Console:
    # What is drawn is written by stderr and stdout: nothing is written to this file.
    return Console(
        file=io.StringIO(), theme=THEME, force_terminal=True, legacy_windows=False, width=80
    )


def rendered(renderable: RenderableType, width: int, *, crop: bool = False) -> str:
    """What rich makes of it in `width` columns; `crop` cuts off what is wider, else it stays."""
    console = _console()
    console.size = (width, 1 << 16)
    with console.capture() as capture:
        console.print(renderable, no_wrap=crop, overflow="crop" if crop else "ignore", crop=crop)
    return capture.get()


def wrapped(line: Line, width: int) -> str:
    """The line with its colours, wrapped between words below its own text.

    The text begins behind the indent, or behind a word there that is set off by spaces.

    What is to be copied stays in one piece: commands, and words longer than the window.
    """
    text, content = Text.assemble(*line), plain(line)
    begin = re.match(r" *(?:(?<= )\S+ {2,})?", content)
    indent = begin.end() if begin else 0
    breaks = [0]
    for word in re.finditer(r"\S+", content):
        columns = width - (indent if breaks[-1] else 0)
        if word.start() > indent and cell_len(content[breaks[-1] : word.end()]) > columns:
            breaks.append(word.start())
    if any(style == "command" for _, style in line):
        breaks = [0]
    rows = text.divide(breaks[1:])
    for row in rows:
        row.rstrip()
    shown = ("\n" + " " * indent).join(rendered(row, 1 << 16).strip("\n") for row in rows)
    return re.sub("(?m)^( *):(?=:)", r"\1: ", shown)  # GitHub obeys a line that begins with ::
