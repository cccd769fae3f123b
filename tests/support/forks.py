"""The command in a process of its own, forked off a Python that has imported it already.

Starting Python and importing twbuild costs more processor time than all else that most tests do.
A fork begins where the installed script begins, with the environment, the folder and the streams
that it is given; so it serves every test that is not about the start itself.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, AnyStr, NoReturn

from tests.support import processes

ROOT = str(Path(__file__).parents[2])
SERVE = f"import sys; sys.path[0] = {ROOT!r}; from tests.support import forks; forks.serve(0)"
LONGEST = 1 << 18  # bytes of arguments and environment
# Variables that matter before the fork; a locale of UTF-8 does not.
STARTED_ELSE = ("PYTHON", "COVERAGE_", "LC_", "LANG", "LD_")
STREAMS = ("stdin", "stdout", "stderr")


def can_start(env: Mapping[str, str], options: Iterable[str] = ()) -> bool:
    """Whether a fork would be what a new Python with this environment and these options is."""
    return (
        processes.can_adopt()
        and {*STREAMS, "cwd", "text"}.issuperset(options)
        and not any(
            name.startswith(STARTED_ELSE) and not value.endswith("UTF-8")
            for name, value in env.items()
        )
    )


class Fork(subprocess.Popen[AnyStr]):
    """What Popen is for the installed `twbuild` and its arguments."""

    def __init__(
        self, words: list[str], *, skips_sleeps: bool = False, first: str = "", **options: Any
    ) -> None:
        self._how = {"skips_sleeps": skips_sleeps, "first": first}
        super().__init__(words, **options)

    def _execute_child(self, *given: Any) -> None:
        words, _, _, _, _, cwd, env, _, _, _, *pipes = given[:16]
        streams = [end if end >= 0 else n for n, end in enumerate((pipes[0], pipes[3], pipes[5]))]
        try:
            self.pid = start(words, env, streams, cwd=cwd or ".", **self._how)
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def start(
    words: list[str],
    env: Mapping[str, str],
    streams: list[int],
    *,
    cwd: str | os.PathLike[str] = ".",
    **how: Any,
) -> int:
    """Start `twbuild` with these descriptors as its streams; the number of the process, our child.

    `how`: `first` is Python that runs before the command, `skips_sleeps` lets its clock jump,
    `on_terminal` makes it the leader of a session, and its stdin that session's terminal.
    """
    wanted = {"words": words, "env": dict(env), "cwd": os.path.abspath(cwd), **how}
    with _one_at_a_time:  # else two threads may get each other's process
        link = _connect()
        socket.send_fds(link, [json.dumps(wanted).encode()], streams)
        return int(link.recv(64))


_server: list[socket.socket] = []
_one_at_a_time = threading.Lock()


def _connect() -> socket.socket:
    """The way to the process that forks, which is started for the first that asks."""
    if not _server:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            words = [sys.executable, "-c", SERVE]
            started = subprocess.Popen(words, env={}, stdin=theirs.fileno())
        processes.keep(started)
        _server.append(ours)
    return _server[0]


def end() -> None:
    """Let the process that forks end: its link has no other end any more."""
    while _server:
        _server.pop().close()


def serve(descriptor: int) -> None:
    """Fork off a command for each message, until there are no more."""
    # What every `status` and `wait` imports, and nothing else.
    from twbuild import __main__, app, cli
    from twbuild.api import fetcher, network

    assert all((__main__, app, cli, fetcher, network))
    gc.freeze()
    link = socket.socket(fileno=os.dup(descriptor))
    while True:
        message, streams, _, _ = socket.recv_fds(link, LONGEST, 3)
        if not message:
            return
        read_end, write_end = os.pipe()
        middle = os.fork()
        if middle == 0:  # once it ends, the command is an orphan, which the tests' process adopts
            command = os.fork()
            if command == 0:
                _become(json.loads(message), streams)
            os.write(write_end, b"%d" % command)
            os._exit(0)
        os.waitpid(middle, 0)
        link.send(os.read(read_end, 64))
        for number in (read_end, write_end, *streams):
            os.close(number)


def _become(wanted: dict[str, Any], streams: list[int]) -> NoReturn:
    """Be the command, as if it had just been started."""
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, max(streams) + 9)
        os.environ.clear()
        os.environ.update(wanted["env"])
        time.tzset()
        os.chdir(wanted["cwd"])
        sys.argv = wanted["words"]
        sys.orig_argv = [sys.executable, *sys.argv]
        sys.path[0] = os.path.dirname(sys.argv[0])
        if wanted.get("on_terminal"):
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        if wanted.get("skips_sleeps"):
            _skip_sleeps()
        exec(wanted.get("first", ""), {})

        from twbuild.__main__ import main

        main()
    finally:
        os._exit(99)


def _skip_sleeps() -> None:
    """Let the clock jump wherever the runner would sleep with no request in flight."""
    from twbuild import app
    from twbuild.output.plain import Plain
    from twbuild.watch import runner

    real, skipped = time.monotonic, 0.0

    def clock() -> float:
        return real() + skipped

    class Runner(runner.Runner):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, clock)  # type: ignore[call-arg]

        def _wait(self, seconds: float) -> None:
            nonlocal skipped
            if self._in_flight:
                super()._wait(seconds)
            else:
                skipped += seconds

    time.monotonic = clock
    vars(app)["Runner"] = Runner
    vars(app)["Plain"] = partial(Plain, clock=clock)
