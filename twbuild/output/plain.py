"""Progress in plain lines, for logs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from twbuild.api.models import Status
from twbuild.output import messages
from twbuild.output.stderr import Stderr
from twbuild.text import Line, age, counted, duration, printable
from twbuild.watch.events import Asked, Building, Note, Picked, Tick, Trouble
from twbuild.watch.state import Event, Over

DAY_SECONDS = 86400.0
HEARTBEAT_SECONDS = 30.0  # CI kills jobs that are silent for long

Happening = Event | Asked | Note | Tick


class Progress(Protocol):
    """Shows what happens on stderr."""

    frame_seconds: float

    def show(self, event: Happening) -> None:
        """Take in what happened."""

    def close(self) -> None:
        """Leave the screen as it was, for the closing lines."""


class Plain:
    """A line at the start, for every change and trouble, and one now and then.

    `quiet` leaves out all but what `-v` asked for; without `repeats`, verdicts are left to stdout.
    """

    frame_seconds = 1.0

    def __init__(
        self,
        stderr: Stderr,
        sids: Sequence[str | None],
        *,
        quiet: bool = False,
        verbose: bool = False,
        repeats: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stderr = stderr
        self._quiet = quiet
        self._verbose = verbose
        self._repeats = repeats
        self._clock = clock
        self._start = self._last = clock()
        self._states: dict[str | None, str] = dict.fromkeys(sids, "asking")
        self._several = len(sids) > 1

    def close(self) -> None:
        """Lines stay."""
        self._stderr.begin_closing()

    def show(self, event: Happening) -> None:
        """Say what happened, if it is worth a line."""
        if isinstance(event, Tick):
            self._beat()
            return
        if isinstance(event, Picked):
            self._states = {event.sid: self._states.get(None, "asking")}
        elif isinstance(event, Over):
            self._states.pop(event.sid, None)
            if not self._several or (not self._repeats and event.outcome in messages.VERDICTS):
                return  # it is told elsewhere
        line = self._line(event)
        wanted = self._verbose if verbose_only(event) else not self._quiet
        if line and wanted:
            self._stderr.say([line])
            self._last = self._clock()

    def _line(self, event: Happening) -> Line | None:
        if isinstance(event, Building):
            self._states[event.sid] = Status.BUILDING.value
        elif isinstance(event, Trouble):
            self._states[event.sid] = event.reason
        return line(event, self._clock())

    def _beat(self) -> None:
        now = self._clock()
        if self._quiet or not self._states or now - self._last < HEARTBEAT_SECONDS:
            return
        self._last = now
        waited = duration(now - self._start)
        if self._several:
            told = f"{counted(len(self._states), 'build')} not over yet"
        else:
            sid, state = next(iter(self._states.items()))
            told = f"{state}  {sid or 'the newest build'}"
        self._stderr.say([[(f"{told}  ({waited})", "")]])


def verbose_only(event: Happening) -> bool:
    """Whether only `-v` asks for it."""
    return isinstance(event, Asked) or (isinstance(event, Note) and event.verbose)


def line(event: Happening, now: float) -> Line | None:
    """One line that tells the event; None for what is told elsewhere."""
    if isinstance(event, Note):
        return [(event.text, "hint")]
    if isinstance(event, Asked):
        request = f", request {event.request_id}" if event.request_id else ""
        milliseconds = round(event.seconds * 1000)
        return [(f"GET {printable(event.url)}: {event.came}, {milliseconds} ms{request}", "hint")]
    if isinstance(event, Picked):
        count = event.others_in_progress
        others = f", {counted(count, 'other')} in progress" if count else ""
        today = event.age_seconds < DAY_SECONDS
        when = f"{event.created:%H:%M:%S} UTC" if today else f"{event.created:%Y-%m-%d}"
        told = f"the newest: {event.sid}, created {when}"
        return [(f"{told} ({age(event.age_seconds)}){others}", "hint")]
    if isinstance(event, Building):
        return [("building", "building"), (f"  {event.sid}", "")]
    if isinstance(event, Trouble):
        wait = duration(max(0.0, event.next_at - now))
        return [
            (f"{event.reason}, next try in {wait}", "trouble"),
            (f"  {event.sid or ''}".rstrip(), ""),
        ]
    if isinstance(event, Over):
        return messages.headline(event, once=False)
    return None
