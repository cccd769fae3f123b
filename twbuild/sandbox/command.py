"""A command run against the sandbox, in an environment that leads nowhere else."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

from twbuild import signals
from twbuild.errors import TwbuildError
from twbuild.invocation import program
from twbuild.output.stderr import PROGRESS_VARIABLE, Stderr
from twbuild.output.streams import STDIN
from twbuild.sandbox.job import Job
from twbuild.sandbox.server import Sandbox
from twbuild.text import Line, named, pasteable, quoted, strerror

SERVICE = "demo"
NOT_EXECUTABLE, NOT_FOUND = 126, 127  # as POSIX has it for a shell
SHELL = "/bin/sh"
_SUPPLIED = f"a local fake API, service {SERVICE}, invented credentials; yours are not used"
SHELLS = ("sh", "bash", "dash", "ksh", "zsh", "fish", "tcsh")
HEAD = 256  # as much of a file as Linux reads to find its interpreter


def run(command: Sequence[str], outcome: str, build_seconds: float) -> int:
    """Run `command` against a sandbox whose builds take `build_seconds` and end with `outcome`.

    Returns its exit code, as a shell has it. Raises TwbuildError where there can be no sandbox,
    and SignalReceived where a signal to us has ended the command, or came before its start.
    """
    job = Job()  # before there is anything that a signal could leave behind
    with contextlib.ExitStack() as stack:
        with _needed():
            is_shell = _is_shell(command)
            sandbox = Sandbox(outcome, build_seconds, is_shell=is_shell)
            empty = stack.enter_context(
                # what COMMAND leaves in it changes no exit code
                tempfile.TemporaryDirectory(prefix="twbuild-", ignore_cleanup_errors=True)
            )
        Stderr().say([_supplied(), *([_to_try(sandbox.build)] if is_shell else [])])
        return _run(command, _environment(sandbox, empty), job, sandbox)


def demonstrate(wait: Callable[[str], int], outcome: str, build_seconds: float) -> int:
    """Wait for a build of a sandbox, by `wait` in this process, and say what to try next."""
    with _needed():
        sandbox = Sandbox(outcome, build_seconds)
        _serve(sandbox)
    environment = _environment(sandbox, os.devnull)  # which no file can be in
    environment[PROGRESS_VARIABLE] = os.environ.get(PROGRESS_VARIABLE, "")
    os.environ.clear()
    os.environ.update(environment)
    Stderr().say([_supplied(), [(f"$ twbuild wait {SERVICE} {sandbox.build}", "command")]])
    code = wait(sandbox.build)
    Stderr().close(_next_steps(outcome))
    return code


@contextlib.contextmanager
def _needed() -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:  # RuntimeError: no thread can be started
        why = strerror(getattr(error, "errno", None) or errno.EAGAIN)
        needs = "the sandbox needs a port on 127.0.0.1, a thread and a temporary folder"
        raise TwbuildError(f"{needs}: {why}") from None


def _supplied() -> Line:
    return [(f"sandbox: {_SUPPLIED}", "detail")]


def _is_shell(command: Sequence[str]) -> bool:
    """Whether it is a shell at which a user types commands."""
    name, *options = command
    is_named = os.path.basename(name) in SHELLS and all(word[:1] == "-" for word in options)
    return is_named and os.isatty(STDIN) and not any(re.match("-[a-z]*c", w) for w in options)


def _to_try(build: str) -> Line:
    """What to type at a shell in the sandbox."""
    typed = pasteable([*program(), "wait", SERVICE, build])
    return [("Try: ", ""), (typed, "command"), ("  (exit leaves the sandbox)", "")]


def _serve(sandbox: Sandbox) -> None:
    """Serve in threads that get no signal: SIGCONT must be there when a stop is over."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        threading.Thread(target=sandbox.serve_forever, daemon=True).start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _next_steps(outcome: str) -> Sequence[Line]:
    """What to try after the default COMMAND."""
    sandbox = pasteable([*program(), "sandbox"])
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


def _run(command: Sequence[str], environment: Mapping[str, str], job: Job, sandbox: Sandbox) -> int:
    if job.received:
        raise signals.SignalReceived(job.received[0])
    try:
        _start(command, environment, job)
    except OSError as error:
        problem, code = _why_not(command[0], environment, error)
        Stderr().close(problem.lines)
        return code
    try:
        with _needed():
            _serve(sandbox)  # after the fork, which may copy no other thread's locks
        code = job.wait()
    finally:
        job.kill()
    if -code in job.received:
        raise signals.SignalReceived(-code)
    return code if code >= 0 else 128 - code


def _start(command: Sequence[str], environment: Mapping[str, str], job: Job) -> None:
    """Start it as a shell would, a script without a `#!` line too. Raises OSError."""
    try:
        job.start(command, environment)
    except OSError as error:
        path = shutil.which(command[0], path=environment.get("PATH"))
        if error.errno != errno.ENOEXEC or path is None or b"\0" in _head(path):
            raise
        job.start([SHELL, path, *command[1:]], environment)


def _why_not(name: str, environment: Mapping[str, str], error: OSError) -> tuple[TwbuildError, int]:
    """Why a command cannot be run, and a shell's exit code for it."""
    path = shutil.which(name, path=environment.get("PATH"))
    head = _head(path) if path else b""
    if isinstance(error, FileNotFoundError) and head.startswith(b"#!"):
        interpreter = os.fsdecode(head[2:].partition(b"\n")[0].strip(b" \t").partition(b" ")[0])
        message = f"{named(name)}: its interpreter {quoted(interpreter)} does not exist"
        if not interpreter.endswith("\r"):
            return TwbuildError(message), NOT_EXECUTABLE
        hint = "Its lines end in a carriage return (CRLF). Save it with Unix line ends (LF)."
        return TwbuildError(message, hint), NOT_EXECUTABLE
    code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    return TwbuildError(f"{named(name)}: {strerror(error.errno)}"), code


def _head(path: str) -> bytes:
    """The beginning of a file; nothing where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""
