"""COMMAND sees the sandbox alone, and its exit code is the one that a shell gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from twbuild.errors import TwbuildError
from twbuild.sandbox import command
from twbuild.sandbox.server import Sandbox


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


def refusal(name: str) -> tuple[TwbuildError, int]:
    """Why a command cannot be started, and the exit code for it."""
    with pytest.raises(OSError) as refused:
        subprocess.Popen([name], env={"PATH": "/usr/bin:/bin"})
    return command._why_not(name, {"PATH": "/usr/bin:/bin"}, refused.value)


def script(folder: Path, content: bytes, mode: int = 0o755) -> str:
    path = folder / "deploy.sh"
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def test_a_command_that_does_not_exist_is_127() -> None:
    error, code = refusal("no-such-command\x1b")

    assert (code, error.message) == (127, "no-such-command\\x1b: no such file or directory")


def test_a_command_that_cannot_be_executed_is_126(tmp_path: Path) -> None:
    path = script(tmp_path, b"true\n", mode=0o644)
    error, code = refusal(path)

    assert (code, error.message) == (126, f"{path}: permission denied")


def test_a_script_whose_interpreter_does_not_exist_names_it(tmp_path: Path) -> None:
    error, code = refusal(script(tmp_path, b"#!/no/such/sh -e\n"))

    assert code == 126
    assert error.message.endswith("its interpreter '/no/such/sh' does not exist")
    assert error.hints == ()


def test_a_script_with_windows_line_ends_is_reported(tmp_path: Path) -> None:
    error, code = refusal(script(tmp_path, b"#!/bin/sh\r\ntrue\r\n"))

    assert code == 126
    assert "CRLF" in error.hints[0]


@pytest.mark.parametrize(("body", "code"), [("exit 7", 7), ("kill -KILL $$", 128 + 9)])
def test_the_exit_code_is_that_of_command(body: str, code: int) -> None:
    run = f"sys.exit(command.run(['sh', '-c', '{body}'], 'completed', 0))"
    words = [sys.executable, "-c", f"import sys; from twbuild.sandbox import command; {run}"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    assert ended.returncode == code
    assert f"service {command.SERVICE}, invented credentials" in ended.stderr
