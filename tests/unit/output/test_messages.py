"""What is said of an ending, as the contract's Screens show it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.command import BUILD
from tests.unit.output.endings import ANSWER, finished
from twbuild.errors import CommandHint, NotFoundError, TransientError, UnauthorizedError
from twbuild.outcome import Outcome
from twbuild.output import messages
from twbuild.text import Line, plain
from twbuild.watch.events import Finished

O = Outcome  # noqa: E741 - keeps the tables readable
SHORT = [O.TIMEOUT, O.INTERRUPTED]
BUSY = TransientError("HTTP 503", "HTTP 503, code 20503", "Try later.", details=["request RQ1"])
REFUSED = UnauthorizedError("x", "HTTP 401", "Check the key.", details=["request RQ1"])
NONE = NotFoundError("x", "no builds")
COMMAND = ("twbuild", "wait", "my-service")


def text(lines: Sequence[Line]) -> str:
    return "\n".join(plain(line) for line in lines)


LOST = finished(O.TIMEOUT, 5, answer=None, sid=None)
NAMED = finished(O.NOT_FOUND, polls=1, error=NotFoundError("x", f"no {BUILD}"))
HEADLINES = [
    (finished(O.COMPLETED, 72), f"✓ completed  {BUILD}  ready to deploy (waited 1m 12s)"),
    (finished(O.COMPLETED, 0.2, 1), f"✓ completed  {BUILD}  ready to deploy (already)"),
    (finished(O.FAILED, 38.2), f"✗ failed     {BUILD}  (waited 38s)"),
    (finished(O.FAILED, 0.2, 1), f"✗ failed     {BUILD}  (already)"),
    (finished(O.TIMEOUT, 600), f"! building   {BUILD}  (still building after 10m: --timeout)"),
    (LOST, "! unknown    the newest build  (status unknown after 5s: --timeout)"),
    (finished(O.INTERRUPTED, 46), f"! building   {BUILD}  (interrupted after 46s)"),
    (finished(O.INTERRUPTED, 0.5, answer=None), f"! unknown    {BUILD}  (interrupted after 0.5s)"),
    (finished(O.UNAUTHORIZED, 2, error=REFUSED), f"error: HTTP 401 (2 tries in 2s)  build {BUILD}"),
    (finished(O.NOT_FOUND, 0.1, 1, sid=None, error=NONE), "error: no builds"),
    (NAMED, f"error: no {BUILD}"),
]
ONCE = [
    *[(O.COMPLETED, f"✓ completed  {BUILD}  ready to deploy"), (O.FAILED, f"✗ failed     {BUILD}")],
    *[(O.BUILDING, f"• building   {BUILD}"), (O.UNAVAILABLE, f"error: unavailable  build {BUILD}")],
]


@pytest.mark.parametrize(("ended", "line"), HEADLINES)
def test_how_a_wait_ended_is_one_line(ended: Finished, line: str) -> None:
    assert plain(messages.headline(ended, once=False)) == line


@pytest.mark.parametrize(("outcome", "line"), ONCE)
def test_of_one_check_no_time_is_shown(outcome: Outcome, line: str) -> None:
    assert plain(messages.headline(finished(outcome, 0.4, polls=1), once=True)) == line


@pytest.mark.parametrize("outcome", [O.COMPLETED, O.FAILED, O.BUILDING, *SHORT])
def test_colours_go_with_a_word_and_the_sid_is_unstyled(outcome: Outcome) -> None:
    (word, style), (sid, unstyled), (_, time) = messages.headline(finished(outcome), once=False)

    assert word.strip("✓✗•! ")
    assert BUILD in sid
    assert (style, unstyled, time) == (outcome.style, "", "time")


def test_an_error_is_followed_by_what_to_do() -> None:
    command = CommandHint("type ", "twilio login")
    error = TransientError("r", "what", "do this", command, details=["GET /x"])
    ended = finished(O.UNAVAILABLE, 3, error=error)

    assert error.lines == [
        (("error:", "failed"), (" what", "")),
        (("  ", ""), ("do this", "")),
        (("  ", ""), ("type ", ""), ("twilio login", "command")),
        (("  ", ""), ("GET /x", "detail")),
    ]
    tries = [(" (2 tries in 3s)", "time"), (f"  build {BUILD}", "")]
    assert messages.headline(ended, once=False) == [*error.headline, *tries]
    assert messages.hints([ended]) == error.hint_lines
    assert messages.requests([ended]) == error.detail_lines


def test_hints_and_requests_of_several_errors_are_said_once() -> None:
    errors = [finished(O.UNAUTHORIZED, error=error) for error in (REFUSED, REFUSED, BUSY)]
    ended = [*errors, *(finished(o, error=REFUSED) for o in (O.COMPLETED, *SHORT))]

    assert text(messages.hints(ended)) == "  Check the key.\n  Try later.\n  Last error: HTTP 401"
    assert text(messages.requests(ended)) == "  request RQ1"
    late = [finished(O.TIMEOUT, error=BUSY)]
    assert messages.requests([*late, finished(O.COMPLETED, error=BUSY)]) == []
    assert messages.hints(late) == [(("  ", ""), (f"Last error: {BUSY.message}", ""))]


STATES = [
    (1, 0, "The build continues at Twilio."),
    (2, 0, "2 builds continue at Twilio."),
    (0, 1, "The state of the build is unknown."),
    (0, 2, "The state of 2 builds is unknown."),
    (1, 1, "1 still building at Twilio, the state of 1 unknown."),
]


@pytest.mark.parametrize("outcome", SHORT)
def test_only_what_twilio_called_building_is_said_to_continue(outcome: Outcome) -> None:
    for known, unknown, reported in STATES:
        sids = [f"ZB{number}" for number in range(known + unknown)]
        ended = [finished(outcome, sid=sid) for sid in sids[:known]]
        ended += [finished(outcome, sid=sid, answer=None) for sid in sids[known:]]
        command = " ".join([*COMMAND, *sids])
        shown = f"  {reported} To wait again:\n    {command}"
        assert text(messages.resume(ended, COMMAND)) == shown


def test_only_builds_that_are_not_over_are_resumed() -> None:
    over = [finished(o, sid="ZB1") for o in (O.COMPLETED, O.FAILED, O.BUILDING, O.NOT_FOUND)]
    lost = [finished(o, 38, sid=o.name) for o in (O.UNAUTHORIZED, O.UNAVAILABLE)]
    never = [finished(o, sid="ZB2", answer=None) for o in (O.UNAUTHORIZED, O.UNAVAILABLE)]

    assert messages.resume([*over, *never], COMMAND) == []
    lines = messages.resume([*over, *never, *lost], COMMAND, "the API")
    assert text(lines) == (
        "  UNAUTHORIZED was still building after 38s.\n"
        "  UNAVAILABLE was still building after 38s.\n"
        "  2 builds continue at the API. To wait again:\n"
        "    twbuild wait my-service UNAUTHORIZED UNAVAILABLE"
    )
    assert {style for line in lines for _, style in line} == {"", "command"}
    newest = messages.resume([finished(O.TIMEOUT, sid=None, answer=None)], COMMAND)
    assert plain(newest[-1]) == "    twbuild wait my-service"


def test_nothing_is_resumed_that_ends_with_the_sandbox() -> None:
    answer = ANSWER._replace(from_sandbox=True)
    sandboxs = "  Nothing continues at Twilio: the build exists only in the sandbox."
    ended = finished(O.TIMEOUT, answer=answer._replace(ends_with_run=True))

    assert messages.resume([ended], COMMAND) == [[(sandboxs, "")]]
    lines = messages.resume([finished(O.TIMEOUT, answer=answer)], COMMAND)
    assert text(lines) == f"{sandboxs} To wait again:\n    twbuild wait my-service {BUILD}"


def test_the_summary_of_several_builds_counts_each_outcome() -> None:
    ended = [finished(o) for o in (O.UNAUTHORIZED, O.TIMEOUT, O.FAILED, O.COMPLETED, O.COMPLETED)]
    ended += [finished(O.NOT_FOUND, 72, answer=None), finished(O.TIMEOUT, answer=None)]

    (counts, _), time = messages.summary(ended)
    known = "2 completed, 1 failed, 1 still building"
    assert counts == f"7 builds: {known}, 1 not found, 1 unauthorized, 1 unknown"
    assert time == (" (waited 1m 12s)", "time")


def test_a_timeout_comes_with_the_usual_time() -> None:
    def usual(seconds: float | None, *outcomes: Outcome) -> str:
        return text(messages.usual([finished(o) for o in outcomes], seconds))

    shown = "  Builds of this service usually complete in about 1m 10s."
    assert usual(70, O.COMPLETED, *SHORT) == shown
    assert usual(None, O.TIMEOUT) == usual(70, *(o for o in O if o is not O.TIMEOUT)) == ""
