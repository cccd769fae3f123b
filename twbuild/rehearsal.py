"""A command run against the sandbox, in an environment that knows the sandbox only."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from types import FrameType

from twbuild import signals
from twbuild.errors import TwbuildError
from twbuild.sandbox import Sandbox
from twbuild.streams import Stderr
from twbuild.text import printable

SERVICE = "rehearsal"
NOT_EXECUTABLE, NOT_FOUND = 126, 127  # as POSIX has it for a shell


def run(command: Sequence[str], outcome: str, build_seconds: float) -> int:
    """Run `command`, or `twbuild wait`, against a sandbox; its exit code, as a shell has it.

    Raises Signalled where a signal to us has ended the command.
    """
    with contextlib.ExitStack() as stack:
        try:
            sandbox = Sandbox(outcome, build_seconds)
            empty = stack.enter_context(tempfile.TemporaryDirectory(prefix="twbuild-"))
        except OSError as error:
            why = os.strerror(error.errno or 0).lower()
            told = "the sandbox needs a port on 127.0.0.1 and a temporary folder"
            raise TwbuildError(f"{told}: {why}") from None
        threading.Thread(target=sandbox.serve_forever, daemon=True).start()
        if not command:
            arguments = ["wait", SERVICE, sandbox.build]
            Stderr().say([[(f"$ twbuild {' '.join(arguments)}", "command")]])
            command = [*_twbuild(), *arguments]
        return _run(command, _environment(sandbox, empty))


def _environment(sandbox: Sandbox, config_dir: str) -> dict[str, str]:
    """The caller's, with the sandbox in the place of everything that leads to an account."""
    ours = ("TWILIO_", "TWBUILD_")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
        "TWBUILD_API_URL": sandbox.url,
        "TWBUILD_SERVICE": SERVICE,
        "TWILIO_ACCOUNT_SID": sandbox.account,
        "TWILIO_AUTH_TOKEN": sandbox.token,
        "TWILIO_CONFIG_DIR": config_dir,
    }


def _twbuild() -> list[str]:
    """The twbuild that runs; `python -m` searches the working directory: only if started so."""
    script = shutil.which(sys.argv[0])
    started_as_module = os.path.basename(sys.argv[0]) == "__main__.py"
    return [sys.executable, "-m", "twbuild"] if started_as_module or not script else [script]


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    received: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def pass_on(signum: int, _: FrameType | None) -> None:
        received.append(signum)
        if child is not None:
            _forward(signum, child)

    for name in signals.NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    try:
        child = subprocess.Popen(command, env=environment)  # noqa: S603 - the caller's own
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        Stderr().say(TwbuildError(f"{printable(command[0])}: {why}").lines)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    for signum in received:
        _forward(signum, child)
    code = child.wait()
    if -code in received:
        raise signals.Signalled(-code)
    return code if code >= 0 else 128 - code


def _forward(signum: int, child: subprocess.Popen[bytes]) -> None:
    """Pass a signal on; but a Ctrl-C has reached the command already, as it shares our terminal."""
    if signum != signal.SIGINT or not _has_terminal():
        child.send_signal(signum)


def _has_terminal() -> bool:
    """Whether Ctrl-C at our terminal is for us."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    except (OSError, AttributeError):
        return False
