"""`python -m tests.chaos --storms 500 --seed 1`: no wrong verdict, no leak, no late end.

Each wait has a server of its own that follows a random script, and is stopped, continued and
sent signals at random. A seed repeats its storm.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.chaos.faulty import Faulty
from tests.chaos.judge import Happened, judge
from tests.chaos.plan import SLOW, STARVING, Plan, draw
from tests.support import processes
from tests.support.command import ACCOUNT, TOKEN
from tests.support.moments import fill
from tests.support.run import Ended, base_environ, start

MARGIN_SECONDS = 0.4  # the contract's 0.2 s, on a machine that runs other things as well


def weather(plan: Plan, home: Path) -> Happened:
    """Run one wait through what is planned for it."""
    ours, theirs = pty.openpty() if plan.live else os.pipe()
    is_unread = plan.unread in ("stdout", "stderr")
    if is_unread:
        fill(theirs)
    with Faulty(plan) as server:
        env = base_environ(home / "home", TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=TOKEN)
        env |= {"TWBUILD_API_URL": server.url, "TMPDIR": env["HOME"], **plan.env}
        env |= {"TERM": "xterm-256color"} if plan.live else {}
        env |= {"PYTHONPATH": str(home / plan.starving)} if plan.starving else {}
        since = time.monotonic()
        stream = plan.unread if is_unread else "stderr"
        process = start(*plan.arguments, env=env, **{stream: theirs})
        os.close(theirs)
        drawn: list[bytes] = []
        reader = threading.Thread(target=_drain, args=(ours, drawn, plan.unread), daemon=True)
        reader.start()
        try:
            while not server.times and process.poll() is None:
                time.sleep(0.005)
            first = (server.times or [time.monotonic()])[0]
            sent = []
            for at, signum in plan.acts:
                if _ends_before(process, first + at):
                    break
                process.send_signal(signum)
                sent.append((time.monotonic(), signum))
            _ends_before(process, first + 60)
            end = time.monotonic()
        finally:
            process.kill()
            stdout, stderr = process.communicate()
            reader.join()
            os.close(ours)
    stderr = stderr or b"".join(drawn).decode()
    ended = Ended(process.returncode, stdout or "", stderr, end - since)
    return Happened(plan, server.said, sent, first, end, ended)


def _drain(descriptor: int, content: list[bytes], unread: str) -> None:
    if unread in ("stdout", "stderr"):
        return
    with contextlib.suppress(OSError):  # Linux: EIO once the other end is closed
        while chunk := os.read(descriptor, 96 if unread == SLOW else 1 << 16):
            content.append(chunk)
            time.sleep(0.1 if unread == SLOW else 0)


def _ends_before(process: subprocess.Popen[str], until: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, until - time.monotonic()))
    return process.poll() is not None


def judged(happened: Happened) -> list[str]:
    """All that is wrong with a wait."""
    wrong, late = judge(happened)
    return [*wrong, *[f"{late:.2f} s late"] * (late > MARGIN_SECONDS)]


def left_over(home: Path) -> list[str]:
    """What the waits have not removed: files, folders, processes."""
    return [*map(str, home.glob("home/*")), *(f"process {pid}" for pid in processes.children())]


def _reported(number: int, happened: Happened, wrong: list[str]) -> str:
    said = [one._replace(at=round(one.at - happened.first, 2)) for one in happened.said]
    sent = [(round(at - happened.first, 2), signum) for at, signum in happened.sent]
    facts = [" ".join(happened.plan.arguments), said, f"signals {sent}", happened.ended]
    return "\n  ".join([f"wait {number}: {', '.join(wrong)}", *map(str, facts)])


def main() -> int:
    """Raise the storm; 1 where anything was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--storms", type=int, default=500, help="how many waits (500)")
    parser.add_argument("--seed", type=int, help="repeats the storm of that seed")
    parser.add_argument("--jobs", type=int, default=16, help="how many at once (16)")
    parser.add_argument("--only", type=int, help="the wait of this number alone")
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    # Ignored in the background, and so by what runs there.
    for name in ("SIGINT", "SIGQUIT", "SIGHUP"):
        signal.signal(getattr(signal, name), lambda *_: sys.exit(130))

    processes.adopt_orphans()
    since = time.monotonic()
    numbers = range(options.storms) if options.only is None else [options.only]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        home = Path(folder)
        (home / "home").mkdir()
        for name, code in STARVING.items():
            (home / name).mkdir()
            (home / name / "sitecustomize.py").write_text(code)
        storm = pool.map(lambda number: weather(draw(seed, number), home), numbers)
        happened = dict(zip(numbers, storm, strict=True))
        for number, one in happened.items():
            if judged(one) and not judge(one)[0]:  # late because of the others?
                happened[number] = weather(draw(seed, number), home)
        left = left_over(home)
    found = {number: wrong for number, one in happened.items() if (wrong := judged(one))}
    for number, wrong in found.items():
        print(_reported(number, happened[number], wrong))

    waits = happened.values()
    codes = sorted(Counter(one.ended.code for one in waits).items())
    print(f"{len(waits)} waits in {time.monotonic() - since:.0f} s, seed {seed}")
    print(f"{sum(len(w.said) for w in waits)} answers, {sum(len(w.sent) for w in waits)} signals")
    print(f"ended {max(judge(one)[1] for one in waits):.2f} s late at most")
    print("codes: " + ", ".join(f"{code} x {count}" for code, count in codes))
    print(f"{len(found)} not as they should be; left over: {left or 'nothing'}")
    return 1 if found or left else 0


if __name__ == "__main__":
    sys.exit(main())
