"""Many polls in a short time: `python -m tests.bench.soak URL POLLS` tells what has grown."""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import threading
import time

from tests.bench.api import BUILDS
from tests.bench.measure import UNIT
from tests.support.command import ACCOUNT, SERVICE, TOKEN
from twbuild.api import network
from twbuild.api.fetcher import Fetcher
from twbuild.config import settings
from twbuild.watch.background import Background
from twbuild.watch.events import RequestEnded
from twbuild.watch.runner import Runner
from twbuild.watch.state import Policy, Watch

WARM_UP = 500


def holding() -> dict[str, int]:
    """Bytes at the peak, threads and descriptors of this process."""
    return {
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT,
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/dev/fd")),
    }


def soak(url: str, polls: int) -> dict[str, int]:
    """What `polls` polls of one build, a thousand a second, add to what 500 of them hold."""
    environ = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWBUILD_API_URL": url}
    found = settings.load_settings(environ, None)
    way = network.network_for(found.base_url)
    watch = Watch(BUILDS[0], Policy(interval_seconds=0.001), time.monotonic(), lambda: 1.0)
    beside = Background(details=False, earlier=False, deadline=math.inf)
    runner = Runner([watch], beside, lambda: Fetcher(found, way, SERVICE), frame_seconds=1.0)
    requested, before = 0, {}
    for event in runner.run():
        requested += isinstance(event, RequestEnded)
        if requested == WARM_UP:
            before = holding()
        if requested == polls:
            break
    after = holding()
    return {name: after[name] - before[name] for name in before}


if __name__ == "__main__":
    print(json.dumps(soak(sys.argv[1], int(sys.argv[2]))))
