"""What a refusal becomes: the right error, its text, what to do next, and when to retry."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from werkzeug import Response

from tests.support.command import ACCOUNT, KEY, SECRET, TOKEN
from tests.support.command import BUILD as BUILD_SID
from tests.support.fasttime import fetcher
from tests.support.secrets import shown
from tests.support.sockets import Server, answering, http
from tests.support.twilio import Twilio, error, reply
from twbuild.api.models import Request, Resource
from twbuild.errors import (
    FetchError,
    NotFoundError,
    PermanentError,
    TransientError,
    UnauthorizedError,
)

STATUS = Request(Resource.STATUS, BUILD_SID)
DATE = "Tue, 24 Nov 2026 14:00:00 GMT"


def refusal(twilio: Twilio, answer: Response, **environ: str) -> FetchError:
    twilio.says(answer)
    with pytest.raises(FetchError) as refused:
        fetcher(twilio.url, environ).fetch(STATUS)
    return refused.value


RETRY_AFTER: Mapping[str, tuple[dict[str, str], float]] = {
    "missing": ({}, 0),
    "seconds": ({"Retry-After": "7"}, 7),
    "zero": ({"Retry-After": "0"}, 0),
    "five minutes": ({"Retry-After": "300"}, 300),
    "an hour": ({"Retry-After": "3600"}, 300),
    "absurd": ({"Retry-After": "9" * 400}, 300),
    "a fraction": ({"Retry-After": "0.493"}, 0),
    "a plus": ({"Retry-After": "+5"}, 0),
    "words": ({"Retry-After": "soon"}, 0),
    "empty": ({"Retry-After": ""}, 0),
    "other digits": ({"Retry-After": "\u00b2"}, 0),
    "a date": ({"Retry-After": "Tue, 24 Nov 2026 14:00:42 GMT", "Date": DATE}, 42),
    "a date, elsewhere": ({"Retry-After": "Tue, 24 Nov 2026 16:00:42 +0200", "Date": DATE}, 42),
    "a date in the past": ({"Retry-After": "Tue, 24 Nov 2026 13:00:00 GMT", "Date": DATE}, 0),
    "a date far away": ({"Retry-After": "Fri, 24 Nov 2034 14:00:00 GMT", "Date": DATE}, 300),
    "a date, no Date": ({"Retry-After": "Tue, 24 Nov 2026 14:00:42 GMT", "Date": "now"}, 0),
    "the year 99999": ({"Retry-After": "Tue, 24 Nov 99999 14:00:00 GMT", "Date": DATE}, 0),
    "an offset of days": ({"Retry-After": "Tue, 24 Nov 2026 14:00:00 +9999", "Date": DATE}, 0),
}


@pytest.mark.parametrize("row", RETRY_AFTER)
@pytest.mark.parametrize("status", [404, 408, 425, 429, 500, 503])
def test_retry_after_is_seconds_or_a_date_within_5_minutes(row: str, status: int) -> None:
    """Retry-After is seconds or a date at most 5 minutes and anything else is absent."""
    headers, seconds = RETRY_AFTER[row]
    lines = [f"{name}: {value}" for name, value in headers.items()]
    answer = http(b"", f"{status} Busy", *lines)
    with Server(answering(answer)) as server, pytest.raises(TransientError) as refused:
        fetcher(server.url).fetch(STATUS)

    assert refused.value.retry_after == seconds


def test_retry_after_counts_on_every_answer_that_is_requested_again(twilio: Twilio) -> None:
    for answer in (error(404, Retry_After="7"), reply({"status": "queued"}, Retry_After="7")):
        refused = refusal(twilio, answer)

        assert refused.retry_after == 7

    assert refusal(twilio, error(401, Retry_After="7")).retry_after == 0


def test_both_of_twilios_error_shapes_are_read(twilio: Twilio) -> None:
    older = {"code": 20001, "message": "Bad\nnode", "more_info": "https://x.example/20001"}
    newer = {"type": "https://x.example/20001", "title": "Bad", "code": 20001, "detail": "node"}

    assert refusal(twilio, reply(older, 400)).message == (
        "HTTP 400, code 20001: Bad node (https://x.example/20001)"
    )
    assert refusal(twilio, reply({**older, "code": "20001"}, 400)).code == 20001
    assert refusal(twilio, reply(newer, 400)).message == (
        "HTTP 400, code 20001: Bad: node (https://x.example/20001)"
    )


KEY_USED = {"TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": SECRET, "TWILIO_AUTH_TOKEN": ""}
# An answer, the environment, and all of the message and the hints.
SENTENCES = {
    "redirect": (
        Response("", 302, {"Location": "https://login.example/x?y"}),
        {},
        "HTTP 302, a redirect to login.example",
        "Redirects are not followed: the credentials would go with them.",
    ),
    "redirect without a target": (Response("", 302), {}, "HTTP 302, a redirect", "captive portal"),
    "key": (error(401), KEY_USED, "the API refused the credentials (HTTP 401)", "the key is"),
    "token": (error(401), {}, "the API refused the credentials (HTTP 401)", "the token is"),
    "no type": (
        Response("x", 500, {"Content-Type": ""}),
        {},
        "HTTP 500, a body of no type, 1 bytes",
        "",
    ),
    "not Twilio": (
        Response("", 403),
        {},
        "a proxy or gateway rejected the request, not Twilio (HTTP 403)",
        "Check a proxy, VPN, gateway or ingress on the way.",
    ),
    "more": (
        reply({"code": 20001, "message": "Bad", "moreInfo": "https://x.example/"}, 400),
        {},
        "HTTP 400, code 20001: Bad (https://x.example/)",
        "",
    ),
}


@pytest.mark.parametrize("row", SENTENCES)
def test_each_refusal_has_its_sentence_and_hint(twilio: Twilio, row: str) -> None:
    answer, environ, message, hint = SENTENCES[row]

    refused = refusal(twilio, answer, **environ)

    assert refused.message == message
    assert hint in " ".join(refused.hints)


@pytest.mark.parametrize(("size", "read"), [(1 << 20, True), ((1 << 20) + 1, False)])
def test_an_error_of_more_than_1_mib_is_not_read(twilio: Twilio, *, size: int, read: bool) -> None:
    start = b'{"code": 20001, "message": "Bad"'
    body = start + b" " * (size - len(start) - 1) + b"}"

    refused = refusal(twilio, Response(body, 500, content_type="application/json"))

    assert ("Bad" in refused.message) == read


@pytest.mark.parametrize("code", [10**4199, -(10**4199), 10**9, -1])
def test_a_number_that_is_no_twilio_code_is_not_repeated(twilio: Twilio, code: int) -> None:
    refused = refusal(twilio, reply({"code": code, "message": "Bad"}, 400))

    assert refused.code is None
    assert max(map(len, [refused.message, *refused.hints])) <= 300


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "Unauthorized",
        {},
        {"code": 20003},
        {"code": True, "message": "m"},
        {"code": "ERR_AUTH", "message": "m"},
        {"code": [20003], "message": "m"},
        {"code": 20003, "message": ["m"]},
        {"code": 20003.5, "message": "m"},
        {"code": 16, "message": "m", "details": []},
        {"code": 403, "message": "m", "status": 403},
        {"code": "9999", "message": "m"},
        {"error": {"code": 20003, "message": "m"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_in_no_shape_of_twilios_is_not_twilios(
    twilio: Twilio, status: int, body: object
) -> None:
    refused = refusal(twilio, reply(body, status))

    assert type(refused) is (TransientError if status == 404 else PermanentError)
    reported = " ".join([refused.message, *refused.hints])
    assert "This is not Twilio's answer. Check " in reported
    assert status == 404 or "a proxy or gateway rejected the request, not Twilio" in reported


@pytest.mark.parametrize("status", [401, 404])
@pytest.mark.parametrize(
    ("name", "secret"),
    [("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"), ("TWILIO_API_KEY", "TWILIO_API_SECRET")],
)
def test_a_secret_in_its_user_names_place_is_not_reported(
    twilio: Twilio, status: int, name: str, secret: str
) -> None:
    refused = refusal(twilio, error(status), **{name: TOKEN, secret: KEY})

    assert not shown(repr(vars(refused)))
    assert ("swapped" in " ".join(refused.hints)) == (status == 401)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_account_and_source_and_never_the_secret(
    twilio: Twilio, status: int
) -> None:
    refused = refusal(twilio, error(status))

    assert type(refused) is UnauthorizedError
    reported = " ".join([refused.message, *refused.hints, *refused.details])
    assert f"Account {ACCOUNT} was used (from TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN)" in reported
    assert "RQ" + "d4" * 16 in reported
    assert f"/Builds/{BUILD_SID}/Status at {twilio.server.host}:{twilio.server.port}" in reported
    assert TOKEN not in repr(refused.__dict__)


def test_a_key_is_reported_with_its_account(twilio: Twilio) -> None:
    pair = {"TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": SECRET}
    refused = refusal(twilio, error(404), **pair)

    used = f"API key {KEY} of account {ACCOUNT} was used"
    assert refused.hints[-1] == f"{used} (from TWILIO_API_KEY and TWILIO_API_SECRET)."


def test_a_nonsense_answer_is_reported_with_status_and_request(twilio: Twilio) -> None:
    """An answer that makes no sense is reported with its status and request."""
    refused = refusal(twilio, reply({"status": "canceled"}))

    assert refused.message == "unknown build status 'canceled'"
    assert f"request RQ{'d4' * 16}" in refused.details


def test_a_key_in_the_accounts_place_is_pointed_at(twilio: Twilio) -> None:
    refused = refusal(twilio, error(401), TWILIO_ACCOUNT_SID=KEY)

    assert "TWILIO_ACCOUNT_SID contains an API key (SK...)" in " ".join(refused.hints)


@pytest.mark.parametrize("token", ["t", "code", "Authenticate"])
def test_a_token_in_an_answer_by_chance_changes_no_verdict(twilio: Twilio, token: str) -> None:
    refused = refusal(twilio, error(401, "Authenticate"), TWILIO_AUTH_TOKEN=token)

    assert (type(refused), refused.code) == (UnauthorizedError, 20003)


def test_a_token_that_the_server_repeats_is_never_shown(twilio: Twilio) -> None:
    refused = refusal(twilio, error(401, f"{'x' * 280} {TOKEN}"))

    assert TOKEN[:8] not in repr(refused.__dict__)


def test_test_credentials_are_said_to_be_of_the_wrong_kind(twilio: Twilio) -> None:
    refused = refusal(twilio, reply({"code": 20008, "message": "Test"}, 403))

    assert type(refused) is UnauthorizedError
    assert any("Test credentials" in hint for hint in refused.hints)


def test_404_says_whose_account_was_used(twilio: Twilio) -> None:
    refused = refusal(twilio, error(404))

    assert type(refused) is NotFoundError
    assert any(ACCOUNT in hint and "TWILIO_AUTH_TOKEN" in hint for hint in refused.hints)


def test_the_name_of_a_request_is_reported_once(twilio: Twilio) -> None:
    refused = refusal(twilio, error(500, Twilio_Request_Id="RQ1, RQ1"))

    assert refused.request_id == "RQ1"


@pytest.mark.parametrize("status", [401, 404, 502, 200])
def test_a_page_of_html_is_reported_by_type_and_size(twilio: Twilio, status: int) -> None:
    page = "<!DOCTYPE html><h1>Sorry</h1>"
    refused = refusal(twilio, Response(page, status, {"Content-Type": "text/html; charset=x"}))

    reported = " ".join([refused.reason, refused.message, *refused.hints])
    assert f"text/html, {len(page)} bytes" in reported
    assert "Sorry" not in reported


PORTALS: Mapping[str, tuple[bytes, str]] = {
    "HTML": (
        http(b"<p>Log in</p>", "200 OK", "Content-Type: text/html"),
        "HTML came instead of JSON (text/html, 13 bytes)",
    ),
    "HTML called JSON": (
        http(b" <p>Log in</p>"),
        "HTML came instead of JSON (application/json, 14 bytes)",
    ),
    "HTML in Latin-1": (
        http(b"<p>\xe9</p>", "200 OK", "Content-Type: text/html"),
        "HTML came instead of JSON (text/html, 8 bytes)",
    ),
    "a text": (
        http(b"Log in first", "200 OK", "Content-Type: text/plain"),
        "text came instead of JSON (text/plain, 12 bytes)",
    ),
    "511": (http(b"<p>Log in</p>", "511 Log in"), "HTTP 511"),
    "a redirect": (
        http(b"", "302 Found", "Location: https://u:p@Login.Example:8443/secret?of=you"),
        "HTTP 302, a redirect to login.example",
    ),
    "a redirect with the token": (
        http(b"", "302 Found", f"Location: https://{TOKEN}.example/"),
        "HTTP 302, a redirect",
    ),
}


@pytest.mark.parametrize("row", PORTALS)
def test_a_login_or_block_page_gets_one_hint(row: str) -> None:
    answer, words = PORTALS[row]
    with Server(answering(answer)) as server, pytest.raises(FetchError) as refused:
        fetcher(server.url).fetch(STATUS)

    reported = " ".join([refused.value.message, *refused.value.hints])
    assert words in refused.value.message
    assert "A captive portal, a proxy or a gateway may have answered instead of Twilio." in reported
    for detail in ("Log in", "/secret", "8443", "u:p", TOKEN):
        assert detail not in reported


@pytest.mark.parametrize("kind", ["", "application/octet-stream", "a\x1b[1m/b" + "x" * 500])
def test_a_body_of_any_type_is_reported_briefly(twilio: Twilio, kind: str) -> None:
    refused = refusal(twilio, Response(b"\0\1\2", 500, {"Content-Type": kind}))

    assert refused.message.endswith(", 3 bytes")
    assert refused.message.isprintable()
    assert len(refused.message) < 100


def test_a_long_message_is_cut(twilio: Twilio) -> None:
    body = {"code": 20001, "message": "x" * 5000, "more_info": "y" * 5000}
    refused = refusal(twilio, reply(body, 400))

    assert "x" * 290 in refused.message
    assert "x" * 301 not in refused.message
    assert "y" * 301 not in refused.message
