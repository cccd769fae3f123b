"""Shell completion, by Typer; but no error exits with 1 or leaves a half of it written."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shlex
from collections.abc import Callable, Sequence

from twbuild.errors import UsageError
from twbuild.outcome import ExitCode
from twbuild.output import streams
from twbuild.output.stdout import write_line
from twbuild.text import printable, strerror

INSTALL, SHOW = OPTIONS = ("--install-completion", "--show-completion")

# What Typer writes below HOME; it asks PowerShell for the place.
_FILES = {
    "bash": (".bash_completions/twbuild.sh", ".bashrc"),
    "zsh": (".zfunc/_twbuild", ".zshrc"),
    "fish": (".config/fish/completions/twbuild.fish",),
}

# Runs Typer with arguments; it exits, or returns the exit code.
Typer = Callable[[Sequence[str]], object]


def complete(typer: Typer) -> int:
    """Print completions for a shell. Errors are not shown, and the exit code is never 1."""
    streams.open_nowhere(streams.STDERR)
    code, words = _run(typer, [])
    write_line(words)
    return ExitCode.USAGE if code else ExitCode.COMPLETED


def show_or_install(typer: Typer, option: str, *others: str) -> int:
    """Do what one of OPTIONS asks for, for the shell around us. Raises UsageError."""
    if others:
        raise UsageError(f"{option} takes no argument: {printable(shlex.join(others))}")
    try:
        code, printed = _run(typer, [SHOW])
    except OSError:
        why = "it needs /proc or the program ps"
        raise UsageError(f"no shell found for completion: {why}") from None
    if code:
        hint = "Run it in bash, zsh, fish or PowerShell."
        raise UsageError("no shell found for completion", hint)
    if option == INSTALL:
        shell = re.search("complete_([a-z]+)", printed)
        printed = _install(typer, _FILES.get(shell[1], ()) if shell else ())
    write_line(printed)
    return ExitCode.COMPLETED


def _install(typer: Typer, files: Sequence[str]) -> str:
    """Install it once its files can be written; what Typer prints."""
    import subprocess

    home = os.environ.get("HOME", os.path.expanduser("~"))
    if not os.path.isabs(home):
        why = "HOME is not set to an absolute path"
    elif ".zshrc" in files and os.environ.get("ZDOTDIR") not in (None, "", home):
        why = f"zsh reads its files from ZDOTDIR, not from HOME. Use {SHOW}"
    elif "'" in home or not home.isprintable():
        why = f"HOME contains a character that shells would obey: {printable(home)}"
    else:
        try:
            for name in files:
                _check_writable(os.path.join(home, name))
            code, printed = _run(typer, [INSTALL])
            if not code:
                return printed
            why = printable(printed)
        except OSError as error:
            why = strerror(error.errno)
            if error.filename:
                why = f"{printable(error.filename)}: {why}"
        except (ValueError, subprocess.SubprocessError) as error:
            why = type(error).__name__
    raise UsageError(f"completion cannot be installed: {why}")


def _check_writable(path: str) -> None:
    """Raise OSError where a file cannot be written or created, or is not text."""
    number = 0
    if os.path.isfile(path):
        with open(path, "r+") as file:
            try:
                file.read()
            except UnicodeDecodeError:
                number = errno.EILSEQ
    elif os.path.exists(path):
        number = errno.EISDIR if os.path.isdir(path) else errno.EINVAL
    else:
        while not os.path.exists(path):
            path = os.path.dirname(path)
        if not os.path.isdir(path):
            number = errno.ENOTDIR
        elif not os.access(path, os.W_OK | os.X_OK):
            number = errno.EACCES
    if number:
        raise OSError(number, os.strerror(number), path)


def _run(typer: Typer, arguments: Sequence[str]) -> tuple[object, str]:
    """Typer's exit code and what it prints."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            code = typer(arguments)
    except SystemExit as ended:
        trace = ended.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        if not trace or trace.tb_frame.f_globals["__name__"].partition(".")[0] != "typer":
            raise
        code = ended.code
    return code, printed.getvalue().rstrip("\n")
