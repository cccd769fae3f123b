"""The entry point: how an error that nothing else explains becomes a message."""

from __future__ import annotations

import warnings

import pytest

from twbuild import __main__ as main
from twbuild import __version__, text

Stderr = pytest.CaptureFixture[str]


def explained(error: BaseException, *, verbose: bool = False) -> tuple[str, ...]:
    return main._unexpected(error, verbose, text.printable)


def bug() -> TypeError:
    """An error that comes from twbuild's own code."""
    with pytest.raises(TypeError) as raised:
        text.parse_duration(None)  # type: ignore[arg-type]
    assert raised.value.__traceback__
    return raised.value.with_traceback(raised.value.__traceback__.tb_next)


def test_a_bug_says_its_kind_the_version_and_where_to_report_it() -> None:
    head, hint = explained(bug())

    assert head == f"a bug in twbuild {__version__}: TypeError"
    assert "report it" in hint


def test_the_lines_that_led_to_a_bug_are_shown_with_verbose() -> None:
    _, *hints = explained(bug(), verbose=True)

    assert any("text.py:" in hint and hint.endswith(" in parse_duration") for hint in hints)


@pytest.mark.parametrize("verbose", [False, True])
def test_the_text_of_an_exception_is_never_shown(verbose: bool) -> None:
    assert "hunter2" not in repr(explained(ValueError("hunter2"), verbose=verbose))


def test_a_missing_module_is_named() -> None:
    head, hint = explained(ModuleNotFoundError("No module named 'typer'", name="typer"))

    assert head == "twbuild's installation is broken: typer is missing"
    assert hint == "Install twbuild again."


def test_a_file_in_the_place_of_a_module_is_named_with_what_to_do() -> None:
    error = SyntaxError("invalid syntax", ("/home/me/requests.py", 1, 1, "("))
    head, *hints = explained(error)

    assert head.startswith("/home/me/requests.py is used in place of a module")
    assert hints[0] == "Rename it, or remove its folder from PYTHONPATH."


def test_where_nothing_else_can_be_imported_one_message_and_code_70_remain(
    capfd: Stderr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert main._explain_alone(ImportError("hunter2"), verbose=False) == 70
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith("twbuild: error: twbuild's installation is broken")
    assert lines[-1] == "twbuild:   Install twbuild again."

    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert main._explain_alone(ModuleNotFoundError(name="100%"), verbose=False) == 70
    (line,) = capfd.readouterr().err.splitlines()
    assert line == (
        "::error title=twbuild::error: twbuild's installation is broken: 100%25 is missing"
        "%0A  Install twbuild again."
    )


@pytest.mark.parametrize(
    ("verbose", "shown"), [(False, ""), (True, "twbuild: UserWarning: old\\x1b\n")]
)
def test_pythons_own_warnings_are_shown_with_verbose_only(
    capfd: Stderr, verbose: bool, shown: str
) -> None:
    with warnings.catch_warnings():
        main._show_warnings(verbose)
        warnings.warn("old\x1b", stacklevel=1)

    assert capfd.readouterr().err == shown
