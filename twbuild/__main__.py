"""The entry point: every ending becomes a message and an exit code, or death by signal.

The only exit. At the top nothing is imported that Python has not loaded already: a file of the
user's own may be found in place of any other module, and that must end in a message, too.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

BUG = 70  # outcome.ExitCode.BUG, for when even that cannot be imported
NO_WORDS = b"twbuild: error: out of memory, or a bug in twbuild\n"
LIBRARIES = ("typer", "rich", "requests", "urllib3")


def main() -> "NoReturn":
    """Run `twbuild` and exit."""
    code = None
    try:
        code = _code(sys.argv[1:])
        _clean_up()
    finally:  # whatever is raised here: Python would exit with 1
        try:
            if code is None:
                os.write(2, NO_WORDS)
        finally:
            # without the interpreter's teardown, which costs a tenth of a short run
            os._exit(BUG if code is None else code)


def _code(arguments: list[str]) -> int:
    """Run the command; returns the exit code, after the message of an error."""
    verbose = any(word in ("-v", "--verbose", "-qv", "-vq") for word in arguments)
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
            return _run(arguments, verbose)
        except signals.SignalReceived as received:
            _clean_up()
            signals.die(received.signum)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: no library ends us
            signals.die_if_received()
            return _explain(error, verbose)
    except BaseException as error:  # noqa: BLE001 - not even the modules that explain can be used
        return _explain_alone(error, verbose)


def _clean_up() -> None:
    """Do what libraries left for the exit: in a zipapp certifi removes a temporary file."""
    import atexit

    atexit._run_exitfuncs()  # noqa: SLF001 - its only way


def _run(arguments: list[str], verbose: bool) -> int:
    from twbuild.output import terminal

    terminal.open_closed_descriptors()
    _show_warnings(verbose)
    from twbuild import cli

    return cli.run(arguments)


def _show_warnings(verbose: bool) -> None:
    """Show Python's own warnings with -v only, whatever PYTHONWARNINGS says."""
    import warnings

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        from twbuild.output.stderr import Stderr
        from twbuild.text import printable

        Stderr().say([[(f"{category.__name__}: {printable(message)}", "detail")]])

    warnings.simplefilter("default" if verbose else "ignore")
    warnings.showwarning = show


def _explain(error: BaseException, verbose: bool) -> int:
    """Write the message of an error; returns its exit code."""
    from twbuild.errors import InternalError, TwbuildError
    from twbuild.output.stderr import Stderr
    from twbuild.text import printable

    known = error
    if not isinstance(known, TwbuildError):
        known = InternalError(*_unexpected(error, verbose, printable))
    Stderr(known.progress).close(known.lines, [[line] for line in known.lines])
    return known.exit_code


def _explain_alone(error: BaseException, verbose: bool) -> int:
    """The same, using nothing but this module."""
    github = os.environ.get("GITHUB_ACTIONS") == "true"
    head, *hints = _unexpected(error, verbose, lambda text: ascii(text)[1:-1])
    lines = [f"error: {head}", *(f"  {hint}" for hint in hints)]
    text = "%0A".join(line.replace("%", "%25") for line in lines)
    shown = [f"::error title=twbuild::{text}"] if github else [f"twbuild: {line}" for line in lines]
    try:  # noqa: SIM105 - imports nothing
        os.write(2, "".join(f"{line}\n" for line in shown).encode("ascii", "backslashreplace"))
    except OSError:
        pass  # the reader has gone; the code stays
    return BUG


def _unexpected(
    error: BaseException, verbose: bool, printable: "Callable[[str], str]"
) -> tuple[str, ...]:
    """The message of a bug or a broken installation, then hints.

    The exception's own text is not in it: it may quote a secret. Nothing is imported here.
    """
    frames = _frames(error)
    trace = [f"{printable(file)}:{line} in {function}" for file, line, function in frames]
    more = trace if verbose else ()
    kind = type(error).__name__
    if file := _in_the_way(error):
        return (
            f"{printable(file)} is used in place of a module that twbuild needs ({kind})",
            *more,
            "Rename it, or remove its folder from PYTHONPATH.",
            "python -m twbuild also imports modules from the current folder.",
        )
    if isinstance(error, ModuleNotFoundError):
        broken = f"{printable(error.name or 'a module')} is missing"
    elif isinstance(error, SystemExit):
        broken = f"{printable(frames[-1][0])} ended the program"
    elif isinstance(getattr(error, "obj", error), type(sys)) or isinstance(error, ImportError):
        broken = f"a part of it is missing or of another version ({kind})"
    elif any(function == "<module>" for _, _, function in frames):
        broken = f"{printable(frames[-1][0])} cannot be loaded ({kind})"
    else:
        version = getattr(sys.modules.get("twbuild"), "__version__", "")
        return (
            f"a bug in twbuild {version}: {kind}",
            *more,
            "Please report it where you got twbuild from, with the output of -v.",
        )
    return (f"twbuild's installation is broken: {broken}", *more, "Install twbuild again.")


def _frames(error: BaseException) -> list[tuple[str, int, str]]:
    """File, line and function of each call that led to it, the innermost last."""
    found = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append((code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    return found


def _in_the_way(error: BaseException) -> str | None:
    """A file of the user's own that was loaded as a module of Python's or of a library."""
    package = (getattr(error, "name", None) or "").rpartition(".")[0]
    needed = [*sys.stdlib_module_names, *LIBRARIES]
    candidates = [
        getattr(error, "filename", None) if isinstance(error, SyntaxError) else None,
        getattr(error, "path", None),  # "cannot import name"
        *(
            getattr(m, "__file__", None)
            for m in (getattr(error, "obj", 0), sys.modules.get(package))
        ),
        *(file for file, _, _ in _frames(error)),
        *(getattr(sys.modules.get(name), "__file__", None) for name in needed),
    ]
    return next((file for file in candidates if file and _is_users(file)), None)


def _is_users(file: str) -> bool:
    """Whether a file is neither Python's own, nor installed, nor twbuild's."""
    package = os.path.dirname(__file__)
    beside = os.path.dirname(package)
    roots = [os.path.dirname(os.__file__), package]
    if not os.path.isdir(beside) or os.path.exists(os.path.join(beside, "typer")):
        roots.append(beside)  # a zipapp, or `pip install --target`
    installed = ("site-packages", "dist-packages")
    return not (
        file.startswith(("<", *(root + os.sep for root in roots)))
        or any(f"{os.sep}{name}{os.sep}" in file for name in installed)
        or os.path.basename(file) in ("sitecustomize.py", "usercustomize.py")
    )


if __name__ == "__main__":
    main()
