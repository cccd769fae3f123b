"""The closing lines on stderr, and the order of importance in which GitHub gets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from twbuild.output import messages
from twbuild.text import Line, plain
from twbuild.watch.events import Finished


class Closing(NamedTuple):
    """How builds ended, in lines; those of each list in `builds` belong to one failed build."""

    headlines: Sequence[tuple[Finished, Line]]
    summary: Sequence[Line]
    hints: Sequence[Line]
    resume: Sequence[Line]
    requests: Sequence[Line]
    builds: Sequence[Sequence[Line]]

    def lines(self, *, is_spaced: bool) -> list[Line]:
        """All lines as they follow each other; `is_spaced` sets failed builds apart."""
        lines = [line for _, line in self.headlines]
        lines += [*self.summary, *self.hints, *self.resume, *self.requests]
        for build in self.builds:
            lines += [[], *build] if is_spaced else build
        return lines

    def parts(self) -> list[Sequence[Line]]:
        """Lines that belong together, the most important first, for where not all of them fit.

        Of several builds first come the counts, then the SIDs and the next steps, then causes.
        """
        hints, requests = [[line] for line in self.hints], [[line] for line in self.requests]
        causes = [[line] for finished, line in self.headlines if messages.is_error(finished)]
        others = [[line] for finished, line in self.headlines if not messages.is_error(finished)]
        if not self.summary:
            return [*causes, *others, *hints, self.resume, *self.builds, *requests]
        first = [self.summary, self.resume, *self._named(), *hints]
        return [*first, *causes, *self.builds, *requests, *others]

    def _named(self) -> list[Sequence[Line]]:
        """Each SID that the command to resume does not name, and how that build ended."""
        resumed = "".join(map(plain, self.resume))
        return [
            [[(f"{messages.in_words(finished)}: {finished.sid}", "")]]
            for finished, _ in self.headlines
            if finished.sid and finished.sid not in resumed
        ]
