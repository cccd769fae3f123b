"""The live screen: one row a build on stderr, drawn by rich, erased at the end.

rich draws what is in the rows: its Spinner, Text and Group, through its Console. Where they
go and how they are written is done here, as `rich.live.Live` cannot do it:

- It moves up by as many rows as it has drawn. A terminal that rewraps its lines when made narrower
  (tmux, kitty, VTE) has more of them by then, and what it misses stays for good. Here the cursor
  rests at the start of the first row, which such a terminal takes along.
- It erases from the first row's first column. Where that is the window's top, tmux copies what is
  erased into its scrollback, frame by frame.
- It writes to a file and waits for it. Here a frame is written at once or not at all, and only by a
  process in the foreground.
- It writes every row each time. Here a frame is what has changed, so that a slow terminal keeps
  up, and now and then one row in turn, should something else have written on it.
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
from twbuild.durations import clock as clock_text
from twbuild.durations import duration
from twbuild.outcome import Outcome
from twbuild.output import rendering, streams
from twbuild.output.plain import line
from twbuild.output.stderr import Stderr
from twbuild.output.streams import STDERR, encode, window
from twbuild.watch.events import Building, Event, Finished, Problem, Selected, Tick, Usual

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
# The first row, then all below it: tmux keeps what is erased from the window's very first place.
ERASE = "\r\x1b[K\x1b[C\x1b[J\r"

BAR_COLUMNS, MIN_BAR_COLUMNS = 12, 6


class Row:
    """What is known of one build, and rich's picture of it. `outcome` is None before an answer."""

    def __init__(
        self,
        sid: str | None,
        start: float,
        outcome: Outcome | None = None,
        finished_at: float | None = None,
    ) -> None:
        self.sid = sid
        self.problem: Problem | None = None
        self.finished_at = finished_at
        self._start = start
        self._outcome = outcome
        self._text = Text()
        self._shown: tuple[object, ...] = ()
        self._spinner = Spinner(_spinner(), style="building")
        self._spinner.start_time = start

    def picture(self, now: float, usual_seconds: float | None, columns: int) -> RenderableType:
        """A spinner and text while it is building, then a mark and text."""
        problem = _problem_text(self.problem, now) if self.problem else ""
        seconds = (self.finished_at or now) - self._start
        waited = clock_text(seconds)
        style = self._outcome.style if self._outcome else ""
        if self._shown != (waited, problem, usual_seconds, columns):
            self._shown = (waited, problem, usual_seconds, columns)
            self._text = Text.assemble(
                (f"{self._outcome.value if self._outcome else 'asking':<9}", style),
                (f"  {waited}", "time"),
                f"  {self.sid or 'the newest build'}",
                (_single_width(problem), "problem"),
            )
            is_building = self._outcome is Outcome.BUILDING and not problem
            if usual_seconds is not None and is_building:
                left = columns - 2 - self._text.cell_len
                self._text.append_text(_compared(seconds, usual_seconds, left))
            self._spinner.text = self._text
        if self._outcome is None or self.finished_at is None:
            return self._spinner.render(now)
        return Text.assemble((self._outcome.mark, style), " ", self._text)


class Live:
    """Draws frames on stderr until it is closed; `is_shown` says which events have a line."""

    frame_seconds = 0.11

    def __init__(
        self,
        stderr: Stderr,
        sids: Sequence[str | None],
        is_shown: Callable[[Event], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stderr = stderr
        self._is_shown = is_shown
        self._clock = clock
        self._start = clock()
        self._rows = {sid: Row(sid, self._start) for sid in sids}
        self._usual_seconds: float | None = None
        self._shown = False
        self._drawn: list[rendering.Row] = []  # as the screen shows them
        self._size = (0, 0)
        self._turn = 0  # of the row that is written whole
        self._stack = ExitStack()
        self._stack.enter_context(signals.stops_deferred())

    def close(self) -> None:
        """Erase the rows, and restore the cursor and Ctrl-Z."""
        self._stderr.begin_closing()
        self._erase()
        self._stack.close()

    def show(self, event: Event) -> None:
        """Update the rows; draw them at each tick."""
        now = self._clock()
        if isinstance(event, Tick):
            self._tick(now)
        elif isinstance(event, Building):
            self._rows[event.sid] = Row(event.sid, self._start, Outcome.BUILDING)
        elif isinstance(event, Finished):
            self._rows[event.sid] = Row(event.sid, self._start, event.outcome, now)
        elif isinstance(event, Usual):
            self._usual_seconds = event.seconds
        else:
            if isinstance(event, Selected):
                self._rows = {event.sid: Row(event.sid, self._start)}
            elif isinstance(event, Problem):
                self._rows[event.sid].problem = event
                if streams.in_foreground():
                    return  # its row shows it
            text = line(event, now)
            if text and self._is_shown(event):
                self._stderr.write((ERASE if self._shown else "") + self._stderr.text([text]))
                self._drawn = []
                self._tick(now)

    def _tick(self, now: float) -> None:
        if signals.stop_requested():
            self._erase()
            signals.stop()
        elif streams.in_foreground() and self._stderr.is_ready_to_draw(whole=not self._drawn):
            self._draw(now)

    def _draw(self, now: float) -> None:
        size = columns, height = window(STDERR)
        visible = self._visible(height)
        pictures = [row.picture(now, self._usual_seconds, columns) for row in visible]
        if len(visible) < len(self._rows):
            finished = sum(row.finished_at is not None for row in self._rows.values())
            hidden = len(self._rows) - finished - len(visible)
            more = f"{hidden} more building; " if hidden else ""
            pictures.append(Text(f"  {more}{finished} of {len(self._rows)} finished", "detail"))
        rows = rendering.rows(Group(*pictures), columns)
        fits = size == self._size and len(rows) == len(self._drawn)
        drawn = self._drawn if fits else [[]] * len(rows)
        self._turn = (self._turn + 1) % (2 * len(rows))
        if self._turn < len(rows):  # every other frame, as it costs a slow terminal more
            drawn[self._turn] = []
        changed = ("" if fits else ERASE) + rendering.changed(drawn, rows)
        up = f"\x1b[{len(rows) - 1}A" if len(rows) > 1 else ""
        self._stderr.write(f"{HIDE_CURSOR}{changed}{up}\r")
        self._shown, self._drawn, self._size = True, rows, size

    def _visible(self, height: int) -> list[Row]:
        """All rows while they fit, else those still building, one line left for the count."""
        rows = list(self._rows.values())
        if len(rows) <= max(height - 1, 1):
            return rows
        return [row for row in rows if row.finished_at is None][: max(0, height - 2)]

    def _erase(self) -> None:
        if self._shown:
            self._stderr.write(ERASE + SHOW_CURSOR)
            self._shown, self._drawn = False, []


def _problem_text(problem: Problem, now: float) -> str:
    seconds = round(problem.next_at - now)
    return f"  {problem.reason}, retrying{f' in {duration(seconds)}' if seconds > 0 else ''}"


def _compared(seconds: float, usual_seconds: float, columns: int) -> Text:
    """How far a build is by the usual time, in so many columns where they are enough."""
    about = f"about {duration(usual_seconds)}"
    if seconds > usual_seconds:
        text = f"  longer than usual ({about})"
        return Text(text if len(text) <= columns else "  longer than usual", "time")
    width = max(MIN_BAR_COLUMNS, min(BAR_COLUMNS, columns - len(f"   {about}")))
    bar = rendering.bar(seconds / usual_seconds, width, as_ascii=not _has("━╸╺"))
    return Text.assemble("  ", bar, (f" {about}", "time"))


def _has(characters: str) -> bool:
    """Whether the stream's encoding has these characters."""
    return b"\\" not in encode(characters, STDERR)


def _single_width(text: str) -> str:
    """The text in characters that are one column wide in every terminal, whatever rich counts."""
    return text.encode("ascii", "backslashreplace").decode()


def _spinner() -> str:
    """The spinner whose frames the stream's encoding has."""
    return "dots" if _has("".join(Spinner("dots").frames)) else "line"
