"""What rich draws with: the one theme, styled lines, and the window's size."""

from __future__ import annotations

import io
import os
from functools import lru_cache

from rich.console import Console
from rich.text import Text
from rich.theme import Theme

from twbuild.text import Line

THEME = Theme(
    {
        "building": "cyan",
        "completed": "green",
        "failed": "bold red",
        "trouble": "yellow",
        "hint": "dim",
        "time": "dim",
        "command": "bold",
    },
    inherit=False,
)


@lru_cache(maxsize=1)
def _console() -> Console:
    # What is drawn goes through streams, which forgives: this file is never written to.
    return Console(
        file=io.StringIO(), theme=THEME, force_terminal=True, legacy_windows=False, width=80
    )


def styled(line: Line, width: int | None = None) -> str:
    """The line with its colours; cropped to `width` columns, or as long as it is."""
    text = Text.assemble(*line, no_wrap=True, overflow="crop", end="")
    if width is not None:
        text.truncate(width, overflow="crop")
    console = _console()
    with console.capture() as capture:
        console.print(text, end="", soft_wrap=True, highlight=False, markup=False, emoji=False)
    return capture.get()


def window(descriptor: int) -> tuple[int, int]:
    """Columns and rows of a terminal, whatever COLUMNS says; 80 and 24 where it has none."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:
        columns, rows = 0, 0
    return columns or 80, rows or 24
