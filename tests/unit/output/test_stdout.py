"""The result on stdout: once, nothing else, and in time."""

from __future__ import annotations

import json

import pytest

from tests.support.command import BUILD, OTHER_BUILD
from twbuild.api.models import Build
from twbuild.errors import TransientError
from twbuild.outcome import Outcome
from twbuild.output.stdout import Result
from twbuild.watch.events import Details, Finished

COMPLETED = Finished(BUILD, Outcome.COMPLETED, None, 5.0, 5)
FAILED = Finished(OTHER_BUILD, Outcome.FAILED, None, 6.0, 6)
TIMEOUT = Finished(BUILD, Outcome.TIMEOUT, None, 9.0, 9, TransientError("x", "x"))

Stdout = pytest.CaptureFixture[str]


def test_a_result_is_one_bare_word_and_is_written_once(capfd: Stdout) -> None:
    result = Result(as_json=False, several=False, once=False)
    result.show(COMPLETED)
    assert capfd.readouterr().out == "completed\n"

    result.finish([COMPLETED])
    assert capfd.readouterr().out == ""


def test_of_several_builds_each_line_names_its_build_as_it_ends(capfd: Stdout) -> None:
    result = Result(as_json=False, several=True, once=False)
    result.show(FAILED)
    assert capfd.readouterr().out == f"{OTHER_BUILD} failed\n"

    result.finish([COMPLETED, FAILED])
    assert capfd.readouterr().out == f"{BUILD} completed\n"


def test_without_a_verdict_nothing_is_written_but_json(capfd: Stdout) -> None:
    Result(as_json=False, several=False, once=False).show(TIMEOUT)
    assert capfd.readouterr().out == ""

    Result(as_json=True, several=False, once=False).show(TIMEOUT)
    assert json.loads(capfd.readouterr().out)["outcome"] == "timeout"


def test_the_json_of_a_failed_build_waits_for_its_details(capfd: Stdout) -> None:
    result = Result(as_json=True, several=False, once=False)
    result.show(FAILED)
    assert capfd.readouterr().out == ""

    result.show(Details(OTHER_BUILD, Build(OTHER_BUILD, "failed", runtime="node22")))
    result.finish([FAILED])

    written = capfd.readouterr().out
    assert written.count("\n") == 1
    assert json.loads(written)["build"]["runtime"] == "node22"


def test_the_json_of_a_failed_build_without_details_is_written_at_the_end(capfd: Stdout) -> None:
    result = Result(as_json=True, several=False, once=False)
    result.show(FAILED)
    result.finish([FAILED])

    assert json.loads(capfd.readouterr().out)["build"] is None
