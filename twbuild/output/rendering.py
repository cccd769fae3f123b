"""What rich draws with: the one theme, its console, rows of cells, lines wrapped between words."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby, zip_longest

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text
from rich.theme import Theme

from twbuild.text import Line, plain

Row = Sequence[tuple[str, Style | None]]  # the characters of a row, each one column wide

THEME = Theme(
    {
        "building": "cyan",
        "completed": "green",
        "failed": "bold red",
        "problem": "yellow",
        "detail": "dim",
        "request": "dim",
        "time": "dim",
        "command": "bold",
    },
    inherit=False,
)


# Lines with one of these are not wrapped: what is to be copied, and a URL with all about it.
_WHOLE = ("command", "request")


@lru_cache(maxsize=1)
def _console() -> Console:
    # What is drawn is written by stderr and stdout: nothing is written to this file.
    return Console(
        file=io.StringIO(),
        theme=THEME,
        force_terminal=True,
        legacy_windows=False,
        width=80,
        height=24,  # else it reads LINES, whatever that is
    )


def load() -> None:
    """Have rich load what it loads when it is first needed, its table of widths among it."""
    wrapped([("✓ ✗", "")], 1)


def rows(renderable: RenderableType, width: int) -> list[Row]:
    """What rich makes of it, row by row, cropped to `width` columns."""
    console = _console()
    console.size = (width, 1 << 16)
    options = console.options.update(no_wrap=True, overflow="crop")
    lines = console.render_lines(renderable, options, pad=False)
    return [[(c, segment.style) for segment in line for c in segment.text] for line in lines]


def bar(share: float, columns: int, *, as_ascii: bool) -> Text:
    """A bar of which a share is complete."""
    console = _console()
    options = console.options.copy()
    options.encoding = "ascii" if as_ascii else "utf-8"
    drawn = ProgressBar(
        total=1.0,
        completed=share,
        width=columns,
        style="detail",
        complete_style="building",
        finished_style="building",
    )
    text = Text()
    for segment in console.render(drawn, options):
        text.append(segment.text.rstrip("\n"), segment.style)
    text.pad_right(columns - len(text))  # without colour, what is left is not drawn
    return text


def changed(old: Sequence[Row], new: Sequence[Row]) -> str:
    """What turns the rows on the screen into others, from the start of the first row on.

    A row that is empty in `old` is cleared and written whole.
    """
    found: list[Segment] = []
    for pair in zip(old, new, strict=True):
        if found:
            found.append(Segment("\r\n", found[-1].style))
        found += _changes(*pair) or [Segment("")]
    return _written(Segments(Segment.simplify(found)))


def _changes(old: Row, new: Row) -> list[Segment]:
    found = [] if old else [Segment("\x1b[K")]
    skipped: list[Segment] = []
    whole = [*new, *[(" ", None)] * (len(old) - len(new))]
    for is_same, pairs in groupby(zip_longest(old, whole), lambda pair: pair[0] == pair[1]):
        cells = [cell for _, cell in pairs]
        if is_same:
            skipped = [Segment(f"\x1b[{len(cells)}C")]
            continue
        runs = groupby(cells, lambda cell: cell[1])
        found += skipped
        found += [Segment("".join(c for c, _ in run), style) for style, run in runs]
    return found


def _written(renderable: RenderableType) -> str:
    console = _console()
    with console.capture() as capture:
        console.print(renderable, end="", no_wrap=True, overflow="ignore", crop=False)
    return capture.get()


def wrapped(line: Line, width: int) -> str:
    """The line with its colours, wrapped between words below its own text.

    The text begins behind the indent, or behind a word there that is set off by spaces; what a CI
    system obeys at the start of a line is never moved there.

    What is to be copied stays in one piece: commands, and words longer than the window.
    """
    text, content = Text.assemble(*line), plain(line)
    begin = re.match(r" *(?:(?<= )\S+ {2,})?", content)
    start = begin.end() if begin else 0
    indent = start if 0 < start <= width // 2 else 2
    breaks = [0]
    for word in re.finditer(r"\(waited [^)]*\)|(?:build (?=ZB))?\S+", content):
        columns = width - (indent if breaks[-1] else 0)
        if word.start() > start and cell_len(content[breaks[-1] : word.end()]) > columns:
            breaks.append(word.start())
    if any(style in _WHOLE for _, style in line):
        breaks = [0]
    parts = text.divide(breaks[1:])
    for part in parts:
        part.rstrip()
    shown = ("\n" + " " * indent).join(map(_written, parts))
    # GitHub obeys :: behind spaces, too
    return re.sub(r"(?m)^((?: |\x1b\[[0-9;]*m)*):(?=:)", r"\1: ", shown)
