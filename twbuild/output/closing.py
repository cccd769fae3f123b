"""The closing lines on stderr, and the order of importance in which GitHub gets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from twbuild.api.models import Build
from twbuild.outcome import Outcome
from twbuild.output import messages
from twbuild.output.stderr import Stderr
from twbuild.text import Line, plain
from twbuild.watch.events import Details, Finished
from twbuild.watch_options import WatchOptions


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


def closing(
    endings: Sequence[Finished],
    builds: Mapping[str, Build | None],
    service: str,
    options: WatchOptions,
    stderr: Stderr,
    *,
    repeats: bool,
) -> Closing:
    """What neither stdout nor a line of progress has said already; `builds` are failed ones.

    `repeats` says whether the lines repeat the result.
    """
    several, live = len(endings) > 1, stderr.styled and not options.once
    is_in_progress_lines = several and not live and not options.quiet

    def is_unsaid(finished: Finished) -> bool:
        outcome = finished.outcome
        if stderr.annotates and outcome not in (Outcome.COMPLETED, Outcome.BUILDING):
            return True
        if not outcome.is_verdict:
            return not is_in_progress_lines
        if options.quiet or options.once:
            return repeats and outcome is Outcome.FAILED and not options.quiet
        return repeats and not is_in_progress_lines

    is_detailed = stderr.annotates or not options.quiet
    command = ["twbuild", "wait", *(["-p", options.profile] if options.profile else [])]
    command += ["--", service] if service.startswith("-") else [service]
    return Closing(
        headlines=[(f, messages.headline(f, once=options.once)) for f in endings if is_unsaid(f)],
        summary=[messages.summary(endings)] if several and is_detailed else [],
        hints=messages.hints(endings),
        resume=messages.resume(endings, command),
        requests=messages.details(endings),
        builds=_failed_builds(endings, builds) if is_detailed else [],
    )


def _failed_builds(
    endings: Sequence[Finished], builds: Mapping[str, Build | None]
) -> list[list[Line]]:
    return [
        messages.failed_build(Details(f.sid, builds.get(f.sid)), several=len(endings) > 1)
        for f in endings
        if f.sid and f.outcome is Outcome.FAILED
    ]
