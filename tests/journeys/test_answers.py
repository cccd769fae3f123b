"""The installed command for each exit code that an answer comes to: time, words, secrets."""

from __future__ import annotations

import json

import pytest

from tests.support import secrets
from tests.support.command import ACCOUNT, BUILD, SERVICE, STATUS, TOKEN, WAIT
from tests.support.run import Env, run
from tests.support.sockets import Connection, Server, answering, good, http, silent
from tests.support.twilio import CREDENTIALS

HTML = b"<html>Log in to the guest Wi-Fi</html>"


def twilio_error(status: int, code: int, message: str, *headers: str) -> bytes:
    """Twilio's JSON error as an answer."""
    body = {"code": code, "message": message, "status": status}
    return http(json.dumps(body).encode(), f"{status} Nope", *headers)


# An answer, the exit code, what is on stdout and on stderr.
ROWS = {
    "completed": (good("completed"), 0, "completed", ""),
    "failed, all else silent": (good("failed"), 1, "failed", "Twilio gives no reason"),
    "a redirect": (http(b"", "302 Found", "Location: https://x.example/"), 3, "", "a redirect"),
    "429": (twilio_error(429, 20429, "Busy"), 3, "", "HTTP 429, code 20429"),
    "a login page": (http(HTML, "401 No", "Content-Type: text/html"), 3, "", "proxy or gateway"),
    "401": (twilio_error(401, 20003, "Authenticate"), 4, "", "code 20003: Authenticate"),
    "404": (twilio_error(404, 20404, "was not found [bold]"), 5, "", "was not found [bold]"),
    "building": (good("building"), 8, "building", ""),
}


@pytest.mark.parametrize(("answer", "code", "printed", "said"), ROWS.values(), ids=ROWS)
def test_every_answer_has_its_code_time_and_words_without_secrets(
    base: Env, answer: bytes, code: int, printed: str, said: str
) -> None:
    with Server(answering(answer)) as server:
        ended = run(*STATUS, "-v", env={**base, **CREDENTIALS, "TWBUILD_API_URL": server.url})
        polls = [request for request in server.requests if b"/Status " in request]

    passes = b" 429 " in answer
    assert (ended.code, ended.stdout) == (code, f"{printed}\n" if printed else "")
    assert (2 if passes else 0) < ended.seconds < 12
    assert len(polls) == (3 if passes else 1)
    assert said in ended.stderr
    assert "guest Wi-Fi" not in ended.stderr
    assert ended.is_plain
    assert ended.stderr.count("  GET ") >= len(polls), "-v tells each request"
    assert secrets.shown(ended.stderr) == []


FOREIGN = (
    "\x1b[31mred\x1b]0;title\x07\x9b1m \u202eevil\u2066 a\r\nb\x85c\u2028d \ud800 \x7f\x00 "
    "::error::x ##[group]y ##vso[task.complete]z %0A [bold]w[/bold]"
)


def test_foreign_text_is_shown_and_does_nothing(base: Env) -> None:
    headers = ("Twilio-Request-Id: RQ\x9b1m##[x]", "Content-Type: \x1b[1m")
    answers = [twilio_error(401, 20003, FOREIGN, headers[0]), http(b"", "400 Nope", *headers)]
    for answer in answers:
        with Server(answering(answer)) as server:
            env = {**base, **CREDENTIALS, "TWBUILD_API_URL": server.url, "GITHUB_ACTIONS": "true"}
            ended = run(*STATUS, "--json", "-v", env=env)

        assert ended.code == (4 if answer == answers[0] else 3)
        written = ended.stdout + ended.stderr
        assert all(character.isprintable() or character == "\n" for character in written)
        assert "##" not in written
        assert secrets.shown(written) == []
        others = [line for line in ended.stderr.splitlines() if not line.startswith("twbuild: ")]
        assert [line[:23] for line in others] == ["::error title=twbuild::"]
        assert ended.stdout.count("\n") == 1


def test_a_failed_build_without_details_exits_1_within_5_seconds(base: Env) -> None:
    with Server(answering(good("failed"), silent)) as server:
        ended = run(*WAIT, env={**base, **CREDENTIALS, "TWBUILD_API_URL": server.url})

    assert (ended.code, ended.stdout) == (1, "failed\n")
    assert 4.5 < ended.seconds < 10
    assert "Twilio gives no reason" in ended.stderr


def test_what_passes_is_ridden_out_until_the_credentials_die(base: Env) -> None:
    passing = [http(b"", "404 Nope"), http(b"", "429 Busy", "Retry-After: 0.493")]
    refused = twilio_error(401, 20003, "Authenticate")
    with Server(answering(*passing, good(), good(), refused)) as server:
        ended = run(*WAIT, env={**base, **CREDENTIALS, "TWBUILD_API_URL": server.url})

        polls = [request for request in server.requests if b"/Status" in request]
        assert len(polls) == 6, "a refusal on a kept connection is requested again"
    assert (ended.code, ended.stdout) == (4, "")
    assert ended.stderr.count("retrying in") == 2
    assert f"{BUILD} was still building" in ended.stderr
    assert "The build continues at the API" in ended.stderr
    assert f"    twbuild wait {SERVICE} {BUILD}\n" in ended.stderr
    assert secrets.shown(ended.stderr) == []


def test_credentials_that_a_server_repeats_are_not_shown(base: Env) -> None:
    def echo(connection: Connection) -> None:
        head = connection.server.requests[-1].decode()
        basic = next(line for line in head.split("\r\n") if line.startswith("Authorization"))
        message = f"bad header {basic}, for {ACCOUNT}:{TOKEN}"
        connection.send(twilio_error(404, 20404, message))

    with Server(answering(echo)) as server:
        env = {**base, **CREDENTIALS, "TWBUILD_API_URL": server.url}
        ended = run(*STATUS, "--json", "-v", env=env)

    assert ended.code == 5
    assert secrets.shown(ended.stdout + ended.stderr) == []
