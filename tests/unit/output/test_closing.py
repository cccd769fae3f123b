"""The closing lines: what has not been said already, and in which order it matters."""

from __future__ import annotations

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE
from twbuild.errors import TransientError
from twbuild.outcome import Outcome
from twbuild.output import closing
from twbuild.output.stderr import Stderr
from twbuild.text import plain
from twbuild.watch.events import Finished
from twbuild.watch_options import WatchOptions

WAIT = WatchOptions(profile=None, json=False, quiet=False, verbose=False, progress="plain")
ERROR = TransientError("HTTP 503", "HTTP 503", "Try again later.", details=["request RQ1"])
COMPLETED = Finished(BUILD, Outcome.COMPLETED, None, 5.0, 5)
FAILED = Finished(OTHER_BUILD, Outcome.FAILED, None, 6.0, 6)
UNAVAILABLE = Finished(BUILD, Outcome.UNAVAILABLE, None, 120.0, 9, ERROR)
TIMEOUT = Finished(BUILD, Outcome.TIMEOUT, None, 5.0, 5)


@pytest.fixture(autouse=True)
def _no_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def shown(endings: list[Finished], options: WatchOptions = WAIT, *, repeats: bool = True) -> str:
    told = closing.closing(endings, {}, SERVICE, options, Stderr("plain"), repeats=repeats)
    return "\n".join(map(plain, told.lines(is_spaced=False)))


def test_a_verdict_is_repeated_on_stderr_only_where_stdout_is_elsewhere() -> None:
    assert shown([COMPLETED]) == f"✓ completed  {BUILD}  ready to deploy (waited 5s)"
    assert shown([COMPLETED], repeats=False) == ""


def test_quiet_leaves_out_verdicts_but_not_errors() -> None:
    quiet = WAIT._replace(quiet=True)

    assert shown([COMPLETED], quiet) == ""
    assert shown([UNAVAILABLE], quiet).startswith("error: HTTP 503 (9 tries in 2m)")
    assert "Try again later." in shown([UNAVAILABLE], quiet)


def test_several_builds_end_with_a_summary() -> None:
    assert shown([COMPLETED, FAILED]).startswith("2 builds: 1 completed, 1 failed (waited 6s)\n")


def test_the_parts_begin_with_the_counts_the_sids_and_the_next_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    other = UNAVAILABLE._replace(sid="ZB3")
    endings = [COMPLETED, TIMEOUT, FAILED, other]
    told = closing.closing(endings, {}, SERVICE, WAIT, Stderr("plain"), repeats=True)

    assert ["\n".join(map(plain, part)) for part in told.parts()] == [
        "4 builds: 1 completed, 2 unknown, 1 failed (waited 2m)",
        f"  The state of the build is unknown. To wait again:\n    twbuild wait {SERVICE} {BUILD}",
        f"failed: {OTHER_BUILD}",
        "unknown: ZB3",
        "  Try again later.",
        "error: HTTP 503 (9 tries in 2m)  ZB3",
        f"  Twilio gives no reason for {OTHER_BUILD}.\n  Compare with your last completed build.",
        "  request RQ1",
        f"! status unknown after 5s (--timeout)  {BUILD}",
        f"✗ failed     {OTHER_BUILD}  (waited 6s)",
    ]


def test_the_parts_of_one_build_begin_with_how_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    told = closing.closing([UNAVAILABLE], {}, SERVICE, WAIT, Stderr("plain"), repeats=True)

    assert [plain(line) for part in told.parts() for line in part] == [
        f"error: HTTP 503 (9 tries in 2m)  {BUILD}",
        "  Try again later.",
        "  request RQ1",
    ]
    assert told.lines(is_spaced=False) == [line for part in told.parts() for line in part]
