"""The wording of endings: a word, a line, next steps, the command to resume.

Nothing is written here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from twbuild.api.models import Status
from twbuild.durations import duration
from twbuild.errors import TwbuildError
from twbuild.outcome import Outcome
from twbuild.text import Line, counted, pasteable
from twbuild.watch.events import Finished

# As the summary counts them, in this order.
ENDINGS = ("completed", "failed", "still building", "not found", "unauthorized", "unknown")
LOST = (Outcome.UNAUTHORIZED, Outcome.UNAVAILABLE)  # the build may still be running


def word(finished: Finished, *, several: bool) -> str:
    """The status for a program."""
    return f"{finished.sid} {finished.outcome.value}" if several else finished.outcome.value


def headline(finished: Finished, *, once: bool) -> Line:
    """How one build ended, in one line; `once` where nothing was waited for."""
    outcome, sid = finished.outcome, f"  {finished.sid or 'the newest build'}"
    waited = duration(finished.waited_seconds)
    if outcome.is_verdict:
        took = "" if once else " (already)" if finished.polls == 1 else f" (waited {waited})"
        ready = "  ready to deploy" if outcome is Outcome.COMPLETED else " " if took else ""
        mark = (f"{outcome.mark} {outcome.value:<9}", outcome.style)
        return [mark, (f"{sid}{ready}", ""), (took, "time")]
    if outcome.is_cut_short:
        state, known = (
            ("building", "still building")
            if _was_building(finished)
            else ("unknown", "status unknown")
        )
        how = f"interrupted after {waited}"
        if outcome is Outcome.TIMEOUT:
            how = f"{known} after {waited}: --timeout"
        return [(f"{outcome.mark} {state:<9}", outcome.style), (sid, ""), (f"  ({how})", "time")]
    error = finished.error or TwbuildError(outcome.value)
    tries = f" ({finished.polls} tries in {waited})" if finished.polls > 1 else ""
    is_named = not finished.sid or finished.sid in error.message
    return [*error.headline, (tries, "time"), *([] if is_named else [build_label(finished.sid)])]


def build_label(sid: str | None) -> tuple[str, str]:
    """Which build a line is about, at its end or on a line of its own."""
    return (f"  build {sid}" if sid else "", "")


def hints(endings: Sequence[Finished]) -> list[Line]:
    """What to do about the errors that ended watches, each hint once."""
    found: dict[Line, None] = {}
    for finished in endings:
        if finished.error is None or finished.outcome.is_verdict:
            continue
        if finished.outcome.is_cut_short:
            found[(("  ", ""), (f"Last error: {finished.error.message}", ""))] = None
        else:
            found.update(dict.fromkeys(finished.error.hint_lines))
    return list(found)


def usual(endings: Sequence[Finished], seconds: float | None) -> list[Line]:
    """How long builds usually take, where `wait` stopped before one had completed."""
    if seconds is None or not any(f.outcome is Outcome.TIMEOUT for f in endings):
        return []
    took = f"about {duration(seconds)}"
    return [[(f"  Builds of this service usually complete in {took}.", "")]]


def is_error(finished: Finished) -> bool:
    """Whether an error ended the watch of the build."""
    return not (finished.outcome.is_verdict or finished.outcome.is_cut_short)


def requests(endings: Sequence[Finished]) -> list[Line]:
    """The requests whose errors ended watches, each once."""
    errors = [finished.error for finished in endings if is_error(finished) and finished.error]
    lines = (line for error in errors for line in error.detail_lines)
    return list(dict.fromkeys(lines))


def resume(endings: Sequence[Finished], command: Sequence[str], api: str = "Twilio") -> list[Line]:
    """The state of builds that may still be running, and the command that waits for them.

    `api` is where they run.
    """
    unfinished = [f for f in endings if f.outcome.is_cut_short or (f.answer and f.outcome in LOST)]
    if not unfinished:
        return []
    lines: list[Line] = []
    for finished in unfinished:
        if finished.outcome in LOST:
            waited = duration(finished.waited_seconds)
            lines.append([(f"  {finished.sid} was still building after {waited}.", "")])
    typed = pasteable([*command, *(finished.sid for finished in unfinished if finished.sid)])
    if any(finished.answer and finished.answer.ends_with_run for finished in unfinished):
        return [*lines, [(f"  {_state_of(unfinished, api)}", "")]]
    return [
        *lines,
        [(f"  {_state_of(unfinished, api)} To wait again:", "")],
        [("    ", ""), (typed, "command")],
    ]


def _state_of(unfinished: Sequence[Finished], api: str) -> str:
    """What Twilio last said of builds that are no longer watched."""
    if any(finished.answer and finished.answer.from_sandbox for finished in unfinished):
        return "Nothing continues at Twilio: the build exists only in the sandbox."
    unknown = sum(not _was_building(finished) for finished in unfinished)
    known = len(unfinished) - unknown
    if not unknown:
        builds = "The build continues" if known == 1 else f"{known} builds continue"
        return f"{builds} at {api}."
    if known:
        return f"{known} still building at {api}, the state of {unknown} unknown."
    builds = "the build" if unknown == 1 else f"{unknown} builds"
    return f"The state of {builds} is unknown."


def _was_building(finished: Finished) -> bool:
    return finished.answer is not None and finished.answer.status is Status.BUILDING


def summary(endings: Sequence[Finished]) -> Line:
    """How several builds ended, in one line."""
    counts = Counter(map(in_words, endings))
    words = ", ".join(f"{counts[ending]} {ending}" for ending in ENDINGS if counts[ending])
    waited = duration(max(finished.waited_seconds for finished in endings))
    return [(f"{counted(len(endings), 'build')}: {words}", ""), (f" (waited {waited})", "time")]


def in_words(finished: Finished) -> str:
    """How one build ended, as the summary counts it."""
    outcome = finished.outcome
    if outcome is Outcome.BUILDING or (outcome.is_cut_short and _was_building(finished)):
        return "still building"
    if outcome is Outcome.UNAUTHORIZED:
        return "unauthorized"
    if outcome is Outcome.NOT_FOUND:
        return "not found"
    return outcome.value if outcome.is_verdict else "unknown"
