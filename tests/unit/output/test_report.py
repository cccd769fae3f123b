"""Who says what: each fact once, on the stream and in the form that its reader needs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE
from tests.unit.output.endings import ANSWER, COMPLETED, FAILED, TIMEOUT, UNAVAILABLE, finished
from twbuild.api.models import Build
from twbuild.errors import CredentialsError, UsageError
from twbuild.outcome import Outcome
from twbuild.output import plain, report
from twbuild.output.report import Report
from twbuild.watch.events import Building, Details, Event, Finished, Notice, Started, Tick, Usual
from twbuild.watch_options import WatchOptions

WAIT = WatchOptions(profile=None, format=None, quiet=False, verbose=False, progress="plain")
JSON = WAIT._replace(format="json")
QUIET = WAIT._replace(quiet=True)
STATUS = WAIT._replace(once=True)
BUILDING = finished(Outcome.BUILDING, 0.2, 1)
LINE = f"twbuild: ✓ completed  {BUILD}  ready to deploy (waited 5s)\n"

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Neither a terminal nor GitHub."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return monkeypatch


class Shown:
    """What a report has written on stdout and stderr since the last look."""

    def __init__(
        self, capfd: Capture, options: WatchOptions = WAIT, sids: Sequence[str | None] = (BUILD,)
    ) -> None:
        self.report = Report(options)
        self.report.begin(sids)
        self._capfd = capfd

    def of(self, *events: Event) -> tuple[str, str]:
        """The two streams after these events."""
        for event in events:
            self.report.show(event)
        return self._capfd.readouterr()

    def end(self, *endings: Finished) -> tuple[str, str]:
        """The two streams after the end."""
        self.report.close()
        self.code = self.report.finish(endings, SERVICE, math.inf)
        return self._capfd.readouterr()


def test_a_result_is_one_bare_word_and_is_written_once(capfd: Capture) -> None:
    shown = Shown(capfd)

    assert shown.of(COMPLETED) == ("completed\n", "")
    assert (shown.end(COMPLETED), shown.code) == (("", LINE), 0)


def test_of_several_builds_each_line_names_its_own(capfd: Capture) -> None:
    shown = Shown(capfd, sids=(BUILD, OTHER_BUILD))

    failed = f"twbuild: ✗ failed     {OTHER_BUILD}  (waited 6s)\n"
    assert shown.of(FAILED) == (f"{OTHER_BUILD} failed\n", failed)
    out, err = shown.end(COMPLETED, FAILED)
    assert (out, shown.code) == (f"{BUILD} completed\n", 1)
    assert f"  Twilio gives no reason for {OTHER_BUILD}.\n" in err
    assert err.startswith("twbuild: 2 builds: 1 completed, 1 failed (waited 6s)\n")


@pytest.mark.parametrize("runtime", ["node22", None])
def test_the_json_of_a_failed_build_waits_for_its_details(
    capfd: Capture, runtime: str | None
) -> None:
    shown = Shown(capfd, JSON, (OTHER_BUILD,))
    assert shown.of(FAILED)[0] == ""

    if runtime:
        details = Details(OTHER_BUILD, Build(OTHER_BUILD, "failed", runtime=runtime))
        assert json.loads(shown.of(details)[0])["build"]["runtime"] == runtime
        assert shown.end(FAILED)[0] == ""
    else:
        assert json.loads(shown.end(FAILED)[0])["build"] is None


@pytest.mark.parametrize("terminals", [{1}, {2}, {1, 2}], ids=str)
def test_a_verdict_is_on_stderr_where_stdout_is_elsewhere(
    elsewhere: pytest.MonkeyPatch, capfd: Capture, terminals: set[int]
) -> None:
    elsewhere.setattr(os, "isatty", terminals.__contains__)
    elsewhere.setenv("TERM", "dumb")
    shown = Shown(capfd)
    line = LINE.removeprefix("twbuild: ") if 1 in terminals else ""

    assert shown.of(COMPLETED)[0] == ("" if line else "completed\n")
    assert shown.end(COMPLETED) == (line, "" if terminals == {1, 2} else LINE)
    assert "(waited" not in Shown(capfd, STATUS).end(COMPLETED)[0]


def test_a_live_screen_has_rows_and_the_ending_below(
    elsewhere: pytest.MonkeyPatch, capfd: Capture
) -> None:
    elsewhere.setattr(os, "isatty", {2}.__contains__)
    elsewhere.setenv("TERM", "xterm")
    elsewhere.setenv("CI", "true")  # which --progress live overrules
    live = WAIT._replace(progress="live")
    begins: list[Event] = [Started(SERVICE, (OTHER_BUILD,), 600), Building(OTHER_BUILD), Tick()]

    shown = Shown(capfd, live, (OTHER_BUILD,))
    _, rows = shown.of(*begins)
    assert f"  {OTHER_BUILD}" in rows
    assert "time limit 10m" in rows
    assert "waiting" not in rows
    assert "\n\n  Twilio gives no reason" in shown.end(FAILED)[1]
    for options in (live._replace(quiet=True), live._replace(once=True)):
        assert Shown(capfd, options, (OTHER_BUILD,)).of(*begins) == ("", ""), "not yet, or never"


REPEATED = [(WAIT, COMPLETED), (WAIT, FAILED), (STATUS, FAILED)]
REPEATED += [(options, UNAVAILABLE) for options in (QUIET, STATUS)]
NOT_REPEATED = [(STATUS, COMPLETED), (STATUS, BUILDING), (STATUS._replace(quiet=True), FAILED)]
NOT_REPEATED += [(QUIET, COMPLETED), (QUIET, FAILED)]


@pytest.mark.parametrize(("options", "ended"), [*REPEATED, *NOT_REPEATED])
def test_the_last_line_repeats_what_matters(
    capfd: Capture, options: WatchOptions, ended: Finished
) -> None:
    shown = Shown(capfd, options, (ended.sid,))
    shown.of(ended)

    _, err = shown.end(ended)
    assert (err != "") is ((options, ended) in REPEATED)
    assert not options.once or "(waited " not in err


def test_status_says_sooner_than_wait_that_it_waits(
    elsewhere: pytest.MonkeyPatch, capfd: Capture
) -> None:
    elsewhere.setattr(plain, "ONCE_SECONDS", 0.0)

    assert Shown(capfd, STATUS).of(Tick()) == ("", f"twbuild: asking  {BUILD}  (0s)\n")
    assert Shown(capfd).of(Tick()) == ("", "")


@pytest.mark.parametrize("quiet", [True, False])
@pytest.mark.parametrize("verbose", [True, False])
def test_quiet_leaves_out_all_but_what_verbose_adds(
    capfd: Capture, quiet: bool, verbose: bool
) -> None:
    shown = Shown(capfd, WAIT._replace(quiet=quiet, verbose=verbose))
    started = Started(SERVICE, (BUILD,), 600)
    _, err = shown.of(started, Notice("a", verbose=True), Notice("b"), Tick())

    waiting, requests = f"waiting for {BUILD} in {SERVICE}, at most 10m", ["a"] * verbose
    written = requests if quiet else [waiting, *requests, "b"]
    assert err.splitlines() == [f"twbuild: {text}" for text in written]


@pytest.mark.parametrize(("service", "typed"), [("-svc", "-- -svc"), ("svc", "dev svc")])
def test_the_command_to_resume_keeps_profile_and_service(
    elsewhere: pytest.MonkeyPatch, capfd: Capture, service: str, typed: str
) -> None:
    elsewhere.setenv("TWBUILD_API_URL", "http://127.0.0.1:1")
    shown = Shown(capfd, WAIT._replace(profile="dev"))
    shown.of(Usual(70))
    shown.report.finish([finished(Outcome.TIMEOUT, 5)], service, math.inf)

    *_, usual, state, command = capfd.readouterr().err.splitlines()
    assert usual.endswith("usually complete in about 1m 10s.")
    assert "continues at the API." in state
    assert " wait -p dev " in command
    assert command.endswith(f"{typed} {BUILD}")


@pytest.mark.parametrize("from_sandbox", [False, True])
def test_only_a_request_to_twilio_is_given_to_its_support(
    capfd: Capture, from_sandbox: bool
) -> None:
    """That for details, or the one that said failed."""
    shown = Shown(capfd, sids=(OTHER_BUILD,))
    build = Build(OTHER_BUILD, "failed", runtime="node22", request_id="RQ1")
    shown.of(FAILED, Details(OTHER_BUILD, build))
    _, err = shown.end(FAILED._replace(answer=ANSWER._replace(from_sandbox=from_sandbox)))

    assert ("the request ID RQ1" in err) is not from_sandbox
    assert "node22" in err
    without = Shown(capfd, sids=(OTHER_BUILD,))
    answer = ANSWER._replace(from_sandbox=from_sandbox, request_id="RQ2")
    assert (
        "the request ID RQ2" in without.end(FAILED._replace(answer=answer))[1]
    ) is not from_sandbox


def test_what_is_requested_beside_polls_is_what_is_shown(elsewhere: pytest.MonkeyPatch) -> None:
    def wants(options: WatchOptions) -> tuple[bool, bool]:
        report = Report(options)
        return report.wants_details, report.wants_earlier

    assert (wants(WAIT), wants(QUIET)) == ((True, True), (False, False))
    assert wants(JSON._replace(quiet=True)) == (True, False)
    elsewhere.setenv("GITHUB_ACTIONS", "true")
    assert wants(QUIET) == (True, False)


@pytest.mark.parametrize("options", [WAIT, QUIET, STATUS, JSON], ids=["wait", "q", "status", "j"])
@pytest.mark.parametrize("ended", [COMPLETED, FAILED, TIMEOUT, UNAVAILABLE])
def test_github_gets_one_annotation_for_the_closing_lines(
    elsewhere: pytest.MonkeyPatch, capfd: Capture, options: WatchOptions, ended: Finished
) -> None:
    elsewhere.setenv("GITHUB_ACTIONS", "true")
    shown = Shown(capfd, options, (ended.sid,))
    shown.of(ended)
    _, err = shown.end(ended)

    if ended is COMPLETED:
        assert "::error" not in err
    else:
        assert err.startswith("::error title=twbuild::")
        assert (err.count("\n"), str(ended.sid) in err) == (1, True)


def test_an_annotation_without_everything_is_below_the_lines(
    elsewhere: pytest.MonkeyPatch, capfd: Capture
) -> None:
    elsewhere.setenv("GITHUB_ACTIONS", "true")
    report.refuse(UsageError("m", *(f"hint {number}" for number in range(1000))))

    first, *_, last, annotation = capfd.readouterr().err.splitlines()
    assert (first, last) == ("twbuild: error: m", "twbuild:   hint 999")
    assert annotation.startswith("::error title=twbuild::m%0A")


def test_a_refusal_is_annotated_where_github_runs_it(
    elsewhere: pytest.MonkeyPatch, capfd: Capture
) -> None:
    elsewhere.setenv("CI", "true")  # which --progress live overrules
    for github, terminals in (("true", {1}), ("", {1}), ("1", {1}), ("true", {2})):
        elsewhere.setattr(os, "isatty", terminals.__contains__)
        elsewhere.setenv("GITHUB_ACTIONS", github)
        assert Report(WAIT._replace(progress="live")).refuse(UsageError("m"), [BUILD]) == 2
        annotated = "::error" in capfd.readouterr().err
        assert annotated is (github == "true" and terminals == {1})


def test_without_credentials_each_build_has_its_object(capfd: Capture) -> None:
    sids = [BUILD, OTHER_BUILD]
    assert Report(JSON).refuse(CredentialsError("m"), sids) == 4
    out, err = capfd.readouterr()
    names = ("sid", "outcome", "waited_seconds", "polls", "error")
    objects = [[json.loads(line)[name] for name in names] for line in out.splitlines()]
    assert objects == [[sid, "unauthorized", 0, 0, {"message": "m"}] for sid in sids]
    assert err == "twbuild: error: m\n"

    assert Report(JSON).refuse(UsageError("m"), sids) == 2
    assert capfd.readouterr() == ("", err)
