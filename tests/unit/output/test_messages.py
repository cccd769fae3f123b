"""What is said of an ending: as the contract's Screens show it, for programs and for users."""

from __future__ import annotations

import subprocess
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.support.command import ACCOUNT, BUILD, SERVICE
from twbuild.api.models import BuildStatus, Status
from twbuild.errors import (
    CommandHint,
    CredentialsError,
    NotFoundError,
    TransientError,
    UnauthorizedError,
)
from twbuild.outcome import Outcome
from twbuild.output import messages
from twbuild.text import Line, plain
from twbuild.watch.events import Finished

URL = f"https://serverless.twilio.com/v1/Services/{SERVICE}/Builds/{BUILD}/Status"
ANSWER = BuildStatus(Status.BUILDING, BUILD, ACCOUNT, SERVICE, URL)
CREATED = datetime(2026, 11, 24, 14, 2, 11, tzinfo=timezone.utc)


def finished(outcome: Outcome, waited: float = 0.0, polls: int = 2, **more: Any) -> Finished:
    known = more.pop("answer", ANSWER)
    return Finished(more.pop("sid", BUILD), outcome, known, waited, polls, more.pop("error", None))


def text(lines: list[Line]) -> str:
    return "\n".join(plain(line) for line in lines)


class TestWord:
    @pytest.mark.parametrize("outcome", [o for o in Outcome if o.is_verdict])
    def test_one_build_gets_the_bare_word(self, outcome: Outcome) -> None:
        assert messages.word(finished(outcome), several=False) == outcome.value


class TestHeadline:
    @pytest.mark.parametrize(
        ("ended", "line"),
        [
            (
                finished(Outcome.COMPLETED, 72),
                f"✓ completed  {BUILD}  ready to deploy (waited 1m 12s)",
            ),
            (
                finished(Outcome.COMPLETED, 0.2, polls=1),
                f"✓ completed  {BUILD}  ready to deploy (already)",
            ),
            (finished(Outcome.FAILED, 38.2), f"✗ failed     {BUILD}  (waited 38s)"),
            (finished(Outcome.FAILED, 0.2, polls=1), f"✗ failed     {BUILD}  (already)"),
            (
                finished(Outcome.TIMEOUT, 600.02),
                f"! building   {BUILD}  (still building after 10m: --timeout)",
            ),
            (
                finished(Outcome.TIMEOUT, 5, answer=None),
                f"! unknown    {BUILD}  (status unknown after 5s: --timeout)",
            ),
            (
                finished(Outcome.TIMEOUT, 5, answer=None, sid=None),
                "! unknown    the newest build  (status unknown after 5s: --timeout)",
            ),
            (finished(Outcome.INTERRUPTED, 46), f"! building   {BUILD}  (interrupted after 46s)"),
            (
                finished(Outcome.INTERRUPTED, 0.5, answer=None),
                f"! unknown    {BUILD}  (interrupted after 0.5s)",
            ),
            (
                finished(
                    Outcome.UNAVAILABLE,
                    20.4,
                    6,
                    answer=None,
                    error=TransientError("HTTP 503", "HTTP 503, code 20503"),
                ),
                f"error: HTTP 503, code 20503 (6 tries in 20s)  build {BUILD}",
            ),
            (
                finished(Outcome.UNAUTHORIZED, 2, 2, error=UnauthorizedError("x", "HTTP 401")),
                f"error: HTTP 401 (2 tries in 2s)  build {BUILD}",
            ),
            (
                finished(
                    Outcome.NOT_FOUND, 0.1, 1, sid=None, error=NotFoundError("x", "no builds")
                ),
                "error: no builds",
            ),
        ],
    )
    def test_of_a_wait(self, ended: Finished, line: str) -> None:
        assert plain(messages.headline(ended, once=False)) == line

    @pytest.mark.parametrize(
        ("outcome", "line"),
        [
            (Outcome.COMPLETED, f"✓ completed  {BUILD}  ready to deploy"),
            (Outcome.FAILED, f"✗ failed     {BUILD}"),
            (Outcome.UNAVAILABLE, f"error: unavailable  build {BUILD}"),
            (Outcome.BUILDING, f"• building   {BUILD}"),
        ],
    )
    def test_of_one_look_tells_no_time(self, outcome: Outcome, line: str) -> None:
        assert plain(messages.headline(finished(outcome, 0.4, polls=1), once=True)) == line

    @pytest.mark.parametrize(
        ("outcome", "style"),
        [
            (Outcome.COMPLETED, "completed"),
            (Outcome.FAILED, "failed"),
            (Outcome.BUILDING, "building"),
            (Outcome.TIMEOUT, "problem"),
            (Outcome.INTERRUPTED, "problem"),
            (Outcome.UNAVAILABLE, "failed"),
        ],
    )
    def test_colours_go_with_a_word_and_the_sid_is_unstyled(
        self, outcome: Outcome, style: str
    ) -> None:
        line = messages.headline(finished(outcome), once=False)

        assert line[0][1] == style
        assert line[0][0].strip("✓✗•! ")
        assert [styled for shown, styled in line if BUILD in shown] == [""]

    def test_an_error_is_followed_by_what_to_do(self) -> None:
        error = CredentialsError("no credentials found", "set    A and B", "or     C")

        assert text(error.lines) == ("error: no credentials found\n  set    A and B\n  or     C")


class TestHints:
    def test_of_each_error_once(self) -> None:
        error = UnauthorizedError("x", "refused", "is the key active?", details=["request RQ1"])
        other = NotFoundError("x", "missing", "is it another account's?", details=["request RQ1"])
        ended = [
            finished(Outcome.UNAUTHORIZED, error=error),
            finished(Outcome.COMPLETED),
            finished(Outcome.NOT_FOUND, error=other),
        ]

        assert text(messages.hints(ended)) == "  is the key active?\n  is it another account's?"
        assert text(messages.requests(ended)) == "  request RQ1"

    @pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.INTERRUPTED])
    def test_of_the_problem_that_ended_a_wait(self, outcome: Outcome) -> None:
        error = TransientError("HTTP 503", "HTTP 503, try later", "a hint")

        assert text(messages.hints([finished(outcome, error=error)])) == (
            "  Last error: HTTP 503, try later"
        )


class TestResume:
    command = ("twbuild", "wait", "my-service")

    @pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.INTERRUPTED])
    def test_the_build_continues_and_how_to_wait_again(self, outcome: Outcome) -> None:
        assert text(messages.resume([finished(outcome)], self.command)) == (
            f"  The build continues at Twilio. To wait again:\n    twbuild wait my-service {BUILD}"
        )

    def test_without_a_build_that_was_picked(self) -> None:
        lines = messages.resume([finished(Outcome.TIMEOUT, sid=None, answer=None)], self.command)

        assert plain(lines[-1]) == "    twbuild wait my-service"

    @pytest.mark.parametrize(
        ("known", "unknown", "reported"),
        [
            (0, 1, "The state of the build is unknown."),
            (0, 2, "The state of 2 builds is unknown."),
            (1, 1, "1 still building at Twilio, the state of 1 unknown."),
            (2, 3, "2 still building at Twilio, the state of 3 unknown."),
        ],
    )
    @pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.INTERRUPTED])
    def test_only_what_twilio_called_building_is_said_to_continue(
        self, outcome: Outcome, known: int, unknown: int, reported: str
    ) -> None:
        ended = [finished(outcome)] * known + [finished(outcome, answer=None)] * unknown

        lines = messages.resume(ended, self.command)

        assert plain(lines[0]) == f"  {reported} To wait again:"

    def test_only_builds_that_are_not_over(self) -> None:
        ended = [
            finished(Outcome.COMPLETED, sid="ZB1"),
            finished(Outcome.TIMEOUT, sid="ZB2"),
            finished(Outcome.FAILED, sid="ZB3"),
            finished(Outcome.NOT_FOUND, sid="ZB4", error=NotFoundError("x", "y")),
            finished(Outcome.INTERRUPTED, sid="ZB5"),
        ]

        assert text(messages.resume(ended, self.command)) == (
            "  2 builds continue at Twilio. To wait again:\n    twbuild wait my-service ZB2 ZB5"
        )

    @pytest.mark.parametrize("outcome", [Outcome.UNAUTHORIZED, Outcome.UNAVAILABLE])
    def test_after_good_answers_also_where_problem_ended_it(self, outcome: Outcome) -> None:
        error = TransientError("x", "y")

        reported = text(messages.resume([finished(outcome, 38, error=error)], self.command))

        assert reported == (
            f"  {BUILD} was still building after 38s.\n"
            "  The build continues at Twilio. To wait again:\n"
            f"    twbuild wait my-service {BUILD}"
        )
        assert messages.resume([finished(outcome, answer=None, error=error)], self.command) == []

    @pytest.mark.parametrize(
        "outcome", [Outcome.COMPLETED, Outcome.FAILED, Outcome.BUILDING, Outcome.NOT_FOUND]
    )
    def test_nothing_where_nothing_continues(self, outcome: Outcome) -> None:
        assert messages.resume([finished(outcome)], self.command) == []

    @pytest.mark.parametrize(
        "name",
        [
            "dev",
            "my profile",
            "it's",
            'say "x"',
            "$(touch x)",
            "`touch x`",
            "a;b",
            "a\\b",
            "-n",
            "*",
            "~",
            "!x",
            "a##b",
            "###",
            "grün",
            "x\x1b[2J",
            "two\nlines",
            "\u202edlrow",
            "it's\x07##\\'",
            "l" * 400,
            "no UTF-8: \udcff",
        ],
    )
    def test_pasted_into_a_shell_it_is_the_same_command(self, name: str) -> None:
        command = ["twbuild", "wait", "-p", name, "my-service"]
        typed = plain(messages.resume([finished(Outcome.TIMEOUT)], command)[-1])

        assert typed.isprintable()
        assert "##" not in typed
        assert pasted(typed) == [*command, BUILD]


def pasted(typed: str) -> list[str]:
    """The words that bash makes of a line."""
    shell = ["bash", "--norc", "-c", f"printf '%s\\0' {typed}"]
    done = subprocess.run(shell, stdout=subprocess.PIPE, check=True, timeout=30)
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def test_the_summary_of_several_builds_counts_each_outcome() -> None:
    ended = [
        finished(Outcome.COMPLETED, 12),
        finished(Outcome.COMPLETED, 72),
        finished(Outcome.FAILED, 30),
        finished(Outcome.TIMEOUT, 60),
        finished(Outcome.TIMEOUT, 60, answer=None),
        finished(Outcome.NOT_FOUND, answer=None),
        finished(Outcome.UNAUTHORIZED),
    ]

    assert plain(messages.summary(ended)) == (
        "7 builds: 2 completed, 1 failed, 1 still building, 1 not found, 1 unauthorized, 1 unknown"
        " (waited 1m 12s)"
    )


@pytest.mark.parametrize(
    ("outcomes", "seconds", "shown"),
    [
        ([Outcome.TIMEOUT], 70.0, "  Builds of this service usually complete in about 1m 10s."),
        (
            [Outcome.COMPLETED, Outcome.TIMEOUT, Outcome.TIMEOUT],
            3600.0,
            "  Builds of this service usually complete in about 1h.",
        ),
        ([Outcome.TIMEOUT], None, ""),
        ([outcome for outcome in Outcome if outcome is not Outcome.TIMEOUT], 70.0, ""),
    ],
)
def test_a_timeout_comes_with_the_usual_time_once(
    outcomes: list[Outcome], seconds: float | None, shown: str
) -> None:
    assert text(messages.usual([finished(o) for o in outcomes], seconds)) == shown


class TestStyles:
    """Only words, times and hints are coloured; what they are about never is."""

    def test_of_an_error_and_its_hints(self) -> None:
        command = CommandHint("type ", "twilio login")
        error = TransientError("r", "what", "do this", command, details=["GET /x"])
        ended = finished(Outcome.UNAVAILABLE, 3, error=error)

        assert error.lines == [
            (("error:", "failed"), (" what", "")),
            (("  ", ""), ("do this", "")),
            (("  ", ""), ("type ", ""), ("twilio login", "command")),
            (("  ", ""), ("GET /x", "detail")),
        ]
        assert messages.headline(ended, once=False) == [
            *error.headline,
            (" (2 tries in 3s)", "time"),
            (f"  build {BUILD}", ""),
        ]
        assert messages.hints([ended]) == error.hint_lines
        assert messages.requests([ended]) == error.detail_lines


def test_each_line_of_a_log_is_one_line() -> None:
    error = TransientError("r", "m", "hint", http_status=500)
    ended = [finished(outcome, error=error) for outcome in Outcome]

    lines = [messages.headline(one, once=False) for one in ended]
    lines += [*messages.hints(ended), *messages.resume(ended, ["twbuild", "wait", "two\nlines"])]

    assert all(plain(line).isprintable() for line in lines)
