"""The command line: help, the version, and what is suggested for a mistyped command."""

from __future__ import annotations

import pytest

from tests.support.command import BUILD
from twbuild import __version__, cli
from twbuild.errors import UsageError
from twbuild.outcome import ExitCode

Stdout = pytest.CaptureFixture[str]


def test_the_version_is_one_line(capfd: Stdout) -> None:
    assert cli.run(["--version"]) == 0
    assert capfd.readouterr().out == f"twbuild {__version__}\n"


def test_without_arguments_help_is_printed_and_the_exit_code_is_that_of_a_mistake(
    capfd: Stdout,
) -> None:
    assert cli.run([]) == ExitCode.USAGE
    printed = capfd.readouterr().out
    assert cli.run(["--help"]) == ExitCode.COMPLETED
    assert capfd.readouterr().out == printed


def test_help_has_every_exit_code_and_no_escape_codes(
    capfd: Stdout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):
        monkeypatch.setenv(name, "true")
    cli.run(["--help"])

    printed = capfd.readouterr().out
    assert "\x1b" not in printed
    for code in ExitCode:
        assert f"{code.value:>3}  {code.meaning}" in printed


@pytest.mark.parametrize(
    ("typed", "hints"),
    [
        ([BUILD], [f"Did you mean: twbuild wait SERVICE {BUILD}", "For usage: twbuild --help"]),
        (
            ["sandbox", "wait", BUILD],
            [
                f"Did you mean: twbuild sandbox twbuild wait {BUILD}",
                "For usage: twbuild sandbox --help",
            ],
        ),
        (
            ["status", "-t", "5m"],
            ["-t is an option of twbuild wait", "For usage: twbuild status --help"],
        ),
        (["wait", "--no-such-option"], ["For usage: twbuild wait --help"]),
    ],
    ids=str,
)
def test_a_mistake_is_answered_with_what_was_meant_and_whose_help_to_read(
    typed: list[str], hints: list[str]
) -> None:
    with pytest.raises(UsageError) as mistake:
        cli.run(typed)

    assert list(mistake.value.hints) == hints


def test_an_empty_command_of_the_sandbox_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="COMMAND is empty"):
        cli.run(["sandbox", ""])
