"""The entry point: every ending becomes a message and an exit code, or death by signal.

The only exit. At the top nothing is imported that Python has not loaded already: a file of the
user's own may be found in place of any other module, and that must end in a message, too.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from twbuild.cli import Action

BUG = 70  # outcome.ExitCode.BUG, for when even that cannot be imported
NO_WORDS = b"twbuild: error: out of memory, or a bug in twbuild\n"
LONGEST = 300  # characters of a line, as text.MAX_CHARACTERS


def main() -> "NoReturn":
    """Run `twbuild` and exit."""
    code = BUG
    try:
        code = _code(sys.argv[1:])
        _clean_up()
    except BaseException:  # noqa: BLE001 - Python would exit with 1
        os.write(2, NO_WORDS)
    finally:  # without the interpreter's teardown, which costs a tenth of a short run
        os._exit(code)


def _code(arguments: list[str]) -> int:
    """Run the command; returns the exit code, after the message of an error."""
    verbose = False
    try:
        import _signal  # type: ignore[import-not-found] # built in, so that no file replaces it
        import gc

        # Python's own handler raises wherever it is, in imports too, where C code may swallow it.
        if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        gc.disable()  # a wait enables it again; anything else ends before it pays

        from twbuild import signals

        signals.die_at_once()  # before the imports, which take time
        try:
            action = _prepared(arguments)
            verbose = action.verbose
            _show_warnings(verbose)
            return action.run()
        except signals.SignalReceived as received:
            _clean_up()
            signals.die(received.signum)
        except BaseException as error:
            signals.die_if_received()
            if (code := _close(error)) is None:
                raise
            return code
    except BaseException as error:  # noqa: BLE001 - not even the modules above may be there
        return _explain(error, verbose)


def _clean_up() -> None:
    """Do what libraries left for the exit: in a zipapp certifi removes a temporary file."""
    import atexit

    atexit._run_exitfuncs()  # noqa: SLF001 - its only way


def _prepared(arguments: list[str]) -> "Action":
    from twbuild.output import streams

    streams.open_closed_descriptors()
    _show_warnings(verbose=False)
    from twbuild import cli

    return cli.parse(arguments)


def _show_warnings(verbose: bool) -> None:
    """Show Python's own warnings with -v only, whatever PYTHONWARNINGS says."""
    import warnings

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        from twbuild.output.stderr import Stderr
        from twbuild.text import printable

        Stderr().say([[(f"{category.__name__}: {printable(message)}", "detail")]])

    warnings.simplefilter("default" if verbose else "ignore")
    warnings.showwarning = show


def _close(error: BaseException) -> int | None:
    """Write the message of an error of ours; returns its exit code, None for any other error."""
    from twbuild.errors import TwbuildError
    from twbuild.output import report

    return report.refuse(error) if isinstance(error, TwbuildError) else None


def _explain(error: BaseException, verbose: bool) -> int:
    """Write what an unexpected error is; returns its exit code. Nothing is imported from here on.

    The exception's own text is not shown: it may quote a secret.
    """
    frames = _frames(error)
    head, *hints = _explanation(error, frames)
    trace = [f"{file}:{line} in {function}" for file, line, function in frames] if verbose else []
    lines = [f"error: {head}", *(f"  {hint}" for hint in (*trace, *hints))]
    text = "".join(f"{_printable(line)}\n" for line in lines)
    if os.isatty(2):
        pass
    elif os.environ.get("GITHUB_ACTIONS") == "true":
        text = text.strip().replace("%", "%25").replace("\n", "%0A")
        text = f"::error title=twbuild::{text.removeprefix('error: ')}\n"
    else:
        text = "".join(f"twbuild: {line}" for line in text.splitlines(keepends=True))
    name = getattr(sys.stderr, "encoding", None) or "ascii"
    encoding = "utf-8" if name.lower() == "utf-8" else "ascii"  # others are modules
    try:
        blocking = os.get_blocking(2)
        os.set_blocking(2, False)  # where nothing reads it
        try:
            os.write(2, text.encode(encoding, "backslashreplace"))
        finally:
            os.set_blocking(2, blocking)
    except OSError:
        pass  # the reader has gone, or does not read; the code stays
    return BUG


def _explanation(error: BaseException, frames: list[tuple[str, int, str]]) -> tuple[str, ...]:
    """What a bug or a broken installation is, then hints."""
    kind = type(error).__name__
    name = getattr(error, "name", None) or ""
    file = _origin(error, frames)
    if not file:
        version = getattr(sys.modules.get("twbuild"), "__version__", "")
        report = "Please report it where you got twbuild from, with the output of -v."
        library = frames[-1][0]
        if library.startswith(os.path.dirname(__file__)) or f"-packages{os.sep}" not in library:
            return f"a bug in twbuild {version}: {kind}", report
        again = "Install twbuild again, in an environment of its own. If that does not help:"
        return (
            f"a bug in twbuild {version}, or {library} is of another version: {kind}",
            again,
            report,
        )
    if not _is_installed(file):
        return (
            f"{file} is used in place of a module that twbuild needs ({kind})",
            "Rename it, or remove its folder from PYTHONPATH.",
            "python -m twbuild also imports modules from the current folder.",
        )
    if isinstance(error, ImportError) and name.partition(".")[0] in sys.stdlib_module_names:
        hint = "Install the package that has it, or install twbuild with another Python."
        return f"this Python lacks its module {name}, or a part of it", hint
    missing = isinstance(error, ModuleNotFoundError)
    what = f"{name} is missing" if missing else f"{file} is damaged, or of another version ({kind})"
    return f"twbuild's installation is broken: {what}", "Install twbuild again."


def _frames(error: BaseException) -> list[tuple[str, int, str]]:
    """File, line and function of each call that led to it, the innermost last."""
    found = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append((code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    return found


def _origin(error: BaseException, frames: list[tuple[str, int, str]]) -> str | None:
    """The file in which an import failed or something ended the program; None for a bug."""
    module = getattr(error, "obj", None)  # which lacks a name
    if isinstance(module, type(sys)):
        return getattr(module, "__file__", None)
    if isinstance(error, SyntaxError):
        return error.filename
    if isinstance(error, ImportError) and error.path:
        return error.path
    loading = any(function == "<module>" for _, _, function in frames)
    ended = loading or isinstance(error, (ImportError, SystemExit))
    return frames[-1][0] if ended else None


def _is_installed(file: str) -> bool:
    """Whether a file is Python's own, or installed, or twbuild's; a zipapp is one file."""
    package = os.path.dirname(__file__)
    beside = os.path.dirname(package)
    roots = os.path.dirname(os.__file__), package if os.path.isdir(beside) else beside
    return file.startswith(("<", *roots)) or f"-packages{os.sep}" in file


def _printable(line: str) -> str:
    """A line of at most LONGEST characters that no terminal and no CI log obeys."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)[:LONGEST]
    while "##" in shown:
        shown = shown.replace("##", "# #")
    return shown


if __name__ == "__main__":
    main()
