"""The outcomes and exit codes are those of the contract, and each code means one thing."""

from __future__ import annotations

from itertools import product

import pytest

from twbuild.outcome import ExitCode, Outcome, most_urgent

O = Outcome  # noqa: E741 - keeps the table readable


def test_the_codes_never_change_and_each_has_its_meaning() -> None:
    assert [*ExitCode] == [0, 1, 2, 3, 4, 5, 8, 70, 124, 129, 130, 143]
    assert len({code.meaning for code in ExitCode}) == len(ExitCode)
    assert ExitCode.TIMEOUT.meaning.startswith("wait ran into --timeout")
    assert f"{ExitCode.TIMEOUT:d}" == "124"


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        *[([O.COMPLETED], 0), ([O.FAILED], 1), ([O.UNAVAILABLE], 3), ([O.UNAUTHORIZED], 4)],
        *[([O.NOT_FOUND], 5), ([O.BUILDING], 8), ([O.TIMEOUT], 124), ([O.INTERRUPTED], 130)],
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


def test_0_where_all_are_completed_and_1_where_one_failed() -> None:
    for pair in product(Outcome, repeat=2):
        assert (most_urgent(pair).exit_code == 0) == (set(pair) == {Outcome.COMPLETED})
        if Outcome.INTERRUPTED not in pair:
            assert (most_urgent(pair).exit_code == 1) == (Outcome.FAILED in pair)
