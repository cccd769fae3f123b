"""The live screen: one row a build on stderr, drawn by rich, gone when it is over.

rich draws what stands in the rows: its Spinner, Text and Group, through its Console. Where they
stand and how they get there is done here, as `rich.live.Live` cannot do it:

- It moves up by as many rows as it has drawn. A terminal that rewraps its lines when made narrower
  (tmux, kitty, VTE) has more of them by then, and what it misses stays for good. Here the cursor
  rests at the start of the first row, which such a terminal takes along.
- It erases from the first row's first column. Where that is the window's top, tmux copies what is
  erased into its scrollback, frame by frame.
- It writes to a file and waits for it. Here a frame is written at once or not at all, and only by a
  process in the foreground.
- It draws in a thread of its own, and leaves the cursor hidden when stopped by Ctrl-Z.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from rich.console import Group, RenderableType
from rich.spinner import Spinner
from rich.text import Text

from twbuild import signals
from twbuild.api.models import Status
from twbuild.output import terminal, theme
from twbuild.output.plain import Happening, line, verbose_only
from twbuild.output.stderr import Stderr
from twbuild.output.terminal import STDERR, encode, window
from twbuild.text import clock as clock_text
from twbuild.text import duration
from twbuild.watch.events import Building, Picked, Tick, Trouble
from twbuild.watch.state import Over

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
# The first row, then all below it: tmux keeps what is erased from the window's very first place.
ERASE = "\r\x1b[K\x1b[C\x1b[J\r"

_MARKS = {"completed": "✓", "failed": "✗"}


class Row:
    """What is known of one build, and rich's picture of it."""

    def __init__(self, sid: str | None, start: float, status: str = "asking") -> None:
        self.sid = sid
        self._start = start
        self.status = status
        self.trouble: Trouble | None = None
        self.over_at: float | None = None
        self._text = Text()
        self._told: tuple[str, ...] = ()
        self._spinner = Spinner(_spinner(), style="building")
        self._spinner.start_time = start

    def picture(self, now: float) -> RenderableType:
        """A spinner and text while it is building, then a mark and text."""
        note = _note(self.trouble, now) if self.trouble else ""
        time_text = clock_text((self.over_at or now) - self._start)
        if self._told != (time_text, note):
            self._told = (time_text, note)
            style = self.status if self.status in theme.THEME.styles else ""
            self._text = Text.assemble(
                (f"{self.status:<9}", style),
                (f"  {time_text}", "time"),
                f"  {self.sid or 'the newest build'}",
                (_certain(note), "trouble"),
            )
            self._spinner.text = self._text
        if self.over_at is None:
            return self._spinner.render(now)
        mark = (_MARKS.get(self.status, "!"), self.status if self.status in _MARKS else "trouble")
        return Text.assemble(mark, " ", self._text)


class Live:
    """Draws frames on stderr until it is closed."""

    frame_seconds = 0.11

    def __init__(
        self,
        stderr: Stderr,
        sids: Sequence[str | None],
        *,
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stderr = stderr
        self._verbose = verbose
        self._clock = clock
        self._start = clock()
        self._rows = {sid: Row(sid, self._start) for sid in sids}
        self._shown = False
        self._stack = ExitStack()
        self._stack.enter_context(signals.stops_noted())

    def close(self) -> None:
        """Wipe the rows, and give the cursor and Ctrl-Z back."""
        self._stderr.begin_closing()
        self._erase()
        self._stack.close()

    def show(self, event: Happening) -> None:
        """Take in what happened; draw at each tick."""
        now = self._clock()
        if isinstance(event, Tick):
            self._tick(now)
        elif isinstance(event, Building):
            self._rows[event.sid] = Row(event.sid, self._start, Status.BUILDING.value)
        elif isinstance(event, Over):
            row = self._rows[event.sid] = Row(event.sid, self._start, event.outcome.value)
            row.over_at = now
        else:
            if isinstance(event, Picked):
                self._rows = {event.sid: Row(event.sid, self._start)}
            elif isinstance(event, Trouble):
                self._rows[event.sid].trouble = event
                if terminal.in_foreground():
                    return  # its row tells it
            told = line(event, now)
            if told and (self._verbose or not verbose_only(event)):
                self._stderr.write((ERASE if self._shown else "") + self._stderr.text([told]))
                self._tick(now)

    def _tick(self, now: float) -> None:
        if signals.stop_wanted():
            self._erase()
            signals.stop()
        elif terminal.in_foreground():
            self._draw(now)

    def _draw(self, now: float) -> None:
        columns, height = window(STDERR)
        rows = self._visible(height)
        pictures = [row.picture(now) for row in rows]
        if len(rows) < len(self._rows):
            over = sum(row.over_at is not None for row in self._rows.values())
            hidden = len(self._rows) - over - len(rows)
            more = f"{hidden} more building; " if hidden else ""
            pictures.append(Text(f"  {more}{over} of {len(self._rows)} over", "hint"))
        drawn = theme.rendered(Group(*pictures), columns, crop=True).splitlines()
        up = f"\x1b[{len(drawn) - 1}A" if len(drawn) > 1 else ""
        self._shown = True
        self._stderr.draw("".join((HIDE_CURSOR, ERASE, "\r\n".join(drawn), up, "\r")))

    def _visible(self, height: int) -> list[Row]:
        """All rows while they fit, else those still building, with a line left for the count."""
        rows = list(self._rows.values())
        if len(rows) <= max(height - 1, 1):
            return rows
        return [row for row in rows if row.over_at is None][: max(0, height - 2)]

    def _erase(self) -> None:
        if self._shown:
            self._stderr.write(ERASE + SHOW_CURSOR)
            self._shown = False


def _note(trouble: Trouble, now: float) -> str:
    left = round(trouble.next_at - now)
    return f"  {trouble.reason}, {f'next try in {duration(left)}' if left > 0 else 'trying again'}"


def _certain(text: str) -> str:
    """The text in characters that are one column wide in every terminal, whatever rich counts."""
    return text.encode("ascii", "backslashreplace").decode()


def _spinner() -> str:
    """The spinner whose frames the stream's encoding has."""
    dots = Spinner("dots").frames
    return "dots" if b"\\" not in encode("".join(dots), STDERR) else "line"
