"""Who says what: the result on stdout, progress and closing lines on stderr, GitHub's annotation.

The rest of the program does not know whether it speaks to a terminal, a CI log, GitHub or jq.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence

from twbuild.api.models import Build, BuildStatus, Status
from twbuild.config.settings import api_name
from twbuild.errors import CredentialsError, OutputError, TwbuildError
from twbuild.invocation import program
from twbuild.outcome import ExitCode, Outcome, most_urgent
from twbuild.output import github, json_object, messages
from twbuild.output.closing import Closing
from twbuild.output.failed_build import failed_build
from twbuild.output.plain import Plain, Progress
from twbuild.output.stderr import Stderr
from twbuild.output.stdout import Stdout
from twbuild.text import Line
from twbuild.watch.events import Details, Event, Finished, Notice, RequestEnded, Started, Usual
from twbuild.watch_options import WatchOptions

# What a format prints for each build, in place of a word or a line.
FORMATS: Mapping[str, Callable[[Finished, Details | None], str]] = {"json": json_object.line}


def refuse(error: TwbuildError, progress: str | None = None) -> ExitCode:
    """Write why nothing is watched, in the form that `--progress` has; returns the exit code."""
    _close(Stderr(progress), error.lines, [[line] for line in error.lines])
    return error.exit_code


class Report:
    """Shows what happens while builds are watched, and how it ended."""

    def __init__(self, options: WatchOptions) -> None:
        self._options = options
        self._stdout = Stdout()
        self._stderr = Stderr(options.progress)
        self._format = FORMATS.get(options.format or "")
        self._is_on_screen = self._stdout.is_terminal and self._stderr.is_terminal
        self._is_detailed = _is_annotated(self._stderr) or not options.quiet
        self._progress: Progress = Plain(self._stderr, (), self._is_shown)
        self._several = False
        self._has_lines = False  # of progress, for the end of each build
        self._written: set[str | None] = set()
        self._failed: dict[str | None, Finished] = {}
        self._details: dict[str | None, Details] = {}
        self._usual_seconds: float | None = None
        self._unwritten: OutputError | None = None

    @property
    def wants_details(self) -> bool:
        """Whether it shows what a failed build was made of."""
        return self._is_detailed or self._format is not None

    @property
    def wants_earlier(self) -> bool:
        """Whether it shows what earlier builds tell."""
        return not self._options.quiet

    def refuse(self, error: TwbuildError, sids: Sequence[str | None]) -> ExitCode:
        """Write why the builds are not watched; returns the exit code. Raises OutputError.

        Without credentials each build has its object all the same.
        """
        if isinstance(error, CredentialsError):
            self._finish([Finished(s, Outcome.UNAUTHORIZED, None, 0.0, 0, error) for s in sids])
        return refuse(error, self._options.progress)

    def begin(self, sids: Sequence[str | None]) -> float:
        """Begin to show these builds, None for the newest; returns seconds between two frames."""
        self._several = len(sids) > 1
        if self._stderr.is_live or (self._stdout.is_styled and not self._format):
            from twbuild.output import rendering

            rendering.load()
        if self._stderr.is_live and not self._options.quiet:
            from twbuild.output.live import Live

            self._progress = Live(self._stderr, sids, self._is_shown, once=self._options.once)
        else:
            self._has_lines = self._several and not self._options.quiet
            self._progress = Plain(self._stderr, sids, self._is_shown, once=self._options.once)
        return self._progress.frame_seconds

    def show(self, event: Event) -> None:
        """Show one event."""
        self._progress.show(event)
        if isinstance(event, Finished):
            if self._format and event.outcome is Outcome.FAILED:
                self._failed[event.sid] = event  # its object waits for its details
            elif not self._stdout.is_terminal:
                self._write(event)
        elif isinstance(event, Usual):
            self._usual_seconds = event.seconds
        elif isinstance(event, Details):
            self._details[event.sid] = event
            if self._format and not self._stdout.is_terminal:
                self._write(self._failed[event.sid])
        self._try_to_write(self._stdout.flush)

    def close(self) -> None:
        """Leave the screen as it was before."""
        self._progress.close()

    def finish(self, endings: Sequence[Finished], service: str, deadline: float) -> ExitCode:
        """Write the results that are not written yet, and the closing lines.

        Returns the exit code. `deadline` is a time of `time.monotonic`.
        """
        self._try_to_write(lambda: self._finish(endings, deadline))
        outcome = most_urgent(finished.outcome for finished in endings)
        closing = self._closing(endings, service)
        parts = closing.parts() if outcome.is_annotated or self._unwritten else []
        _close(self._stderr, closing.lines(is_spaced=self._stderr.is_live), parts)
        return self._unwritten.exit_code if self._unwritten else outcome.exit_code

    def _try_to_write(self, write: Callable[[], object]) -> None:
        """Write to stdout; where that fails, stderr says so at the end, and what is known."""
        try:
            write()
        except OutputError as error:
            self._unwritten = error

    def _finish(self, endings: Sequence[Finished], deadline: float = math.inf) -> None:
        for finished in endings:
            if finished.sid not in self._written:
                self._write(finished)
        self._stdout.finish(deadline)

    def _write(self, finished: Finished) -> None:
        """Write one build's result; without a verdict only a format has something to say."""
        self._written.add(finished.sid)
        is_verdict = finished.outcome.is_verdict
        if self._format:
            self._stdout.put(
                self._format(finished, self._details.get(finished.sid)), is_verdict=is_verdict
            )
        elif is_verdict and self._stdout.is_terminal:
            self._stdout.put_line(messages.headline(finished, once=self._options.once))
        elif is_verdict:
            self._stdout.put(messages.word(finished, several=self._several), is_verdict=True)

    def _is_shown(self, event: Event) -> bool:
        """Whether an event has a line of progress, if it has a line at all."""
        if isinstance(event, RequestEnded) or (isinstance(event, Notice) and event.verbose):
            return self._options.verbose
        if isinstance(event, Started):
            return not (self._options.quiet or self._stderr.is_live)
        if isinstance(event, Finished):
            return self._has_lines and not (self._is_on_screen and event.outcome.is_verdict)
        return not self._options.quiet

    def _is_said(self, finished: Finished) -> bool:
        """Whether stdout, or a line of progress, has said how a build ended."""
        is_bad = finished.outcome not in (Outcome.COMPLETED, Outcome.BUILDING)
        if self._unwritten or (is_bad and _is_annotated(self._stderr)):
            return False  # the annotation names it
        if not finished.outcome.is_verdict:
            return self._has_lines
        stdout_suffices = self._options.once and finished.outcome is not Outcome.FAILED
        return self._is_on_screen or self._has_lines or self._options.quiet or stdout_suffices

    def _failed_build(self, sid: str, answer: BuildStatus | None) -> list[Line]:
        """What is known of a failed build; no support knows of a request to the sandbox."""
        found = self._details.get(sid, Details(sid, None))
        build = found.build or Build(sid, Status.FAILED, request_id=answer and answer.request_id)
        if answer and answer.from_sandbox:
            build = build._replace(request_id=None)
        return failed_build(build, found.changes, several=self._several)

    def _closing(self, endings: Sequence[Finished], service: str) -> Closing:
        once, several = self._options.once, len(endings) > 1
        profile = ["-p", self._options.profile] if self._options.profile else []
        name = ["--", service] if service.startswith("-") else [service]
        failed = [f for f in endings if f.sid and f.outcome is Outcome.FAILED]
        builds = [self._failed_build(f.sid, f.answer) for f in failed if f.sid]
        summary = [self._unwritten.headline] if self._unwritten else []
        summary += [messages.summary(endings)] if several and self._is_detailed else []
        return Closing(
            headlines=[
                (f, messages.headline(f, once=once)) for f in endings if not self._is_said(f)
            ],
            summary=summary,
            hints=[*messages.hints(endings), *messages.usual(endings, self._usual_seconds)],
            resume=messages.resume(
                endings, [*program(), "wait", *profile, *name], api_name(os.environ)
            ),
            requests=messages.requests(endings),
            builds=builds if self._is_detailed else [],
        )


def _is_annotated(stderr: Stderr) -> bool:
    """Whether GitHub gets an annotation; a terminal that a user watches does not."""
    return github.is_wanted() and not stderr.is_live


def _close(stderr: Stderr, lines: Sequence[Line], parts: Sequence[Sequence[Line]]) -> None:
    """Write the closing lines; as GitHub's annotation where it gets one.

    Where they do not fit into it, they stand above it, and it shows the most important `parts`.
    """
    if not (parts and _is_annotated(stderr)):
        stderr.close(lines)
        return
    annotation, is_whole = github.annotation(lines, parts)
    stderr.close([] if is_whole else lines)
    stderr.write(f"{annotation}\n")
