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
from collections.abc import Callable
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

Started = tuple[subprocess.Popen[str], Callable[[], tuple[str, str]]]


def weather(plan: Plan, home: Path) -> Happened:
    """Run one wait through what is planned for it."""
    server = Faulty(plan)
    secrets = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
    more = {"TWBUILD_API_URL": server.url, "TMPDIR": str(home / "tmp"), **plan.env}
    if plan.starving:
        more["PYTHONPATH"] = str(home / plan.starving)
    since = time.monotonic()
    process, read = _started(plan, base_environ(home, **secrets, **more))
    try:
        while server.first is None and process.poll() is None:
            time.sleep(0.005)
        first = server.first or time.monotonic()
        sent = []
        for act in plan.acts:
            if _ends_before(process, first + act.at):
                break
            process.send_signal(act.signum)
            sent.append((time.monotonic(), int(act.signum)))
        _ends_before(process, first + 60)
        end = time.monotonic()
    finally:
        process.kill()
        stdout, stderr = read()
        server.close()
    ended = Ended(process.returncode, stdout, stderr, end - since)
    return Happened(plan, server.said, sent, first, end, ended)


def _started(plan: Plan, env: dict[str, str]) -> Started:
    """The wait, and what reads stdout and stderr to their ends; stderr may be a terminal."""
    if plan.unread in ("stdout", "stderr"):
        unread, full = os.pipe()
        fill(full)
        process = start(*plan.arguments, env=env, **{plan.unread: full})
        os.close(full)

        def read_other() -> tuple[str, str]:
            stdout, stderr = process.communicate()
            os.close(unread)
            return stdout or "", stderr or ""

        return process, read_other
    if not plan.live:
        process = start(*plan.arguments, env=env)
        return process, process.communicate
    ours, theirs = pty.openpty()
    process = start(*plan.arguments, env={**env, "TERM": "xterm-256color"}, stderr=theirs)
    os.close(theirs)
    drawn: list[bytes] = []
    reader = threading.Thread(target=_drain, args=(ours, drawn, plan.unread == SLOW), daemon=True)
    reader.start()

    def read() -> tuple[str, str]:
        stdout, _ = process.communicate()
        reader.join()
        return stdout, b"".join(drawn).decode()

    return process, read


def _drain(descriptor: int, content: list[bytes], slowly: bool) -> None:
    with contextlib.suppress(OSError):  # Linux: EIO once the other end is closed
        while chunk := os.read(descriptor, 96 if slowly else 1 << 16):
            content.append(chunk)
            time.sleep(0.1 if slowly else 0)
    os.close(descriptor)


def _ends_before(process: subprocess.Popen[str], until: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, until - time.monotonic()))
    return process.poll() is not None


def judged(happened: Happened) -> list[str]:
    """All that is wrong with a wait."""
    found = judge(happened)
    late = [f"{found.late:.2f} s late"] if found.late > MARGIN_SECONDS else []
    return [*found.wrong, *late]


def left_over(home: Path) -> list[str]:
    """What the waits have not removed: files, folders, processes."""
    files = {*home.glob("tmp/*"), *home.iterdir()} - {home / name for name in (*STARVING, "tmp")}
    return [*map(str, files), *(f"process {number}" for number in processes.children())]


def _reported(number: int, happened: Happened, wrong: list[str]) -> str:
    first, ended = happened.first, happened.ended
    said = [(round(s.at - first, 2), s.verdict, s.missing) for s in happened.said]
    sent = [(round(at - first, 2), signum) for at, signum in happened.sent]
    return (
        f"wait {number}: {', '.join(wrong)}\n  {' '.join(happened.plan.arguments)}\n"
        f"  said {said}\n  sent {sent}\n  ended {ended.code} at {happened.end - first:.2f}\n"
        f"  stdout {ended.stdout!r}\n  stderr {ended.stderr!r}"
    )


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
        for name, code in {"tmp": "", **STARVING}.items():
            (home / name).mkdir()
            if code:
                (home / name / "sitecustomize.py").write_text(code)
        happened = list(pool.map(lambda n: weather(draw(seed, n), home), numbers))
        for index, one in enumerate(happened):
            if judged(one) and not judge(one).wrong:  # late because of the others?
                happened[index] = weather(draw(seed, numbers[index]), home)
        left = left_over(home)
    found = {number: judged(one) for number, one in zip(numbers, happened, strict=True)}
    for (number, wrong), one in zip(found.items(), happened, strict=True):
        if wrong:
            print(_reported(number, one, wrong))

    codes = sorted(Counter(h.ended.code for h in happened).items())
    answers, signals = sum(len(h.said) for h in happened), sum(len(h.sent) for h in happened)
    print(f"{len(found)} waits in {time.monotonic() - since:.0f} s, seed {seed}")
    print(f"{answers} answers, {signals} signals")
    print(f"ended {max(judge(one).late for one in happened):.2f} s late at most")
    print("codes: " + ", ".join(f"{code} x {count}" for code, count in codes))
    print(f"{sum(map(bool, found.values()))} not as they should be; left over: {left or 'nothing'}")
    return 1 if any(found.values()) or left else 0


if __name__ == "__main__":
    sys.exit(main())
