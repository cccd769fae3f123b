"""Each error has its exit code, and a failed request what is known of the response."""

from __future__ import annotations

import pytest

from twbuild import errors
from twbuild.outcome import Outcome, most_urgent


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 2),
        (errors.CredentialsError("x"), 4),
        (errors.OutputError("x"), 3),
        (errors.TwbuildError("x"), 3),
    ],
)
def test_the_codes_of_errors(error: errors.TwbuildError, code: int) -> None:
    assert error.exit_code == code


@pytest.mark.parametrize(
    ("kind", "outcome", "code"),
    [
        (errors.TransientError, Outcome.UNAVAILABLE, 3),
        (errors.PermanentError, Outcome.UNAVAILABLE, 3),
        (errors.UnauthorizedError, Outcome.UNAUTHORIZED, 4),
        (errors.NotFoundError, Outcome.NOT_FOUND, 5),
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
