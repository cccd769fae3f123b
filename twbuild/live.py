"""The live screen: one row a build on stderr, drawn by rich, gone when it is over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from rich.spinner import Spinner

from twbuild import screen
from twbuild.events import Building, Picked, Status, Tick, Trouble
from twbuild.progress import Happening, line, verbose_only
from twbuild.streams import STDERR, Stderr, encode
from twbuild.text import clock as clock_text
from twbuild.text import duration
from twbuild.watch import Over

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
ERASE_TO_LINE_END, ERASE_BELOW = "\x1b[K", "\x1b[J"

_STOPS = [n for n in (getattr(signal, "SIGTSTP", None),) if n is not None]


@dataclass
class Row:
    """What is known of one build."""

    sid: str | None
    status: str = "asking"
    trouble: Trouble | None = None
    over_at: float | None = None


class Live:
    """Draws frames on stderr until it is closed.

    The cursor always rests at the start of the first row: a terminal that rewraps its lines when
    made narrower takes it along, and the next frame wipes whatever was left below.
    """

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
        self._rows = {sid: Row(sid) for sid in sids}
        self._shown = False
        self._spinner = _frames()
        self._cache: dict[tuple[object, ...], str] = {}

        self._previous = {n: signal.getsignal(n) for n in _STOPS}
        for number, handler in self._previous.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, self._stop)

    def close(self) -> None:
        """Wipe the rows, and give the cursor and Ctrl-Z back."""
        try:
            self._erase()
        finally:
            self._erase()  # once more, in case that a signal cut the first one short
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    def show(self, event: Happening) -> None:
        """Take in what happened; draw at each tick."""
        now = self._clock()
        if isinstance(event, Tick):
            self._draw(now)
        elif isinstance(event, Building):
            self._rows[event.sid] = Row(event.sid, Status.BUILDING.value)
        elif isinstance(event, Trouble):
            self._rows[event.sid].trouble = event
        elif isinstance(event, Over):
            self._rows[event.sid] = Row(event.sid, event.outcome.value, over_at=now)
        else:
            if isinstance(event, Picked):
                self._rows = {event.sid: Row(event.sid)}
            told = line(event, now)
            if told and (self._verbose or not verbose_only(event)) and self._in_foreground():
                self._erase()
                self._stderr.say([told])
                self._draw(now)

    def _draw(self, now: float) -> None:
        if not self._in_foreground():
            return
        columns, height = screen.window(STDERR)
        rows = self._visible(height)
        if len(self._cache) > 4 * len(rows) + 40:
            self._cache.clear()
        lines = [self._row(row, now, columns) for row in rows]
        if len(rows) < len(self._rows):
            over = sum(row.over_at is not None for row in self._rows.values())
            hidden = len(self._rows) - over - len(rows)
            more = f"{hidden} more building; " if hidden else ""
            told = f"  {more}{over} of {len(self._rows)} over"
            lines.append(self._styled([(told, "hint")], columns))
        # Erased before it is written: behind a full row the cursor stands on its last column.
        *upper, last = lines
        body = "".join(f"{ERASE_TO_LINE_END}{text}\r\n" for text in upper) + ERASE_BELOW + last
        up = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        self._shown = True
        self._stderr.draw(f"{HIDE_CURSOR}\r{body}{up}\r")

    def _visible(self, height: int) -> list[Row]:
        """All rows while they fit, else those still building, with a line left for the count."""
        rows = list(self._rows.values())
        if len(rows) < height:
            return rows
        return [row for row in rows if row.over_at is None][: max(0, height - 2)]

    def _row(self, row: Row, now: float, columns: int) -> str:
        time_text = clock_text((row.over_at or now) - self._start)
        note = _note(row.trouble, now) if row.trouble else ""
        key = (row.sid, row.status, time_text, note, columns)
        if key not in self._cache:
            text = [
                (f" {row.status:<9}", row.status if row.status in screen.THEME.styles else ""),
                (f"  {time_text}", "time"),
                (f"  {row.sid or 'the newest build'}", ""),
                (note, "trouble"),
            ]
            self._cache[key] = screen.styled(text, max(columns - 1, 0))
        return self._mark(row, now) + self._cache[key]

    def _mark(self, row: Row, now: float) -> str:
        marks = {"completed": "✓", "failed": "✗"}
        if row.over_at is None:
            frame = int((now - self._start) / self.frame_seconds) % len(self._spinner)
            return self._styled([(self._spinner[frame], "building")], 1)
        mark = marks.get(row.status, "!")
        return self._styled([(mark, row.status if row.status in marks else "trouble")], 1)

    def _styled(self, spans: list[tuple[str, str]], columns: int) -> str:
        key = (columns, *spans)
        if key not in self._cache:
            self._cache[key] = screen.styled(spans, columns)
        return self._cache[key]

    def _erase(self) -> None:
        if self._shown:
            self._stderr.write(f"\r{ERASE_BELOW}{SHOW_CURSOR}")
            self._shown = False

    def _stop(self, number: int, _: FrameType | None) -> None:
        """Ctrl-Z: leave the terminal to the shell, stop, and come back to a clean line."""
        self._erase()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._stop)

    def _in_foreground(self) -> bool:
        """Whether the terminal is ours to draw on; a job in the background draws nothing."""
        try:
            return os.tcgetpgrp(STDERR) == os.getpgrp()
        except (OSError, AttributeError):
            return True  # not our controlling terminal, or Windows: nobody else draws on it


def _note(trouble: Trouble, now: float) -> str:
    left = round(trouble.next_at - now)
    return f"  {trouble.reason}, {f'next try in {duration(left)}' if left > 0 else 'trying again'}"


def _frames() -> list[str]:
    """The spinner's frames, as far as the stream's encoding has them."""
    dots = Spinner("dots").frames
    return dots if b"\\" not in encode("".join(dots), STDERR) else Spinner("line").frames
