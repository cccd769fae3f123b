"""One run, from the arguments to an exit code: what it refuses before any request."""

from __future__ import annotations

import json
import os

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE
from twbuild import app
from twbuild.errors import CredentialsError, UsageError
from twbuild.watch_options import WatchOptions

WAIT = WatchOptions(profile=None, json=False, quiet=False, verbose=False, progress="plain")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TWILIO_", "TWBUILD_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TWILIO_CONFIG_DIR", "/no/such/folder")


def test_status_of_several_builds_is_refused_with_the_command_for_them() -> None:
    with pytest.raises(UsageError, match="status checks one build") as refused:
        app.run([SERVICE, BUILD, OTHER_BUILD], WAIT._replace(once=True))

    assert refused.value.hints == (
        f"To wait for several: twbuild wait {SERVICE} {BUILD} {OTHER_BUILD}",
    )


def test_an_error_knows_how_it_is_to_be_shown() -> None:
    with pytest.raises(UsageError) as refused:
        app.run(["null"], WAIT)

    assert refused.value.progress == "plain"


def test_without_credentials_each_build_has_its_json_object(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CredentialsError):
        app.run([SERVICE, BUILD, OTHER_BUILD], WAIT._replace(json=True))

    objects = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(found["sid"], found["outcome"]) for found in objects] == [
        (BUILD, "unauthorized"),
        (OTHER_BUILD, "unauthorized"),
    ]
