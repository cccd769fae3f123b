"""A command run against the sandbox, in an environment that leads nowhere else."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from types import FrameType

from twbuild import signals
from twbuild.errors import TwbuildError
from twbuild.output.stderr import Stderr
from twbuild.sandbox.server import Sandbox
from twbuild.text import Line, pasteable, printable, quoted, strerror

SERVICE = "demo"
NOT_EXECUTABLE, NOT_FOUND = 126, 127  # as POSIX has it for a shell
SHELL = "/bin/sh"
HEAD = 256  # as much of a file as Linux reads to find its interpreter


def run(command: Sequence[str], outcome: str, build_seconds: float) -> int:
    """Run `command`, or `twbuild wait`, against a sandbox; its exit code, as a shell has it.

    Raises SignalReceived where a signal to us has ended the command, or came before its start.
    """
    relay = _Relay()  # before there is anything that a signal could leave behind
    with contextlib.ExitStack() as stack:
        try:
            sandbox = Sandbox(outcome, build_seconds)
            empty = stack.enter_context(
                # what COMMAND leaves in it changes no exit code
                tempfile.TemporaryDirectory(prefix="twbuild-", ignore_cleanup_errors=True)
            )
            threading.Thread(target=sandbox.serve_forever, daemon=True).start()
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread can be started
            why = strerror(getattr(error, "errno", None) or errno.EAGAIN)
            needs = "the sandbox needs a port on 127.0.0.1, a thread and a temporary folder"
            raise TwbuildError(f"{needs}: {why}") from None
        _say(command, sandbox)
        words = command or [*_twbuild(), "wait", SERVICE, sandbox.build]
        code = _run(words, _environment(sandbox, empty), relay)
        if not command:
            Stderr().close(_next_steps(outcome))
        return code


def _say(command: Sequence[str], sandbox: Sandbox) -> None:
    """What runs, and what the sandbox cannot find out: whether the user's settings are right."""
    supplied = f"sandbox: TWBUILD_SERVICE={SERVICE} and throwaway credentials, not your own"
    lines: list[Line] = [[(supplied, "detail")]]
    if not command:
        lines.append([(f"$ twbuild wait {SERVICE} {sandbox.build}", "command")])
    Stderr().say(lines)


def _next_steps(outcome: str) -> Sequence[Line]:
    """What to try after the default COMMAND."""
    words = [sys.argv[0]] if os.access(sys.argv[0], os.X_OK) else _twbuild()
    sandbox = pasteable([*(["twbuild"] if shutil.which("twbuild") else words), "sandbox"])
    other = sandbox if outcome == "failed" else f"{sandbox} --outcome failed"
    return [
        [("Try next:", "")],
        [("  ", ""), (other, "command")],
        [("  ", ""), (f"{sandbox} ./your-script.sh", "command")],
    ]


def _environment(sandbox: Sandbox, config_dir: str) -> dict[str, str]:
    """The caller's, with the sandbox in place of everything that leads to an account."""
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
    """How this twbuild was started: a script, a zipapp, `python -m`, with Python's own options."""
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]]


class _Relay:
    """Forwards the signals that would end us to the command, each once."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self._pending: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None
        signals.handle(self._handle, signals.ending())

    def connect(self, child: subprocess.Popen[bytes]) -> None:
        """Forward signals to `child`, also those that came before it started."""
        self._child = child
        self._forward()

    def _handle(self, signum: int, _: FrameType | None) -> None:
        self.received.append(signum)
        self._pending.append(signum)
        self._forward()

    def _forward(self) -> None:
        while self._child and self._pending:
            signum = self._pending.pop(0)
            if signum not in signals.FROM_TERMINAL or not _has_terminal():
                self._child.send_signal(signum)


def _run(command: Sequence[str], environment: Mapping[str, str], relay: _Relay) -> int:
    if relay.received:
        raise signals.SignalReceived(relay.received[0])
    try:
        child = _start(command, environment)
    except OSError as error:
        problem, code = _why_not(command[0], environment, error)
        Stderr().close(problem.lines)
        return code
    try:
        relay.connect(child)
        code = child.wait()
    finally:
        if child.returncode is None:  # only a bug leads here
            child.kill()
    if -code in relay.received:
        raise signals.SignalReceived(-code)
    return code if code >= 0 else 128 - code


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start it as a shell would, a script without a `#!` line too. Raises OSError."""
    try:
        return subprocess.Popen(command, env=environment)  # noqa: S603 - the caller's own
    except OSError as error:
        path = shutil.which(command[0], path=environment.get("PATH"))
        if error.errno != errno.ENOEXEC or path is None or b"\0" in _head(path):
            raise
        words = [SHELL, path, *command[1:]]
        return subprocess.Popen(words, env=environment)  # noqa: S603 - the caller's own


def _why_not(name: str, environment: Mapping[str, str], error: OSError) -> tuple[TwbuildError, int]:
    """Why a command cannot be run, and a shell's exit code for it."""
    path = shutil.which(name, path=environment.get("PATH"))
    head = _head(path) if path else b""
    if isinstance(error, FileNotFoundError) and head.startswith(b"#!"):
        interpreter = os.fsdecode(head[2:].partition(b"\n")[0].strip(b" \t").partition(b" ")[0])
        message = f"{printable(name)}: its interpreter {quoted(interpreter)} does not exist"
        if not interpreter.endswith("\r"):
            return TwbuildError(message), NOT_EXECUTABLE
        hint = "Its lines end in a carriage return (CRLF). Save it with Unix line ends (LF)."
        return TwbuildError(message, hint), NOT_EXECUTABLE
    code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    return TwbuildError(f"{printable(name)}: {strerror(error.errno)}"), code


def _head(path: str) -> bytes:
    """The beginning of a file; nothing where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def _has_terminal() -> bool:
    """Whether our terminal sends Ctrl-C to us, and so to the command as well."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    except (OSError, AttributeError):
        return False
