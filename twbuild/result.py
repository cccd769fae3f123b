"""What stdout gets: the result, nothing else, said once."""

from __future__ import annotations

from twbuild import report, streams
from twbuild.streams import STDOUT
from twbuild.watch import Over


class Result:
    """Tells each outcome as it comes; on a terminal all of them at the end, in the order given."""

    def __init__(self, *, as_json: bool, several: bool, once: bool) -> None:
        self._on_terminal = streams.is_terminal(STDOUT)
        self.for_people = self._on_terminal and not as_json
        self._as_json = as_json
        self._several = several
        self._once = once
        self._told: set[str | None] = set()

    def take(self, over: Over) -> None:
        """One build is over. Raises UnwritableError."""
        if not self._on_terminal:
            self._told.add(over.sid)
            self._tell(over)

    def finish(self, overs: list[Over]) -> None:
        """All are over; tells those that `take` has not told. Raises UnwritableError."""
        for over in overs:
            if over.sid not in self._told:
                self._tell(over)

    def _tell(self, over: Over) -> None:
        if self._as_json:
            self._write(report.as_json(over))
        elif over.outcome not in report.VERDICTS:
            return
        elif self.for_people:
            from twbuild import screen

            self._write(screen.styled(report.headline(over, once=self._once)))
        else:
            self._write(report.word(over, several=self._several))

    def _write(self, line: str) -> None:
        streams.tell(line, terminal=self._on_terminal)
