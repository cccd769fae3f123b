"""One run, from the arguments to an exit code: what it refuses before any request."""

from __future__ import annotations

import os

import pytest

from twbuild import app
from twbuild.watch_options import WatchOptions

WAIT = WatchOptions(profile=None, format=None, quiet=False, verbose=False, progress="plain")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TWILIO_", "TWBUILD_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TWILIO_CONFIG_DIR", "/no/such/folder")


def test_a_mistake_in_the_arguments_is_2_and_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert app.run(["null"], WAIT) == 2
    assert capfd.readouterr().err.startswith("twbuild: error: SERVICE 'null' is not")
