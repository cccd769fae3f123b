"""How long trouble is ridden out, and how the pauses between the tries grow."""

from __future__ import annotations

import math
from typing import NamedTuple

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0


class Patience(NamedTuple):
    """As many seconds and as many tries, whichever takes longer."""

    seconds: float
    tries: int = 3


ONCE = Patience(0)  # who looks once does not want to wait
ONCE_MISSING = Patience(0, tries=1)
UNANSWERED = Patience(20)  # a wrong address is to be known soon
ANSWERED = Patience(120)
MISSING = Patience(5)  # a build just created may not be visible yet


class Streak:
    """Tries in a row that ended alike."""

    def __init__(self, patience: Patience, now: float) -> None:
        self.patience = patience
        self.tries = 0
        self._since = now

    def reset(self, now: float) -> None:
        """The row is broken; a new one counts from `now`."""
        self.tries = 0
        self._since = now

    def used_up(self, now: float) -> bool:
        """Whether patience is at its end."""
        return self.tries >= self.patience.tries and now >= self._since + self.patience.seconds

    def left(self, now: float) -> float:
        """Seconds until one more such try uses it up; infinite where one would not do."""
        left = self._since + self.patience.seconds - now
        return left if left > 0 and self.tries + 1 >= self.patience.tries else math.inf


def pause(tries: int) -> float:
    """Seconds after this many tries in a row, before the jitter."""
    exponent = min(tries - 1, 10)  # long past LONGEST_PAUSE, and no overflow
    return min(FIRST_PAUSE * 2.0**exponent, LONGEST_PAUSE)
