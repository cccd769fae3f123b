"""What stdout gets: the result, nothing else, said once."""

from __future__ import annotations

import math
import time

from twbuild import signals
from twbuild.api.models import Build
from twbuild.errors import OutputError
from twbuild.outcome import Outcome
from twbuild.output import messages, terminal
from twbuild.output.terminal import STDOUT, Stream, flush_result, window
from twbuild.text import plain
from twbuild.watch.events import Details, Event, Finished

LAST_SECONDS = 1.0  # for a stdout without a reader, after a signal or the deadline
_SLICE_SECONDS = 0.05  # between two checks of that limit


class Result:
    """Writes each result as it comes; on a terminal all of them at the end, in the order given.

    What stdout does not take at once waits, and is written as events go on, or at the end.

    The JSON object of a failed build waits for the build's details. `deadline` is a time of
    `time.monotonic`.
    """

    deadline = math.inf

    def __init__(self, *, as_json: bool, several: bool, once: bool) -> None:
        self._stdout = Stream(STDOUT)
        self.on_terminal = self._stdout.is_terminal
        self.styled = self.on_terminal and not as_json and terminal.speaks_escapes()
        self._as_json = as_json
        self._several = several
        self._once = once
        self._written: set[str | None] = set()
        self._verdicts: list[bool] = []  # of each line whether it is one
        self._failed: dict[str | None, Finished] = {}
        self._builds: dict[str | None, Build] = {}

    def show(self, event: Event) -> None:
        """Write how a build ended, and what waits. Raises OutputError."""
        if isinstance(event, Finished):
            if self._as_json and event.outcome is Outcome.FAILED:
                self._failed[event.sid] = event
            elif not self.on_terminal:
                self._write(event)
        elif isinstance(event, Details):
            if event.build:
                self._builds[event.sid] = event.build
            if self._as_json and not self.on_terminal:
                self._write(self._failed[event.sid])
        self._flush(0)

    def finish(self, endings: list[Finished]) -> None:
        """Write what has not been written yet, and wait for its reader. Raises OutputError."""
        for finished in endings:
            if finished.sid not in self._written:
                self._write(finished)
        while not self._flush(_SLICE_SECONDS) and time.monotonic() < self._limit():
            pass
        # The exit code says how a build without a verdict ended; a signal ends us anyway.
        unread = len(self._stdout.waiting)
        if unread and any(self._verdicts[-unread:]) and not signals.came():
            raise OutputError("could not write the result to stdout: nothing reads it")

    def _write(self, finished: Finished) -> None:
        self._written.add(finished.sid)
        if finished.outcome.is_verdict or self._as_json:
            self._stdout.put(self._line(finished) + "\n")
            self._verdicts.append(finished.outcome.is_verdict)

    def _flush(self, seconds: float) -> bool:
        try:
            return flush_result(self._stdout, seconds)
        except OutputError:
            if not signals.came():
                raise
            return True

    def _line(self, finished: Finished) -> str:
        if self._as_json:
            return messages.as_json(finished, self._builds.get(finished.sid))
        if not self.on_terminal:
            return messages.word(finished, several=self._several)
        line = messages.headline(finished, once=self._once)
        if not self.styled:
            return plain(line)
        from twbuild.output import theme

        return theme.wrapped(line, window(STDOUT)[0])

    def _limit(self) -> float:
        return min(signals.came_at(), self.deadline) + LAST_SECONDS
