"""Each error has its exit code, and a failed request what is known of the response."""

from __future__ import annotations

import pytest

from twbuild import errors
from twbuild.outcome import Outcome


def test_the_codes_of_errors() -> None:
    kinds = [errors.UsageError, errors.CredentialsError, errors.OutputError, errors.TwbuildError]
    assert [kind("x").exit_code for kind in kinds] == [2, 4, 3, 3]


OUTCOMES = [
    (errors.TransientError, Outcome.UNAVAILABLE),
    (errors.PermanentError, Outcome.UNAVAILABLE),
    (errors.UnauthorizedError, Outcome.UNAUTHORIZED),
    (errors.NotFoundError, Outcome.NOT_FOUND),
]


@pytest.mark.parametrize(("kind", "outcome"), OUTCOMES)
def test_a_failed_request_has_its_outcome_and_what_is_known(
    kind: type[errors.FetchError], outcome: Outcome
) -> None:
    known = {"http_status": 418, "code": 7, "request_id": "RQ1", "retry_after": 2, "detail": "d"}
    error, bare = kind("reason", "long", "hint", short="brief", **known), kind("reason", "long")  # type: ignore[arg-type]

    assert error.outcome is outcome
    assert (str(error), error.message, error.reason) == ("long", "long", "reason")
    assert (error.short, error.hints) == ("brief", ("hint",))
    assert {name: getattr(error, name) for name in known} == known
    assert (bare.short, bare.hints) == ("reason", ())
    nothing = {**dict.fromkeys(known, None), "retry_after": 0}
    assert {name: getattr(bare, name) for name in known} == nothing
