"""The console script: every ending becomes a message and a code, or a death by signal.

The only exit.
"""

from __future__ import annotations

import signal

# Before anything that takes time: Python's own handler raises wherever it is, in imports too, where
# C code may swallow it. While there is nothing to say or to mend yet, SIGINT is to end us at once.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import gc

gc.disable()  # a wait turns it on again; anything else is over before it pays

import os  # noqa: E402
import sys  # noqa: E402

from twbuild import signals  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from twbuild.errors import TwbuildError

BUG = 70  # errors.ExitCode.BUG, for when even that cannot be imported


def main() -> NoReturn:
    """Run `twbuild` and exit."""
    try:
        code = _run(sys.argv[1:])
    except signals.Signalled as signalled:
        signals.die(signalled.signum)
    except Exception:  # noqa: BLE001 - not even the rooms that explain errors can be imported
        os.write(2, b"twbuild: error: the installation is broken: install twbuild again\n")
        code = BUG
    os._exit(code)  # without the interpreter's teardown, which costs a tenth of a short run


def _run(arguments: list[str]) -> int:
    from twbuild import streams

    streams.open_closed_descriptors()
    verbose = any(word in ("-v", "--verbose", "-qv", "-vq") for word in arguments)
    _tell_warnings(verbose)
    completing = os.environ.get("_TWBUILD_COMPLETE", "").startswith(("complete_", "source_"))
    if not completing:
        os.environ.pop("_TWBUILD_COMPLETE", None)  # Typer would complete, and exit 0 or 1
    else:  # who presses Tab is told of no error
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        os.dup2(sys.stderr.fileno(), streams.STDERR)
    try:
        from twbuild import cli

        code = cli.run(arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, people get a sentence and a code
        signals.die_if_signalled()
        code = _explain(error, verbose)
    return 0 if completing else code


def _tell_warnings(verbose: bool) -> None:
    """Python's own warnings are for who asks for them, whatever PYTHONWARNINGS says."""
    import warnings

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        from twbuild.streams import Stderr
        from twbuild.text import printable

        Stderr().say([[(f"{category.__name__}: {printable(message)}", "hint")]])

    warnings.simplefilter("default" if verbose else "ignore")
    warnings.showwarning = show


def _explain(error: Exception, verbose: bool) -> int:
    """Say what went wrong; the code that goes with it."""
    from twbuild.errors import TwbuildError
    from twbuild.streams import Stderr

    told = error if isinstance(error, TwbuildError) else _unexpected(error, verbose)
    Stderr(told.progress).explain(told)
    return told.exit_code


def _unexpected(error: Exception, verbose: bool) -> TwbuildError:
    """A bug, told without the exception's own text: it may quote a secret."""
    import traceback

    from twbuild import __version__
    from twbuild.errors import BugError
    from twbuild.text import printable

    if isinstance(error, ImportError):
        module = printable(error.name or "a part of it")
        return BugError(
            f"twbuild's installation is broken: {module} is missing", "install it again"
        )
    frames = traceback.extract_tb(error.__traceback__)
    trace = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    return BugError(
        f"a bug in twbuild {__version__}: {type(error).__name__}",
        *(trace if verbose else ()),
        "please report it where you got twbuild from, with what -v adds to the same command",
    )


if __name__ == "__main__":
    main()
