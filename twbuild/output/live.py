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
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from rich.console import Group, RenderableType
from rich.spinner import Spinner
from rich.text import Text

from twbuild import signals
from twbuild.durations import clock as clock_text
from twbuild.durations import duration
from twbuild.outcome import Outcome, most_urgent
from twbuild.output import rendering, streams
from twbuild.output.messages import in_words
from twbuild.output.plain import line
from twbuild.output.stderr import Stderr
from twbuild.output.streams import STDERR, encode, window
from twbuild.watch.events import Building, Event, Finished, Problem, Selected, Started, Tick, Usual

ASKING = "asking"  # until the first answer
ONCE_SECONDS = 1.0  # a quick `status` draws nothing
UNANSWERED_SECONDS = 5.0  # then a row says that a request is not answered

# Every so many frames one row is written whole, over what another process may have written there.
# More often would leave fewer than 8 frames a second, as what is written is paced.
WHOLE_ROW_FRAMES = 8
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
# The first row, then all below it: tmux keeps what is erased from the window's very first place.
ERASE = "\r\x1b[K\x1b[C\x1b[J\r"

BAR_COLUMNS, MIN_BAR_COLUMNS = 12, 6


class Row:
    """What is known of one build, and rich's picture of it."""

    def __init__(self, sid: str | None, start: float) -> None:
        self.sid = sid
        self.status = ASKING
        self.problem: Problem | None = None
        self.unanswered_since: float | None = None
        self.finished: Finished | None = None
        self._start = start
        self._text = Text()
        self._shown: tuple[object, ...] = ()
        self._spinner = Spinner(_spinner(), style="building")
        self._spinner.start_time = start

    @property
    def ended_badly(self) -> bool:
        """Whether the build failed, or its watch ended without a verdict."""
        return self.finished is not None and self.finished.outcome is not Outcome.COMPLETED

    def picture(
        self, now: float, usual_seconds: float | None, columns: int, limit: str = ""
    ) -> RenderableType:
        """A spinner and text, or a mark and text where it has ended or there is a problem."""
        problem = "" if self.finished else self._problem(now)
        mark, style = self._mark(problem)
        seconds = self.finished.waited_seconds if self.finished else now - self._start
        waited = clock_text(seconds)
        shown = (self.status, waited, problem, usual_seconds, columns, limit)
        if self._shown != shown:
            self._shown = shown
            self._text = Text.assemble(
                (f"{self.status:<9}", style),
                (f"  {waited}", "time"),
                f"  {self.sid or 'the newest build'}",
            )
            if problem:
                self._text.append(f"  {problem}", "problem")
            elif self.status == Outcome.BUILDING.value and usual_seconds is not None:
                left = columns - 2 - self._text.cell_len
                self._text.append_text(_compared(seconds, usual_seconds, left))
            elif limit and not self.finished:
                self._text.append(f"  {limit}", "detail")
            self._spinner.text = self._text
        return Text.assemble((mark, style), " ", self._text) if mark else self._spinner.render(now)

    def _mark(self, problem: str) -> tuple[str, str]:
        """The mark and its style; no mark where the spinner turns."""
        if self.finished:
            return self.finished.outcome.mark, self.finished.outcome.style
        if problem:
            return Outcome.UNAVAILABLE.mark, "problem"
        return "", "" if self.status == ASKING else "building"

    def _problem(self, now: float) -> str:
        """The reason comes last, as a narrow window crops it."""
        if self.unanswered_since is not None and now - self.unanswered_since >= UNANSWERED_SECONDS:
            return f"no answer for {int(now - self.unanswered_since)}s"
        if self.problem is None:
            return ""
        seconds = round(self.problem.next_at - now)
        retry = f"retry in {duration(seconds)}" if seconds > 0 else "retrying"
        return f"{retry}: {self.problem.short}"


class Live:
    """Draws frames on stderr until it is closed; `is_shown` says which events have a line.

    Where the status is asked for `once`, the first frame comes only if that takes long.
    """

    frame_seconds = 0.11

    def __init__(
        self,
        stderr: Stderr,
        sids: Sequence[str | None],
        is_shown: Callable[[Event], bool],
        *,
        once: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stderr = stderr
        self._is_shown = is_shown
        self._clock = clock
        self._start = clock()
        self._next_frame = self._start + (ONCE_SECONDS if once else 0.0)
        self._limit = ""
        self._usual_seconds: float | None = None
        self._rows = {sid: Row(sid, self._start) for sid in sids}
        self._shown = False
        self._drawn: list[rendering.Row] = []  # as the screen shows them
        self._size = (0, 0)
        self._frames = 0
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
            unanswered = dict(event.unanswered)
            for row in self._rows.values():
                row.unanswered_since = unanswered.get(row.sid)
            self._tick(now)
            return
        self._update(event)
        if isinstance(event, Building) or (isinstance(event, Problem) and streams.in_foreground()):
            return  # its row shows it
        text = line(event, now)
        if text and self._is_shown(event):
            self._stderr.write((ERASE if self._shown else "") + self._stderr.text([text]))
            self._drawn = []
            self._tick(now)

    def _update(self, event: Event) -> None:
        """Update the rows."""
        if isinstance(event, Started):
            limit = event.limit_seconds
            self._limit = f"time limit {duration(limit)}" if limit else "no time limit"
        elif isinstance(event, Usual):
            self._usual_seconds = event.seconds
        elif isinstance(event, Selected):
            self._rows = {event.sid: Row(event.sid, self._start)}
        elif isinstance(event, Building):
            self._rows[event.sid].status = Outcome.BUILDING.value
            self._rows[event.sid].problem = None
        elif isinstance(event, Problem):
            self._rows[event.sid].problem = event
        elif isinstance(event, Finished):
            self._rows[event.sid].finished = event
            self._rows[event.sid].status = in_words(event)
            if self._shown:  # a result in a pipe may lead to this terminal, too
                self._stderr.write(ERASE)
                self._drawn = []
                self._next_frame = self._clock() + self.frame_seconds

    def _tick(self, now: float) -> None:
        if signals.stop_requested():
            self._erase()
            signals.stop()
        elif now < self._next_frame:
            return
        elif streams.in_foreground() and self._stderr.is_ready_to_draw(whole=not self._drawn):
            self._draw(now)

    def _draw(self, now: float) -> None:
        size = columns, height = window(STDERR)
        visible = self._visible(height)
        limit = self._limit if len(self._rows) == 1 else ""
        pictures = [row.picture(now, self._usual_seconds, columns, limit) for row in visible]
        if len(self._rows) > 1:
            pictures.append(self._count(visible))
        rows = rendering.rows(Group(*pictures), columns)
        fits = size == self._size and len(rows) == len(self._drawn)
        drawn = self._drawn if fits else [[]] * len(rows)
        self._frames += 1
        row, others = divmod(self._frames, WHOLE_ROW_FRAMES)
        if not others:
            drawn[row % len(rows)] = []
        changed = ("" if fits else ERASE) + rendering.changed(drawn, rows)
        up = f"\x1b[{len(rows) - 1}A" if len(rows) > 1 else ""
        self._stderr.write(f"{HIDE_CURSOR}{changed}{up}\r")
        self._shown, self._drawn, self._size = True, rows, size

    def _visible(self, height: int) -> list[Row]:
        """The one row; of several all that fit above the count.

        Where not all fit, a build that did not complete comes first, and one that did is left out.
        """
        rows = list(self._rows.values())
        limit = max(0, height - 2)
        if len(rows) == 1 or len(rows) <= limit:
            return rows
        problems = [row for row in rows if row.ended_badly]
        return [*problems, *(row for row in rows if not row.finished)][:limit]

    def _count(self, visible: Sequence[Row]) -> Text:
        rows = self._rows.values()
        finished = sum(row.finished is not None for row in rows)
        hidden = len(rows) - finished - sum(row.finished is None for row in visible)
        endings = [row.finished for row in rows if row.finished and row.ended_badly]
        counts = sorted(Counter(map(in_words, endings)).items())
        words = [f"{finished} of {len(rows)} finished", *(f"{n} {ending}" for ending, n in counts)]
        parts = [", ".join(words), f"{hidden} more building" if hidden else "", self._limit]
        worst = most_urgent(f.outcome for f in endings) if endings else None
        mark = (worst.mark, worst.style) if worst else " "
        return Text.assemble(mark, (f" {'; '.join(filter(None, parts))}", "detail"))

    def _erase(self) -> None:
        if self._shown:
            self._stderr.write(ERASE + SHOW_CURSOR)
            self._shown, self._drawn = False, []


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


def _spinner() -> str:
    """The spinner whose frames the stream's encoding has."""
    return "dots" if _has("".join(Spinner("dots").frames)) else "line"
