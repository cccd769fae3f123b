"""One run, from the arguments to an exit code: what it refuses, and its last lines."""

from __future__ import annotations

import json
import os

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE
from twbuild import app
from twbuild.errors import CredentialsError, TransientError, UsageError
from twbuild.outcome import Outcome
from twbuild.output.stderr import Stderr
from twbuild.text import plain
from twbuild.watch.events import Finished
from twbuild.watch_options import WatchOptions

WAIT = WatchOptions(profile=None, json=False, quiet=False, verbose=False, progress="plain")
ERROR = TransientError("HTTP 503", "HTTP 503", "Try again later.")
COMPLETED = Finished(BUILD, Outcome.COMPLETED, None, 5.0, 5)
FAILED = Finished(OTHER_BUILD, Outcome.FAILED, None, 6.0, 6)
UNAVAILABLE = Finished(BUILD, Outcome.UNAVAILABLE, None, 120.0, 9, ERROR)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TWILIO_", "TWBUILD_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TWILIO_CONFIG_DIR", "/no/such/folder")


def test_status_of_several_builds_is_refused_with_the_command_for_them() -> None:
    with pytest.raises(UsageError, match="status checks one build") as refused:
        app.run([SERVICE, BUILD, OTHER_BUILD], WAIT._replace(once=True))

    assert refused.value.hints == (
        f"To wait for several: twbuild wait {SERVICE} {BUILD} {OTHER_BUILD}",
    )


def test_an_error_knows_how_it_is_to_be_shown() -> None:
    with pytest.raises(UsageError) as refused:
        app.run(["null"], WAIT)

    assert refused.value.progress == "plain"


def test_without_credentials_each_build_has_its_json_object(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CredentialsError):
        app.run([SERVICE, BUILD, OTHER_BUILD], WAIT._replace(json=True))

    objects = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(found["sid"], found["outcome"]) for found in objects] == [
        (BUILD, "unauthorized"),
        (OTHER_BUILD, "unauthorized"),
    ]


def closing(endings: list[Finished], options: WatchOptions = WAIT, *, repeats: bool = True) -> str:
    lines = app._closing_lines(endings, SERVICE, options, Stderr("plain"), repeats=repeats)
    return "\n".join(map(plain, lines))


def test_a_verdict_is_repeated_on_stderr_only_where_stdout_is_elsewhere() -> None:
    assert closing([COMPLETED]) == f"✓ completed  {BUILD}  ready to deploy (waited 5s)"
    assert closing([COMPLETED], repeats=False) == ""


def test_quiet_leaves_out_verdicts_but_not_errors() -> None:
    quiet = WAIT._replace(quiet=True)

    assert closing([COMPLETED], quiet) == ""
    assert closing([UNAVAILABLE], quiet).startswith("error: HTTP 503 (9 tries in 2m)")
    assert "Try again later." in closing([UNAVAILABLE], quiet)


def test_several_builds_end_with_a_summary() -> None:
    assert closing([COMPLETED, FAILED]).count("\n") == 0
    assert "1 completed" in closing([COMPLETED, FAILED])
    assert "1 failed" in closing([COMPLETED, FAILED])
