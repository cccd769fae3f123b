"""What stdout gets: the result, nothing else, said once."""

from __future__ import annotations

import math

from twbuild import signals
from twbuild.api.models import Build
from twbuild.errors import UnwritableError
from twbuild.outcome import Outcome
from twbuild.output import messages, terminal
from twbuild.output.terminal import STDOUT, UnreadError, tell, window
from twbuild.text import plain
from twbuild.watch.events import Made
from twbuild.watch.state import Over

LAST_SECONDS = 1.0  # for a stdout that nobody reads, after a signal or the deadline


class Result:
    """Tells each outcome as it comes; on a terminal all of them at the end, in the order given.

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
        self._told: set[str | None] = set()
        self._failed: dict[str | None, Over] = {}
        self._builds: dict[str | None, Build] = {}

    def take(self, over: Over) -> None:
        """One build is over. Raises UnwritableError."""
        if self._as_json and over.outcome is Outcome.FAILED:
            self._failed[over.sid] = over
        elif not self.on_terminal:
            self._tell(over)
            self._told.add(over.sid)

    def take_details(self, details: Made) -> None:
        """What Twilio tells of a failed build, or that it does not. Raises UnwritableError."""
        if details.build:
            self._builds[details.sid] = details.build
        if self._as_json and not self.on_terminal:
            self._tell(self._failed[details.sid])
            self._told.add(details.sid)

    def finish(self, overs: list[Over]) -> None:
        """All are over; tells those that `take` has not told. Raises UnwritableError."""
        for over in overs:
            if over.sid not in self._told:
                self._tell(over)

    def _tell(self, over: Over) -> None:
        verdict = over.outcome in messages.VERDICTS
        if not verdict and not self._as_json:
            return
        try:
            tell(self._line(over), terminal=self.on_terminal, limit=self._limit)
        except UnwritableError as error:
            says_it = isinstance(error, UnreadError) and not verdict  # the exit code does
            if not says_it and not signals.came():  # else the signal is what ends us
                raise

    def _line(self, over: Over) -> str:
        if self._as_json:
            return messages.as_json(over, self._builds.get(over.sid))
        if not self.on_terminal:
            return messages.word(over, several=self._several)
        line = messages.headline(over, once=self._once)
        if not self.styled:
            return plain(line)
        from twbuild.output import theme

        return theme.wrapped(line, window(STDOUT)[0])

    def _limit(self) -> float:
        return min(signals.came_at(), self.deadline) + LAST_SECONDS
