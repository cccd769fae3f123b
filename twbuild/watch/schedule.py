"""When to poll, how long to retry failing requests, and how the delays between retries grow."""

from __future__ import annotations

import math
from typing import NamedTuple

FIRST_BACKOFF, MAX_BACKOFF = 1.0, 30.0


class RetryPolicy(NamedTuple):
    """Retry for so many seconds and so many tries, whichever takes longer."""

    seconds: float
    tries: int = 3


ONCE = RetryPolicy(0)  # `status` is not to wait
ONCE_NOT_FOUND = RetryPolicy(0, tries=1)
UNANSWERED = RetryPolicy(20)  # before the first good answer: a wrong address shows soon
ANSWERED = RetryPolicy(120)
NOT_FOUND = RetryPolicy(5)  # a build just created may not be visible yet


class Retries:
    """Tries in a row that failed alike, counted against a policy."""

    def __init__(self, policy: RetryPolicy, now: float) -> None:
        self.policy = policy
        self.tries = 0
        self._since = now

    def reset(self, now: float) -> None:
        """Start again; the policy's seconds count from `now`."""
        self.tries = 0
        self._since = now

    def exhausted(self, now: float) -> bool:
        """Whether the policy allows no other try."""
        return self.tries >= self.policy.tries and now >= self._since + self.policy.seconds

    def seconds_left(self, now: float) -> float:
        """Seconds until one more failure exhausts it; infinite where one more would not."""
        left = self._since + self.policy.seconds - now
        return left if left > 0 and self.tries + 1 >= self.policy.tries else math.inf


def next_beat(first: float, sent_at: float, now: float, interval: float) -> float:
    """The next poll on the beat that began at `first`, at least half an interval after `sent_at`.

    Polls are counted from start to start; beats missed by `now` are skipped.
    """
    beat = max(
        math.floor((sent_at - first) / interval + 0.5) + 1,
        math.ceil((now - first) / interval),
    )
    return first + beat * interval


def backoff(tries: int) -> float:
    """Seconds to wait after so many failures in a row, before jitter."""
    exponent = min(tries - 1, 10)  # beyond MAX_BACKOFF, and no overflow
    return min(FIRST_BACKOFF * 2.0**exponent, MAX_BACKOFF)
