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
import statistics
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
from tests.chaos.judge import Happened, Judgement, judge
from tests.chaos.plan import SLOW, STARVING, Plan, draw
from tests.support import processes
from tests.support.command import ACCOUNT, TOKEN, Ended, base_environ, start
from tests.support.moments import fill

MARGIN_SECONDS = 0.4  # the contract's 0.2 s, on a machine that runs other things as well


def weather(plan: Plan, home: Path) -> Happened:
    """Run one wait through what is planned for it."""
    server = Faulty(plan)
    env = base_environ(
        home,
        TWILIO_ACCOUNT_SID=ACCOUNT,
        TWILIO_AUTH_TOKEN=TOKEN,
        TWBUILD_API_URL=server.url,
        TMPDIR=str(home / "tmp"),
        **plan.env,
    )
    if plan.starving:
        env["PYTHONPATH"] = str(home / plan.starving)
    since = time.monotonic()
    process, read = _started(plan, env)
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


def _started(
    plan: Plan, env: dict[str, str]
) -> tuple[subprocess.Popen[str], Callable[[], tuple[str, str]]]:
    """The wait, and what reads stdout and stderr to their ends; stderr may be a terminal."""
    if plan.unread in ("stdout", "stderr"):
        return _started_unread(plan, env)
    if not plan.live:
        process = start(*plan.arguments, env=env)
        return process, process.communicate
    ours, theirs = pty.openpty()
    process = start(*plan.arguments, env={**env, "TERM": "xterm-256color"}, stderr=theirs)
    os.close(theirs)
    drawn: list[bytes] = []
    pause = 0.1 if plan.unread == SLOW else 0.0
    reader = threading.Thread(target=_drain, args=(ours, drawn, pause), daemon=True)
    reader.start()

    def read() -> tuple[str, str]:
        stdout, _ = process.communicate()
        reader.join()
        return stdout, b"".join(drawn).decode()

    return process, read


def _started_unread(
    plan: Plan, env: dict[str, str]
) -> tuple[subprocess.Popen[str], Callable[[], tuple[str, str]]]:
    """The wait with a full pipe for stdout or stderr, which is never read."""
    unread, full = os.pipe()
    fill(full)
    streams = {plan.unread: full}
    process = start(*plan.arguments, env=env, **streams)
    os.close(full)

    def read() -> tuple[str, str]:
        stdout, stderr = process.communicate()
        os.close(unread)
        return stdout or "", stderr or ""

    return process, read


def _drain(descriptor: int, content: list[bytes], pause: float) -> None:
    with contextlib.suppress(OSError):  # Linux: EIO once the other end is closed
        while chunk := os.read(descriptor, 96 if pause else 1 << 16):
            content.append(chunk)
            time.sleep(pause)
    os.close(descriptor)


def _ends_before(process: subprocess.Popen[str], until: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, until - time.monotonic()))
    return process.poll() is not None


def left_over(home: Path) -> list[str]:
    """What the waits have not removed: files, folders, processes."""
    files = {*home.glob("tmp/*"), *home.iterdir()} - {home / name for name in (*STARVING, "tmp")}
    return [*map(str, files), *(f"process {number}" for number in processes.children())]


def _reported(number: int, happened: Happened, found: Judgement) -> str:
    wrong = [
        f"wrong: {found.wrong}" if found.wrong else "",
        "a secret leaked" if found.leaks else "",
        "a traceback" if found.traceback else "",
        f"{found.late:.2f} s late" if found.late > MARGIN_SECONDS else "",
    ]
    heard = [(round(s.at - happened.first, 2), s.verdict, s.missing) for s in happened.said]
    sent = [(round(at - happened.first, 2), n) for at, n in happened.sent]
    end = round(happened.end - happened.first, 2)
    return (
        f"wait {number}: {', '.join(w for w in wrong if w)}\n"
        f"  {' '.join(happened.plan.arguments)}\n"
        f"  said {heard}\n  sent {sent}\n  ended {happened.ended.code} at {end}\n"
        f"  stdout {happened.ended.stdout!r}\n  stderr {happened.ended.stderr!r}"
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
    with tempfile.TemporaryDirectory() as home, ThreadPoolExecutor(options.jobs) as pool:
        (Path(home) / "tmp").mkdir()
        for name, code in STARVING.items():
            (Path(home) / name).mkdir()
            (Path(home) / name / "sitecustomize.py").write_text(code)
        happened = list(pool.map(lambda n: weather(draw(seed, n), Path(home)), numbers))
        found = [judge(h) for h in happened]
        for index, judgement in enumerate(found):  # late because of the others?
            if judgement.late > MARGIN_SECONDS and not any(judgement[:3]):
                happened[index] = weather(draw(seed, numbers[index]), Path(home))
                found[index] = judge(happened[index])
        left = left_over(Path(home))
    for number, one, judgement in zip(numbers, happened, found, strict=True):
        if any(judgement[:3]) or judgement.late > MARGIN_SECONDS:
            print(_reported(number, one, judgement))

    wrong, leaks, tracebacks = (
        sum(map(bool, column)) for column in list(zip(*found, strict=True))[:3]
    )
    late = sorted(judgement.late for judgement in found)
    too_late = sum(seconds > MARGIN_SECONDS for seconds in late)
    codes = Counter(h.ended.code for h in happened)
    print(f"{len(found)} waits in {time.monotonic() - since:.0f} s, seed {seed}")
    print("codes: " + ", ".join(f"{code} x {count}" for code, count in sorted(codes.items())))
    answers, signals = sum(len(h.said) for h in happened), sum(len(h.sent) for h in happened)
    print(f"{answers} answers, {signals} signals")
    print(f"ended late by {statistics.median(late):.2f} s in the median, {late[-1]:.2f} s at most")
    print(f"{wrong} wrong verdicts, {leaks} leaks, {tracebacks} tracebacks, {too_late} late ends")
    print(f"left over: {', '.join(left) or 'nothing'}")
    return 1 if wrong or leaks or tracebacks or too_late or left else 0


if __name__ == "__main__":
    sys.exit(main())
