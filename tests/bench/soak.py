"""Many polls in a short time: `python -m tests.bench.soak URL POLLS` prints what has grown."""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import threading
import time
from functools import partial

from tests.bench.measure import UNIT
from tests.support.command import BUILD
from tests.support.fasttime import fetcher
from twbuild.watch.background import Background
from twbuild.watch.events import RequestEnded
from twbuild.watch.runner import Runner
from twbuild.watch.state import Policy, Watch

WARM_UP = 500


def holding() -> list[float]:
    """Bytes at the peak; and the threads and descriptors of this process."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
    return [memory, threading.active_count() + len(os.listdir("/dev/fd"))]


if __name__ == "__main__":
    url, polls = sys.argv[1], int(sys.argv[2])
    watch = Watch(BUILD, Policy(interval_seconds=0.001), time.monotonic(), lambda: 1.0)
    beside = Background(details=False, earlier=False, deadline=math.inf)
    runner = Runner([watch], beside, partial(fetcher, url), frame_seconds=1.0)
    requested = (event for event in runner.run() if isinstance(event, RequestEnded))
    for number, _ in enumerate(requested, 1):
        if number == WARM_UP:
            before = holding()
        if number == polls:
            break
    print(json.dumps([after - then for after, then in zip(holding(), before, strict=True)]))
