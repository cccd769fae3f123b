"""The values that options take, and the messages for those that they do not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import BUILD, SERVICE
from twbuild import cli, options
from twbuild.errors import UsageError

FORMS = "use 90 (seconds), 90s, 1.5s, 500ms, 5m, 1h30m, 1d"


def parser(option: Any) -> Callable[[str], object]:
    """The parser that Typer calls for an option."""
    found: Callable[[str], object] = option.__metadata__[0].parser
    return found


GOOD = [
    *[(options.IntervalOption, "200ms", 0.2), (options.IntervalOption, "1h", 3600)],
    *[(options.TimeoutOption, "0", 0), (options.TimeoutOption, "7d", 7 * 86400)],
    *[(options.BuildTimeOption, "1m30s", 90), (options.ProfileOption, "dev", "dev")],
    *[(options.ProgressOption, "live", "live"), (options.OutcomeOption, "failed", "failed")],
]


@pytest.mark.parametrize(("option", "typed", "value"), GOOD)
def test_a_good_value_is_read(option: Any, typed: str, value: object) -> None:
    assert parser(option)(typed) == value


@pytest.mark.parametrize(
    ("option", "typed", "message"),
    [
        (options.ProfileOption, "", "--profile is empty: is the variable set?"),
        (options.IntervalOption, "", "--interval is empty: is the variable set?"),
        (options.ProgressOption, "", "--progress is empty: is the variable set?"),
        (options.TimeoutOption, "5min", f"invalid --timeout '5min': {FORMS}"),
        (options.TimeoutOption, "5m\r", rf"invalid --timeout '5m\r': {FORMS}"),
        (options.IntervalOption, "199ms", "--interval '199ms' is out of range: use 200ms to 1h"),
        (options.IntervalOption, "1h1s", "--interval '1h1s' is out of range: use 200ms to 1h"),
        (options.TimeoutOption, "8d", "--timeout '8d' is out of range: use 0 to 7d"),
        (options.BuildTimeOption, "-1", f"invalid --build-time '-1': {FORMS}"),
        (options.ProgressOption, "Live", "invalid --progress 'Live': use auto, live or plain"),
        (options.OutcomeOption, "x", "invalid --outcome 'x': use completed or failed"),
    ],
)
def test_a_bad_value_is_refused_with_what_to_use(option: Any, typed: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parser(option)(typed)

    assert refused.value.message == message


def test_a_variable_is_the_default_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWBUILD_PROGRESS", raising=False)
    assert options.default_progress() == "auto"
    for value, progress in (("", "auto"), ("plain", "plain")):
        monkeypatch.setenv("TWBUILD_PROGRESS", value)
        assert options.default_progress() == progress


@pytest.mark.parametrize("command", ["wait", "status"])
def test_a_bad_default_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("TWBUILD_PROGRESS", "Plain\r")
    with pytest.raises(UsageError) as refused:
        cli.parse([command, SERVICE, BUILD]).run()

    assert refused.value.message == r"invalid TWBUILD_PROGRESS 'Plain\r': use auto, live or plain"


def test_variables_are_set_and_restored_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    before = dict(os.environ)
    with suppress(ZeroDivisionError), options.environment(COLUMNS=None, TERMINAL_WIDTH="80"):
        assert (os.environ.get("COLUMNS"), os.environ["TERMINAL_WIDTH"]) == (None, "80")
        raise ZeroDivisionError

    assert dict(os.environ) == before


def test_no_profile_is_completed_that_a_shell_splits_or_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = ("dev", "eu-1.x_", "a b", "$(reboot)", "`x`", "a;b")
    (tmp_path / "config.json").write_text(json.dumps({"profiles": {name: {} for name in names}}))
    monkeypatch.setenv("TWILIO_CONFIG_DIR", str(tmp_path))

    assert options.ProfileOption.__metadata__[0].autocompletion() == ["dev", "eu-1.x_"]  # type: ignore[attr-defined]
