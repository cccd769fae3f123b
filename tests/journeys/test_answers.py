"""The installed command for each exit code that an answer comes to: time, words, secrets."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from tests.support import secrets
from tests.support.command import ACCOUNT, BUILD, SERVICE, STATUS, TOKEN, WAIT
from tests.support.run import Env, run
from tests.support.sockets import Server, answering, good, http, silent
from tests.support.twilio import CREDENTIALS

HTML = b"<html>Log in to the guest Wi-Fi</html>"


def twilio_error(status: int, code: int, message: str, *headers: str) -> bytes:
    """Twilio's JSON error as an answer."""
    body = {"code": code, "message": message, "status": status}
    return http(json.dumps(body).encode(), f"{status} Nope", *headers)


# An answer, the exit code, what is on stdout and on stderr. Behind the first answer is silence.
ROWS = {
    "completed": (good("completed"), 0, "completed", ""),
    "failed": (good("failed"), 1, "failed", "Twilio gives no reason"),
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
    tries = 3 if b" 429 " in answer else 1
    with Server(answering(*[answer] * tries, silent)) as server:
        ended = run(*STATUS, "-v", env={**base, **CREDENTIALS, "TWBUILD_API_URL": server.url})
        polls = [request for request in server.requests if b"/Status " in request]

    assert (ended.code, ended.stdout) == (code, f"{printed}\n" if printed else "")
    assert (2 if tries > 1 else 4.5 if code == 1 else 0) < ended.seconds < 10
    assert len(polls) == tries
    assert said in ended.stderr
    assert "guest Wi-Fi" not in ended.stderr
    assert ended.is_plain
    assert "twbuild: credentials: TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN\n" in ended.stderr
    assert ended.stderr.count("  GET ") >= tries, "-v tells each request"
    assert secrets.shown(ended.stderr) == []


PAIR = f"{ACCOUNT}:{TOKEN}"
FOREIGN = (
    f"{PAIR}, Basic {b64encode(PAIR.encode()).decode()} "
    "\x1b[31mred\x1b]0;title\x07\x9b1m \u202eevil\u2066 a\r\nb\x85c\u2028d \ud800 \x7f\x00 "
    "::error::x ##[group]y ##vso[task.complete]z %0A"
)


def test_foreign_text_is_shown_and_does_nothing(base: Env) -> None:
    """What it repeats of the credentials is not shown."""
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
        assert ("z %0A" in written.replace("%25", "%")) is (ended.code == 4), "all of it"
        others = [line for line in ended.stderr.splitlines() if not line.startswith("twbuild: ")]
        assert [line[:23] for line in others] == ["::error title=twbuild::"]
        assert ended.stdout.count("\n") == 1


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
