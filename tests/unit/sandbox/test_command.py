"""COMMAND sees the sandbox alone, and its exit code is the one that a shell gives."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from twbuild.sandbox import command
from twbuild.sandbox.server import Sandbox
from twbuild.text import named


def test_command_sees_no_account_but_the_sandboxs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWILIO_API_KEY", "TWILIO_REGION", "TWBUILD_SERVICE", "TWILIO_AUTH_TOKEN"):
        monkeypatch.setenv(name, "the caller's own")
    monkeypatch.setenv("LANG", "C.UTF-8")
    with Sandbox("completed", 0) as sandbox:
        seen = command._environment(sandbox, "/empty")

    assert seen["LANG"] == "C.UTF-8"
    assert {name: seen[name] for name in seen if name.startswith(("TWILIO_", "TWBUILD_"))} == {
        "TWBUILD_API_URL": sandbox.url,
        "TWBUILD_SERVICE": command.SERVICE,
        "TWILIO_ACCOUNT_SID": sandbox.account,
        "TWILIO_AUTH_TOKEN": sandbox.token,
        "TWILIO_CONFIG_DIR": "/empty",
    }


NOT_STARTED = [
    (None, 0, 127, "{}: no such file or directory"),
    (b"true\n", 0o644, 126, "{}: permission denied"),
    (b"#!/no/such/sh -e\n", 0o755, 126, "its interpreter '/no/such/sh' does not exist"),
    (b"#!/bin/sh\r\ntrue\r\n", 0o755, 126, r"its interpreter '/bin/sh\r' does not exist"),
]


@pytest.mark.parametrize(("script", "mode", "code", "reported"), NOT_STARTED)
def test_a_command_that_cannot_start_has_code_and_reason(
    tmp_path: Path, script: bytes | None, mode: int, code: int, reported: str
) -> None:
    path = tmp_path / "deploy\x1b.sh"
    if script is not None:
        path.write_bytes(script)
        path.chmod(mode)
    with pytest.raises(OSError) as refused:
        subprocess.Popen([str(path)])
    error, found = command._why_not(str(path), {"PATH": "/usr/bin:/bin"}, refused.value)

    assert found == code
    assert error.message.endswith(reported.format(named(str(path))))
    assert ["CRLF" in hint for hint in error.hints] == [True] * ("\\r" in reported)


def test_signals_are_the_main_threads_alone() -> None:
    """Else SIGCONT may come a moment after `fg`, as if no shell could continue us."""
    found: Queue[set[Any]] = Queue()

    class Served:
        def serve_forever(self) -> None:
            found.put(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    command._serve(Served())  # type: ignore[arg-type]

    assert signal.SIGCONT in found.get(timeout=10)
    assert signal.SIGCONT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
