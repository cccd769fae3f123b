"""Progress in plain lines, for logs; and the protocol that the live screen shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from twbuild.api.models import Status
from twbuild.durations import age, duration, utc_time
from twbuild.output import messages
from twbuild.output.stderr import Stderr
from twbuild.text import Line, counted, printable
from twbuild.watch.events import (
    Building,
    Event,
    Finished,
    Notice,
    Problem,
    RequestEnded,
    Selected,
    Started,
    Tick,
    Usual,
)

HEARTBEAT_SECONDS = 30.0  # CI kills jobs that are silent for long
ONCE_SECONDS = 5.0  # a user may think that `status` hangs


class Progress(Protocol):
    """Shows events on stderr."""

    frame_seconds: float

    def show(self, event: Event) -> None:
        """Show one event, where it is to be shown."""

    def close(self) -> None:
        """Leave the screen as it was, for the closing lines."""


class Plain:
    """A line at the start, for every change and problem, and one now and then.

    `is_shown` says which events have a line, a Tick for the line now and then. Where the
    status is asked for `once`, which has no line at the start, the first of these comes sooner.
    """

    frame_seconds = 1.0

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
        self._silence_seconds = ONCE_SECONDS if once else HEARTBEAT_SECONDS
        self._clock = clock
        self._start = self._last = clock()
        self._states: dict[str | None, str] = dict.fromkeys(sids, "asking")
        self._several = len(sids) > 1
        self._usual = ""
        self._begun: set[str] = set()  # builds that have been seen building

    def close(self) -> None:
        """Lines stay."""
        self._stderr.begin_closing()

    def show(self, event: Event) -> None:
        """Write the event's line, if it has one and it is shown."""
        if isinstance(event, Selected):
            self._states = {event.sid: self._states.get(None, "asking")}
        elif isinstance(event, Building):
            self._states[event.sid] = Status.BUILDING.value
        elif isinstance(event, Problem):
            self._states[event.sid] = event.reason
        elif isinstance(event, Finished):
            self._states.pop(event.sid, None)
        elif isinstance(event, Usual):
            self._usual = f"usually about {duration(event.seconds)}"
        now = self._clock()
        text = self._heartbeat(now) if isinstance(event, Tick) else line(event, now)
        if isinstance(event, Building) and event.sid in self._begun:
            text = [("building again", "building"), (f"  {event.sid}", "")]
        elif isinstance(event, Building):
            self._begun.add(event.sid)
        if text and self._is_shown(event):
            self._stderr.say([text])
            self._last = self._clock()

    def _heartbeat(self, now: float) -> Line | None:
        if not self._states or now - self._last < self._silence_seconds:
            return None
        self._silence_seconds = HEARTBEAT_SECONDS
        waited = duration(now - self._start)
        if self._several:
            count = counted(len(self._states), "build")
            text = f"waiting for {count}  ({', '.join(filter(None, (waited, self._usual)))})"
        else:
            sid, state = next(iter(self._states.items()))
            text = f"{state}  {sid or 'the newest build'}  ({waited})"
            if state == Status.BUILDING.value and self._usual:
                text = f"still building after {waited} ({self._usual})  {sid}"
        return [(text, "")]


def line(event: Event, now: float) -> Line | None:
    """The event in one line; None where another line says it."""
    if isinstance(event, Notice):
        return [(event.text, "detail")]
    if isinstance(event, Started):
        builds = counted(len(event.sids), "build")
        if len(event.sids) < 2:
            builds = event.sids[0] if event.sids else "the newest build"
        seconds = event.limit_seconds
        limit = f"at most {duration(seconds)}" if seconds else "no time limit"
        return [(f"waiting for {builds} in {event.service}, {limit}", "detail")]
    if isinstance(event, RequestEnded):
        found_id = f"  {event.request_id}" if event.request_id else ""
        result = f"{event.result.removeprefix('HTTP ')}  {round(event.seconds * 1000)} ms"
        return [(f"  {result}  GET {printable(event.url)}{found_id}", "request")]
    if isinstance(event, Selected):
        count = event.others_in_progress
        others = f", {counted(count, 'other')} in progress" if count else ""
        created = utc_time(event.created, event.created + timedelta(seconds=event.age_seconds))
        when = f"created {created}, {age(event.age_seconds)}"
        return [(f"newest build: {event.sid} ({when}){others}", "detail")]
    if isinstance(event, Building):
        return [("building", "building"), (f"  {event.sid}", "")]
    if isinstance(event, Problem):
        wait = duration(max(0.0, event.next_at - now))
        retry = f"{event.reason}, retrying in {wait}"
        return [(retry, "problem"), messages.build_label(event.sid)]
    if isinstance(event, Finished):
        return messages.headline(event, once=False)
    return None
