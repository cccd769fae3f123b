"""One run, from the arguments to an exit code: what it refuses before any request."""

from __future__ import annotations

import os

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE
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


def test_without_credentials_each_build_has_its_json_object(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert app.run([SERVICE, BUILD, OTHER_BUILD], WAIT._replace(format="json")) == 4

    out, err = capfd.readouterr()
    assert [line.count('"unauthorized"') for line in out.splitlines()] == [1, 1]
    assert err.startswith("twbuild: error: no credentials found")
