"""The installed command for each exit code that an answer comes to: time, words, secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from tests.support import secrets
from tests.support.command import ACCOUNT, BUILD, SERVICE, TOKEN, Ended, run
from tests.support.sockets import Connection, Handler, Server, answering, good, http, silent
from tests.support.twilio import status_body


def twilio_error(status: int, code: int, message: str = "Something is wrong") -> bytes:
    """The body of Twilio's JSON error."""
    link = f"https://www.twilio.com/docs/errors/{code}"
    return json.dumps(
        {"code": code, "message": message, "more_info": link, "status": status}
    ).encode()


def says(**fields: Any) -> bytes:
    """A status body with other fields."""
    return http(json.dumps({**status_body(), **fields}).encode())


class Row(NamedTuple):
    """An answer, the exit code, and in how many tries: what may pass takes three."""

    answer: bytes | Handler
    code: int
    words: str
    tries: int = 1


PAGE = b"<html>Log in to the guest Wi-Fi</html>"
REFUSED = http(twilio_error(401, 20003, "Authenticate"), "401 Nope", "Twilio-Request-Id: RQ7")
ROWS: Mapping[str, Row] = {
    "completed": Row(good("completed"), 0, ""),
    "failed, all else silent": Row(good("failed"), 1, "Twilio gives no reason"),
    "a redirect": Row(http(b"", "302 Found", "Location: https://x.example/"), 3, "a redirect"),
    "429": Row(http(twilio_error(429, 20429), "429 Busy"), 3, "HTTP 429, code 20429", 3),
    "a login page": Row(http(PAGE, "401 No", "Content-Type: text/html"), 3, "proxy or gateway"),
    "401": Row(REFUSED, 4, "code 20003: Authenticate"),
    "404": Row(http(twilio_error(404, 20404, "was not found [bold]"), "404 Nope"), 5, "[bold]"),
    "building": Row(good("building"), 8, ""),
}


def no_secret_shows(ended: Ended, *more: str) -> None:
    """The shared look: whatever happened, nothing that was written tells a secret."""
    assert secrets.shown(ended.stdout + ended.stderr, *more) == []
    assert "Traceback" not in ended.stderr


def environ(base: Mapping[str, str], url: str, **more: str) -> dict[str, str]:
    return {
        **base,
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWBUILD_API_URL": url,
        **more,
    }


@pytest.mark.parametrize("name", ROWS)
def test_every_answer_has_its_code_time_and_words_without_secrets(
    base: dict[str, str], name: str
) -> None:
    row = ROWS[name]
    with Server(answering(row.answer)) as server:
        env = environ(base, server.url)
        ended = run("status", "--json", "-v", SERVICE, BUILD, env=env)
        polls = [request for request in server.requests if b"/Status " in request]

    no_secret_shows(ended)
    assert ended.code == row.code
    assert (2 if row.tries == 3 else 0) < ended.seconds < 12
    assert len(polls) == row.tries
    reported = json.loads(ended.stdout)
    outcomes = {0: "completed", 1: "failed", 3: "unavailable", 4: "unauthorized", 5: "not_found"}
    assert reported["outcome"] == outcomes.get(row.code, "building")
    assert (reported["error"] is None) == (row.code in (0, 1, 8))
    assert row.words in ended.stderr
    assert "guest Wi-Fi" not in ended.stderr
    assert all(line.startswith("twbuild: ") for line in ended.stderr.splitlines())
    assert ended.stderr.count("  GET ") >= row.tries, "-v tells each request"


FOREIGN = (
    "\x1b[31mred\x1b]0;title\x07\x9b1m \u202eevil\u2066 a\r\nb\x85c\u2028d \ud800 \x7f\x00 "
    "::error::x ##[group]y ##vso[task.complete]z %0A [bold]w[/bold]"
)


@pytest.mark.parametrize(
    ("answer", "github"),
    [
        (http(twilio_error(401, 20003, FOREIGN), "401 Nope"), "true"),
        (says(status=FOREIGN, sid=None), ""),
        (
            http(b"", "400 Nope", "Twilio-Request-Id: RQ\x9b1m##[x]", "Content-Type: \x1b[1m"),
            "true",
        ),
    ],
    ids=["message", "status", "headers"],
)
def test_foreign_text_is_shown_and_does_nothing(
    base: dict[str, str], answer: bytes, github: str
) -> None:
    with Server(answering(answer)) as server:
        env = environ(base, server.url, GITHUB_ACTIONS=github)
        ended = run("status", "--json", "-v", SERVICE, BUILD, env=env)

    no_secret_shows(ended)
    assert ended.code in (3, 4)
    written = ended.stdout + ended.stderr
    assert all(character.isprintable() or character == "\n" for character in written)
    assert "##" not in written
    commands = [line for line in ended.stderr.splitlines() if not line.startswith("twbuild: ")]
    assert len(commands) == (1 if github else 0)
    assert all(line.startswith("::error title=twbuild::") for line in commands)
    assert ended.stdout.count("\n") == 1


def test_a_failed_build_without_details_exits_1_within_5_seconds(
    base: dict[str, str],
) -> None:
    with Server(answering(good("failed"), silent)) as server:
        ended = run("wait", SERVICE, BUILD, env=environ(base, server.url))

    assert (ended.code, ended.stdout) == (1, "failed\n")
    assert 4.5 < ended.seconds < 10
    assert "Twilio gives no reason" in ended.stderr


def test_credentials_that_die_during_a_wait_exit_4_with_advice(
    base: dict[str, str],
) -> None:
    refused = http(twilio_error(401, 20003, "Authenticate"), "401 Unauthorized")
    with Server(answering(good(), good(), good(), refused)) as server:
        ended = run("wait", "-i", "200ms", SERVICE, BUILD, env=environ(base, server.url))

        polls = [request for request in server.requests if b"/Status" in request]
        assert len(polls) == 5, "a refusal on a kept connection is requested again"
    no_secret_shows(ended)
    assert (ended.code, ended.stdout) == (4, "")
    assert f"{BUILD} was still building" in ended.stderr
    assert "The build continues at the API" in ended.stderr
    assert f"twbuild wait {SERVICE} {BUILD}" in ended.stderr


def test_what_passes_is_reported_and_ridden_out(base: dict[str, str]) -> None:
    busy = http(b"", "429 Busy", "Retry-After: 0.493")
    with Server(answering(http(b"", "404 Nope"), busy, good(), good("completed"))) as server:
        env = environ(base, server.url)
        ended = run("wait", "-i", "200ms", SERVICE, BUILD, env=env)

    assert (ended.code, ended.stdout) == (0, "completed\n")
    assert ended.stderr.count("retrying in") == 2


def test_credentials_that_a_server_repeats_are_not_shown(
    base: dict[str, str],
) -> None:
    def echo(connection: Connection) -> None:
        head = connection.server.requests[-1].decode()
        basic = next(line for line in head.split("\r\n") if line.startswith("Authorization"))
        message = f"bad header {basic}, for {ACCOUNT}:{TOKEN}"
        connection.send(http(twilio_error(404, 20404, message), "404 Nope"))

    with Server(answering(echo)) as server:
        ended = run("status", "--json", "-v", SERVICE, BUILD, env=environ(base, server.url))

    assert ended.code == 5
    no_secret_shows(ended)
