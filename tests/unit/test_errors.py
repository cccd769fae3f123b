"""The exit codes are those of the contract, and each means one thing."""

from __future__ import annotations

from itertools import product

import pytest

from twbuild import errors
from twbuild.outcome import ExitCode, Outcome, most_urgent

O = Outcome  # noqa: E741 - keeps the table readable


def test_the_codes_never_change() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "COMPLETED": 0,
        "FAILED": 1,
        "USAGE": 2,
        "UNAVAILABLE": 3,
        "CREDENTIALS": 4,
        "NOT_FOUND": 5,
        "BUILDING": 8,
        "BUG": 70,
        "TIMEOUT": 124,
        "HANGUP": 129,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }


def test_each_code_says_what_it_means_and_is_a_number() -> None:
    assert len({code.meaning for code in ExitCode}) == len(ExitCode)
    assert ExitCode.TIMEOUT.meaning.startswith("wait ran into --timeout")
    assert f"{ExitCode.TIMEOUT:d}" == "124"


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([O.COMPLETED], 0),
        ([O.FAILED], 1),
        ([O.UNAVAILABLE], 3),
        ([O.UNAUTHORIZED], 4),
        ([O.NOT_FOUND], 5),
        ([O.BUILDING], 8),
        ([O.TIMEOUT], 124),
        ([O.INTERRUPTED], 130),
        ([O.COMPLETED, O.COMPLETED], 0),
        ([O.FAILED, O.INTERRUPTED, O.COMPLETED], 130),
        ([O.COMPLETED, O.FAILED, O.TIMEOUT, O.UNAUTHORIZED, O.NOT_FOUND, O.UNAVAILABLE], 1),
        ([O.UNAVAILABLE, O.NOT_FOUND, O.UNAUTHORIZED, O.TIMEOUT, O.COMPLETED], 124),
        ([O.UNAVAILABLE, O.NOT_FOUND, O.UNAUTHORIZED, O.COMPLETED], 4),
        ([O.COMPLETED, O.UNAVAILABLE, O.NOT_FOUND], 5),
        ([O.COMPLETED, O.UNAVAILABLE, O.COMPLETED], 3),
    ],
)
def test_several_builds_give_the_most_urgent_code(outcomes: list[Outcome], code: int) -> None:
    assert most_urgent(outcomes).exit_code == code
    assert most_urgent(reversed(outcomes)).exit_code == code


def test_0_where_all_are_completed_and_1_where_one_failed_and_nowhere_else() -> None:
    for pair in product(Outcome, repeat=2):
        assert (most_urgent(pair).exit_code == 0) == (set(pair) == {Outcome.COMPLETED})
        if Outcome.INTERRUPTED not in pair:
            assert (most_urgent(pair).exit_code == 1) == (Outcome.FAILED in pair)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 2),
        (errors.CredentialsError("x"), 4),
        (errors.OutputError("x"), 3),
        (errors.InternalError("x"), 70),
        (errors.TwbuildError("x"), 3),
    ],
)
def test_the_codes_of_errors(error: errors.TwbuildError, code: int) -> None:
    assert error.exit_code == code


@pytest.mark.parametrize(
    ("kind", "outcome", "code"),
    [
        (errors.TransientError, O.UNAVAILABLE, 3),
        (errors.PermanentError, O.UNAVAILABLE, 3),
        (errors.UnauthorizedError, O.UNAUTHORIZED, 4),
        (errors.NotFoundError, O.NOT_FOUND, 5),
    ],
)
def test_the_outcomes_of_answers_that_are_no_good(
    kind: type[errors.FetchError], outcome: Outcome, code: int
) -> None:
    error = kind("short", "long", "hint", http_status=418, code=7, request_id="RQ1", retry_after=2)

    assert error.outcome is outcome
    assert most_urgent([error.outcome]).exit_code == code
    assert (str(error), error.message, error.reason) == ("long", "long", "short")
    assert error.hints == ("hint",)
    assert (error.http_status, error.code, error.request_id) == (418, 7, "RQ1")
    assert error.retry_after == 2


def test_what_is_unknown_of_an_answer_is_none() -> None:
    error = errors.TransientError("short", "long")

    assert (error.http_status, error.code, error.request_id, error.hints) == (None, None, None, ())
    assert error.retry_after == 0
