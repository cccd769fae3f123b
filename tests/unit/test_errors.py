"""Each error has its exit code, and a failed request what is known of the response."""

from __future__ import annotations

import pytest

from twbuild import errors
from twbuild.outcome import Outcome, most_urgent


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, 2),
        (errors.CredentialsError, 4),
        (errors.OutputError, 3),
        (errors.TwbuildError, 3),
    ],
)
def test_the_codes_of_errors(kind: type[errors.TwbuildError], code: int) -> None:
    assert kind("x").exit_code == code


@pytest.mark.parametrize(
    ("kind", "outcome", "code"),
    [
        (errors.TransientError, Outcome.UNAVAILABLE, 3),
        (errors.PermanentError, Outcome.UNAVAILABLE, 3),
        (errors.UnauthorizedError, Outcome.UNAUTHORIZED, 4),
        (errors.NotFoundError, Outcome.NOT_FOUND, 5),
    ],
)
def test_a_failed_request_has_its_outcome_and_what_is_known(
    kind: type[errors.FetchError], outcome: Outcome, code: int
) -> None:
    known = {"http_status": 418, "code": 7, "request_id": "RQ1", "retry_after": 2, "detail": "d"}
    error, bare = kind("reason", "long", "hint", short="brief", **known), kind("reason", "long")  # type: ignore[arg-type]

    assert error.outcome is outcome
    assert most_urgent([error.outcome]).exit_code == code
    assert (str(error), error.message, error.reason) == ("long", "long", "reason")
    assert (error.short, error.hints) == ("brief", ("hint",))
    assert {name: getattr(error, name) for name in known} == known
    assert (bare.short, bare.hints) == ("reason", ())
    assert {name: getattr(bare, name) for name in known} == {
        **dict.fromkeys(known, None),
        "retry_after": 0,
    }
