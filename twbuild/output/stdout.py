"""What stdout gets: the result, nothing else, said once."""

from __future__ import annotations

import math

from twbuild import signals
from twbuild.api.models import Build
from twbuild.errors import OutputError
from twbuild.outcome import Outcome
from twbuild.output import messages, terminal
from twbuild.output.terminal import STDOUT, UnreadOutputError, window, write_line
from twbuild.text import plain
from twbuild.watch.events import Details, Finished

LAST_SECONDS = 1.0  # for a stdout without a reader, after a signal or the deadline


class Result:
    """Writes each result as it comes; on a terminal all of them at the end, in the order given.

    The JSON object of a failed build waits for the build's details. `deadline` is a time of
    `time.monotonic`.
    """

    deadline = math.inf

    def __init__(self, *, as_json: bool, several: bool, once: bool) -> None:
        self.on_terminal = terminal.is_terminal(STDOUT)
        self.styled = self.on_terminal and not as_json and terminal.speaks_escapes()
        self._as_json = as_json
        self._several = several
        self._once = once
        self._written: set[str | None] = set()
        self._failed: dict[str | None, Finished] = {}
        self._builds: dict[str | None, Build] = {}

    def take(self, finished: Finished) -> None:
        """Write how one build ended. Raises OutputError."""
        if self._as_json and finished.outcome is Outcome.FAILED:
            self._failed[finished.sid] = finished
        elif not self.on_terminal:
            self._write(finished)
            self._written.add(finished.sid)

    def take_details(self, details: Details) -> None:
        """Write the JSON that waited for the details of a failed build. Raises OutputError."""
        if details.build:
            self._builds[details.sid] = details.build
        if self._as_json and not self.on_terminal:
            self._write(self._failed[details.sid])
            self._written.add(details.sid)

    def finish(self, endings: list[Finished]) -> None:
        """Write what `take` has not written yet. Raises OutputError."""
        for finished in endings:
            if finished.sid not in self._written:
                self._write(finished)

    def _write(self, finished: Finished) -> None:
        is_verdict = finished.outcome.is_verdict
        if not is_verdict and not self._as_json:
            return
        try:
            write_line(self._line(finished), terminal=self.on_terminal, limit=self._limit)
        except OutputError as error:
            # The exit code says how a build without a verdict ended; a signal ends us anyway.
            is_optional = isinstance(error, UnreadOutputError) and not is_verdict
            if not is_optional and not signals.came():
                raise

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
