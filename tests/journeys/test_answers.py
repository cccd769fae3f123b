"""The installed command against every answer that a server may give: code, time, words, secrets."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support import secrets
from tests.support.command import (
    ACCOUNT,
    BUILD,
    KEY,
    OTHER_BUILD,
    SECRET,
    SERVICE,
    TOKEN,
    Ended,
    run,
)
from tests.support.sockets import (
    Connection,
    Handler,
    Server,
    answering,
    closing,
    endless,
    good,
    http,
    silent,
)
from tests.support.twilio import status_body

LOGIN_PAGE = b"<html><h1>Authentication required</h1>Log in to the guest Wi-Fi</html>"
HTML = "Content-Type: text/html"


def twilio_error(status: int, code: int, message: str = "Something is wrong") -> bytes:
    """The body of Twilio's JSON error."""
    link = f"https://www.twilio.com/docs/errors/{code}"
    return json.dumps(
        {"code": code, "message": message, "more_info": link, "status": status}
    ).encode()


def rfc_9457(status: int, code: int, detail: str) -> bytes:
    """Twilio's newer shape."""
    kind = f"https://www.twilio.com/docs/api/errors/{code}"
    named = {"type": kind, "title": "Refused", "status": status, "code": code, "detail": detail}
    return json.dumps({**named, "instance": "/x", "errors": []}).encode()


def says(**fields: Any) -> bytes:
    """A status body with other fields."""
    return http(json.dumps({**status_body(), **fields}).encode())


@dataclass(frozen=True)
class Row:
    """An answer, and what `status` comes to: trouble that may pass takes three tries."""

    answer: bytes | Handler
    code: int
    words: tuple[str, ...]
    tries: int = 1
    not_words: tuple[str, ...] = ()


ROWS: Mapping[str, Row] = {
    "400": Row(
        http(twilio_error(400, 20001), "400 Bad Request"),
        3,
        ("HTTP 400, code 20001: Something is wrong",),
    ),
    "400, code a text": Row(
        http(
            b'{"code": "20001", "message": "m", "moreInfo": "https://x.example/y"}',
            "400 Bad Request",
        ),
        3,
        ("code 20001: m", "https://x.example/y"),
    ),
    "401": Row(
        http(
            twilio_error(401, 20003, "Authenticate"), "401 Unauthorized", "Twilio-Request-Id: RQ7"
        ),
        4,
        ("(HTTP 401)", "code 20003: Authenticate", ACCOUNT, "TWILIO_ACCOUNT_SID", "RQ7"),
    ),
    "401 in the newer shape": Row(
        http(rfc_9457(401, 20003, "The token is wrong"), "401 Unauthorized"),
        4,
        ("code 20003: Refused: The token is wrong",),
    ),
    "401 of something in between": Row(
        http(LOGIN_PAGE, "401 Unauthorized", HTML),
        3,
        ("HTTP 401", "rejected the request, not Twilio", "proxy or gateway"),
        not_words=("Authentication required", "<h1>"),
    ),
    "401 in another JSON": Row(
        http(b'{"error": "invalid_token"}', "401 Unauthorized"),
        3,
        ("rejected the request, not Twilio",),
    ),
    "401 with an empty body": Row(
        http(b"", "401 Unauthorized"), 3, ("rejected the request, not Twilio",)
    ),
    "403 for test credentials": Row(
        http(twilio_error(403, 20008), "403 Forbidden"),
        4,
        ("code 20008", "Test credentials", "live"),
    ),
    "403 of something in between": Row(
        http(LOGIN_PAGE, "403 Forbidden", HTML), 3, ("HTTP 403", "rejected the request, not Twilio")
    ),
    "404": Row(
        http(
            twilio_error(404, 20404, "The requested resource [/x] was not found [bold]"), "404 Nope"
        ),
        5,
        (
            "code 20404: The requested resource [/x] was not found [bold]",
            ACCOUNT,
            "TWILIO_AUTH_TOKEN",
        ),
    ),
    "404 in HTML": Row(
        http(LOGIN_PAGE, "404 Not Found", HTML),
        3,
        ("HTTP 404", "text/html", "This is not Twilio's answer"),
        tries=3,
    ),
    "304": Row(http(b"", "304 Not Modified"), 3, ("unexpected HTTP 304",), not_words=("redirect",)),
    "407": Row(
        http(LOGIN_PAGE, "407 Proxy Authentication Required", HTML), 3, ("HTTP 407", "proxy")
    ),
    "409": Row(http(twilio_error(409, 20409), "409 Conflict"), 3, ("HTTP 409, code 20409",)),
    "a redirect elsewhere": Row(
        http(b"", "302 Found", "Location: https://elsewhere.example/"), 3, ("HTTP 302", "redirect")
    ),
    "a redirect to junk": Row(
        http(b"", "308 Permanent Redirect", "Location: http://[bad/"), 3, ("HTTP 308", "redirect")
    ),
    "a redirect without end": Row(
        endless(http(b"", "301 Moved", "Location: /x", length=1 << 40), b" " * 65536),
        3,
        ("HTTP 301",),
    ),
    "429": Row(
        http(twilio_error(429, 20429), "429 Too Many Requests"), 3, ("HTTP 429, code 20429",), 3
    ),
    "429 with a junk Retry-After": Row(
        http(b"", "429 Too Many Requests", "Retry-After: 0.493"), 3, ("HTTP 429",), 3
    ),
    "429 with an absurd Retry-After": Row(
        http(b"", "429 Too Many Requests", "Retry-After: 99999999999999999999"), 3, ("HTTP 429",), 1
    ),
    "500, the request's name twice": Row(
        http(b"oops", "500 Oops", "Twilio-Request-Id: RQ8", "Twilio-Request-Id: RQ8"),
        3,
        ("HTTP 500", "RQ8"),
        3,
        ("RQ8, RQ8",),
    ),
    "502 in HTML": Row(
        http(LOGIN_PAGE, "502 Bad Gateway", HTML),
        3,
        ("HTTP 502", f"text/html, {len(LOGIN_PAGE)} bytes"),
        3,
        ("guest Wi-Fi",),
    ),
    "a login page": Row(
        http(LOGIN_PAGE, "200 OK", HTML),
        3,
        ("HTML came instead of JSON", "captive portal", "proxy"),
        3,
        ("guest Wi-Fi",),
    ),
    "nested 200,000 deep": Row(http(b"[" * 200_000), 3, ("nested too deep",), 3),
    "a gzip bomb": Row(
        http(gzip.compress(b" " * (256 << 20), 1), "200 OK", "Content-Encoding: gzip"),
        3,
        ("larger than any",),
        3,
    ),
    "Content-Length twice": Row(
        closing(http(b"{}", "200 OK", "Content-Length: 5, 7")),
        3,
        ("headers that contradict each other",),
        3,
    ),
    "a status nobody knew": Row(says(status="canceled"), 3, ("canceled",), 3),
    "another build": Row(
        says(status="completed", sid=OTHER_BUILD),
        3,
        (f"about {OTHER_BUILD}, not {BUILD}",),
        3,
    ),
    "completed": Row(good("completed"), 0, ()),
    "failed, all else silent": Row(good("failed"), 1, ()),
    "building": Row(good("building"), 8, ()),
}


SLEEPS = "429"  # this row sleeps before each retry; for the others the clock jumps


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
def test_every_answer_has_its_code_its_time_its_words_and_tells_no_secret(
    base: dict[str, str], name: str
) -> None:
    row = ROWS[name]
    with Server(answering(row.answer)) as server:
        ended = run(
            *("status", "--json", "-v", SERVICE, BUILD),
            env=environ(base, server.url),
            skips_sleeps=name != SLEEPS,
        )
        polls = [request for request in server.requests if b"/Status " in request]

    no_secret_shows(ended)
    assert ended.code == row.code
    assert ended.seconds < (12 if row.tries == 3 else 8)
    assert ended.seconds > 2 or name != SLEEPS
    assert len(polls) == row.tries
    told = json.loads(ended.stdout)
    assert list(told)[:6] == ["sid", "account_sid", "service_sid", "status", "url", "outcome"]
    outcomes = {0: "completed", 1: "failed", 3: "unavailable", 4: "unauthorized", 5: "not_found"}
    assert told["outcome"] == outcomes.get(row.code, "building")
    assert (told["error"] is None) == (row.code in (0, 1, 8))
    for words in row.words:
        assert words in ended.stderr
    for words in row.not_words:
        assert words not in ended.stderr + ended.stdout
    assert all(line.startswith("twbuild: ") for line in ended.stderr.splitlines())
    assert ended.stderr.count("twbuild: GET ") >= row.tries, "-v tells each request"


def test_a_key_pair_is_never_shown_either(base: dict[str, str]) -> None:
    refused = http(twilio_error(401, 20003), "401 Unauthorized")
    with Server(answering(refused)) as server:
        pair = {"TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": SECRET}
        ended = run(
            "status", "-v", SERVICE, BUILD, env=environ(base, server.url, **pair), skips_sleeps=True
        )

    no_secret_shows(ended)
    assert (ended.code, ended.stdout) == (4, "")
    assert KEY in ended.stderr
    assert "from TWILIO_API_KEY and TWILIO_API_SECRET" in ended.stderr


def test_the_look_for_secrets_sees_every_form() -> None:
    for form in secrets.forms(TOKEN):
        with pytest.raises(AssertionError):
            no_secret_shows(Ended(0, "", f"twbuild: {form}", 0))


FOREIGN = (
    "\x1b[31mred\x1b]0;title\x07\x9b1m \u202eevil\u2066 a\r\nb\x85c\u2028d \ud800 \x7f\x00 "
    "::error::x ##[group]y ##vso[task.complete]z %0A [bold]w[/bold]"
)


@pytest.mark.parametrize("github", ["true", ""], ids=["on GitHub", "elsewhere"])
@pytest.mark.parametrize(
    "answer",
    [
        http(twilio_error(404, 20404, FOREIGN), "404 Nope"),
        http(rfc_9457(401, 20003, FOREIGN), "401 Nope"),
        says(status=FOREIGN),
        says(sid=FOREIGN),
        http(
            b"x", "400 Nope", "Twilio-Request-Id: RQ\x9b1m##[group]", "Content-Type: a\x1b[1m/##[x]"
        ),
    ],
    ids=["message", "detail", "status", "sid", "headers"],
)
def test_foreign_text_is_shown_and_does_nothing(
    base: dict[str, str], github: str, answer: bytes
) -> None:
    with Server(answering(answer)) as server:
        env = environ(base, server.url, GITHUB_ACTIONS=github)
        ended = run("status", "--json", "-v", SERVICE, BUILD, env=env, skips_sleeps=True)

    no_secret_shows(ended)
    assert ended.code in (3, 4, 5)
    written = ended.stdout + ended.stderr
    assert all(character.isprintable() or character == "\n" for character in written)
    assert "##" not in written
    commands = [line for line in ended.stderr.splitlines() if line.startswith("::")]
    assert len(commands) == (1 if github else 0)
    assert all(
        line.startswith(("twbuild: ", "::error title=twbuild::"))
        for line in ended.stderr.splitlines()
    )
    assert ended.stdout.count("\n") == 1


def test_foreign_text_in_the_five_fields_is_harmless_in_json_that_strict_parsers_read(
    base: dict[str, str],
) -> None:
    with Server(answering(says(status="completed", account_sid=FOREIGN, url=FOREIGN))) as server:
        ended = run(
            "status", "--json", SERVICE, BUILD, env=environ(base, server.url), skips_sleeps=True
        )

    assert ended.code == 0
    found = json.loads(ended.stdout)
    assert found["url"] == FOREIGN.replace("\ud800", "\ufffd")
    assert str(found).encode()  # no lone surrogate, which strict parsers refuse
    assert ended.stdout[:-1].isascii()
    assert ended.stdout[:-1].isprintable()
    assert "##" not in ended.stdout


def test_foreign_text_in_what_a_failed_build_was_made_of_does_nothing(base: dict[str, str]) -> None:
    made = {
        "sid": BUILD,
        "runtime": FOREIGN,
        "dependencies": [{"name": FOREIGN, "version": FOREIGN}] * 12,
        "date_created": "0001-01-01T00:00:00+14:00",
    }
    with Server(answering(good("failed"), http(json.dumps(made).encode()))) as server:
        ended = run("status", SERVICE, BUILD, env=environ(base, server.url), skips_sleeps=True)

    assert (ended.code, ended.stdout) == (1, "failed\n")
    assert all(c.isprintable() or c == "\n" for c in ended.stderr)
    assert "##" not in ended.stderr
    assert "and 2 more" in ended.stderr
    assert "Twilio gives no reason" in ended.stderr


@pytest.mark.parametrize(
    "details",
    [
        http(b"", "302 Found", "Location: http://[bad/"),
        http(b"[" * 100_000),
        http(twilio_error(401, 20003), "401 Nope"),
        http(b'{"runtime": "node24", "dependencies": null, "function_versions": null}'),
    ],
    ids=["redirect", "nested", "401", "node24 and little else"],
)
def test_a_failed_build_exits_1_whatever_its_details_are(
    base: dict[str, str], details: bytes
) -> None:
    with Server(answering(good("failed"), details)) as server:
        ended = run("status", SERVICE, BUILD, env=environ(base, server.url), skips_sleeps=True)

    no_secret_shows(ended)
    assert (ended.code, ended.stdout) == (1, "failed\n")
    assert "Twilio gives no reason" in ended.stderr
    assert ("node24" in ended.stderr) == (b"node24" in details)


def test_a_failed_build_whose_details_never_come_exits_1_within_5_seconds(
    base: dict[str, str],
) -> None:
    with Server(answering(good("failed"), silent)) as server:
        ended = run("wait", SERVICE, BUILD, env=environ(base, server.url))

    assert (ended.code, ended.stdout) == (1, "failed\n")
    assert 4.5 < ended.seconds < 10
    assert "Twilio gives no reason" in ended.stderr


def test_credentials_that_die_in_mid_wait_exit_4_and_tell_how_to_go_on(
    base: dict[str, str],
) -> None:
    refused = http(twilio_error(401, 20003, "Authenticate"), "401 Unauthorized")
    with Server(answering(good(), good(), good(), refused)) as server:
        ended = run("wait", "-i", "200ms", SERVICE, BUILD, env=environ(base, server.url))

        polls = [request for request in server.requests if b"/Status" in request]
        assert len(polls) == 5, "a refusal on a kept connection is asked for again"
    no_secret_shows(ended)
    assert (ended.code, ended.stdout) == (4, "")
    assert f"{BUILD} was still building" in ended.stderr
    assert "The build continues at Twilio" in ended.stderr
    assert f"twbuild wait {SERVICE} {BUILD}" in ended.stderr


@pytest.mark.parametrize(
    "script",
    [
        [good(), http(b"", "404 Nope"), good("completed")],
        [*[http(b"", "404 Nope")] * 3, good(), good("completed")],
        [http(b"", "429 Busy", "Retry-After: 0.493"), good("completed")],
    ],
    ids=["404 between", "404 before", "a fraction in Retry-After"],
)
def test_passing_trouble_is_told_and_ridden_out(base: dict[str, str], script: list[bytes]) -> None:
    with Server(answering(*script)) as server:
        env = environ(base, server.url)
        ended = run("wait", "-i", "200ms", SERVICE, BUILD, env=env, skips_sleeps=True)

    assert (ended.code, ended.stdout) == (0, "completed\n")
    told = sum(b" 200 " not in answer[:20] for answer in script)
    assert ended.stderr.count("retrying in") == told


def test_twilios_habits_are_no_trouble(base: dict[str, str]) -> None:
    habits = (
        "Connection: close",
        "Content-Type: application/json; charset=utf-8; charset=utf-8",
        "Twilio-Request-Id: RQ1",
        "Twilio-Request-Id: RQ1",
    )
    script = [*[good("building", *habits)] * 4, good("completed", *habits)]
    with Server(answering(*script, close=True)) as server:
        ended = run("wait", "-v", "-i", "200ms", SERVICE, BUILD, env=environ(base, server.url))

        assert server.accepted == 6  # one for earlier builds
        assert all(b"\r\nCache-Control: no-cache\r\n" in request for request in server.requests)
    assert (ended.code, ended.stdout) == (0, "completed\n")
    assert "retrying in" not in ended.stderr
    assert ended.stderr.count("RQ1") == 5


def as_escapes(form: str) -> Callable[[str], str]:
    """Each character in this form."""
    return lambda text: "".join(form.format(ord(character)) for character in text)


@pytest.mark.parametrize(
    "encode",
    [
        as_escapes("%{:02x}"),
        as_escapes("%{:02X}"),
        as_escapes("%25{:02x}"),
        lambda text: text[:-9],
        lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
    ],
    ids=["url", "URL", "url twice", "cut", "base64url"],
)
def test_a_server_that_encodes_what_it_repeats_does_not_make_it_shown(
    base: dict[str, str], encode: Callable[[str], str]
) -> None:
    token = "?>" + TOKEN[:-4] + "~?"  # Base64 with a + and a /
    basic = b64encode(f"{ACCOUNT}:{token}".encode()).decode()
    assert "+" in basic or "/" in basic
    repeated = [encode(token), encode(basic)]
    fields = {name: " ".join(["at", *repeated]) for name in ("message", "more_info")}
    body = json.dumps({"code": 20404, "status": 404, **fields}).encode()
    headers = [f"Twilio-Request-Id: RQ{repeated[0]}", f"Content-Type: x/{repeated[1]}"]
    with Server(answering(http(body, "404 Nope", *headers))) as server:
        env = environ(base, server.url, TWILIO_AUTH_TOKEN=token)
        ended = run("status", "--json", "-v", SERVICE, BUILD, env=env, skips_sleeps=True)

    assert ended.code == 5
    assert "[secret]" in ended.stdout + ended.stderr
    told = (ended.stdout + ended.stderr).replace("\\\\", "\\")
    assert not [text for text in repeated if text[:20] in told or text[-20:] in told]


@pytest.mark.parametrize("field", ["sid", "status", "message"])
@pytest.mark.parametrize("before", [5, 55, 280, 290])
def test_a_secret_that_is_cut_with_the_text_around_it_is_not_shown_in_part(
    base: dict[str, str], field: str, before: int
) -> None:
    text = "x" * before + f" {TOKEN} and more"
    error = {"code": 20404, "status": 404, "message": text}
    answer = (
        http(json.dumps(error).encode(), "404 No") if field == "message" else says(**{field: text})
    )
    with Server(answering(answer)) as server:
        ended = run(
            "status",
            "--json",
            "-v",
            SERVICE,
            BUILD,
            env=environ(base, server.url),
            skips_sleeps=True,
        )

    assert "xxxxx" in ended.stderr
    assert TOKEN[:5] not in ended.stdout + ended.stderr


@pytest.mark.parametrize("status", [401, 404])
@pytest.mark.parametrize(
    ("name", "secret"),
    [("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"), ("TWILIO_API_KEY", "TWILIO_API_SECRET")],
)
def test_a_secret_in_the_place_of_its_user_name_is_not_shown_either(
    base: dict[str, str], status: int, name: str, secret: str
) -> None:
    with Server(answering(http(twilio_error(status, 20003), f"{status} No"))) as server:
        env = {**base, "TWBUILD_API_URL": server.url, name: TOKEN, secret: KEY}
        ended = run("status", "--json", "-v", SERVICE, BUILD, env=env, skips_sleeps=True)

    assert ended.code == {401: 4, 404: 5}[status]
    no_secret_shows(ended)
    assert ("swapped" in ended.stderr) == (status == 401)


def test_a_server_that_repeats_the_credentials_does_not_make_them_shown(
    base: dict[str, str],
) -> None:
    def echo(connection: Connection) -> None:
        head = connection.server.requests[-1].decode()
        basic = next(line for line in head.split("\r\n") if line.startswith("Authorization"))
        message = f"bad header {basic}, for {ACCOUNT}:{TOKEN}"
        connection.send(http(twilio_error(404, 20404, message), "404 Nope"))

    with Server(answering(echo)) as server:
        ended = run(
            "status",
            "--json",
            "-v",
            SERVICE,
            BUILD,
            env=environ(base, server.url),
            skips_sleeps=True,
        )

    assert ended.code == 5
    no_secret_shows(ended)
