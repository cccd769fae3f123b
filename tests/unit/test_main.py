"""The entry point: how an error that nothing else explains becomes a message."""

from __future__ import annotations

import warnings

import pytest

from twbuild import __main__ as main

Stderr = pytest.CaptureFixture[str]


@pytest.mark.parametrize("verbose", [False, True])
def test_the_text_of_an_exception_is_never_shown(capfd: Stderr, verbose: bool) -> None:
    assert main._explain(ValueError("hunter2"), verbose) == 70
    assert "hunter2" not in capfd.readouterr().err


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
