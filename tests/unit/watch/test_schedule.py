"""When polls come, how long failing requests are retried, and how the delays grow."""

from __future__ import annotations

import math

import pytest

from twbuild.watch.schedule import Retries, RetryPolicy, backoff, next_beat


def test_backoff_doubles_from_1_second_to_30() -> None:
    assert [backoff(tries) for tries in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff(1_000_000) == 30


@pytest.mark.parametrize(
    ("tries", "seconds", "exhausted"),
    [(3, 20, True), (3, 19.9, False), (2, 20, False), (2, 1000, False), (40, 19.9, False)],
)
def test_a_policy_is_exhausted_after_its_seconds_and_its_tries(
    tries: int, seconds: float, exhausted: bool
) -> None:
    retries = Retries(RetryPolicy(20, tries=3), now=100)
    retries.tries = tries

    assert retries.exhausted(100 + seconds) is exhausted


def test_a_reset_starts_the_seconds_and_the_tries_again() -> None:
    retries = Retries(RetryPolicy(20), now=0)
    retries.tries = 3
    assert retries.exhausted(20)

    retries.reset(now=20)

    assert retries.tries == 0
    retries.tries = 3
    assert not retries.exhausted(39)
    assert retries.exhausted(40)


@pytest.mark.parametrize(
    ("tries", "now", "left"), [(2, 5, 15), (1, 5, math.inf), (2, 20, math.inf), (9, 19, 1)]
)
def test_the_seconds_left_count_before_the_last_failure_only(
    tries: int, now: float, left: float
) -> None:
    """The seconds left count only where one more failure exhausts the policy."""
    retries = Retries(RetryPolicy(20, tries=3), now=0)
    retries.tries = tries

    assert retries.seconds_left(now) == left


@pytest.mark.parametrize(
    ("sent_at", "now", "beat"),
    [
        (100, 100.3, 102),
        (102.1, 103, 104),
        (100, 104.5, 106),
        (103.2, 103.3, 106),
        (102.9, 103.3, 104),
    ],
    ids=["on the beat", "no drift", "beats missed", "half an interval apart", "a little late"],
)
def test_polls_are_counted_from_start_to_start(sent_at: float, now: float, beat: float) -> None:
    assert next_beat(100, sent_at, now, interval=2) == beat
