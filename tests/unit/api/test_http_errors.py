"""What a refusal becomes: the right error, its text, what to do next, and when to retry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.command import ACCOUNT, BUILD, KEY, SECRET, SERVICE, TOKEN
from tests.support.secrets import shown
from tests.support.twilio import CREDENTIALS
from tests.unit.api.fetching import PAGE, PATH, RQ, STATUS, response, sent_request
from twbuild.api import http_errors, parsing
from twbuild.api.http_errors import PORTAL, PROXY_LOGIN
from twbuild.api.models import Request
from twbuild.errors import (
    FetchError,
    NotFoundError,
    PermanentError,
    TransientError,
    UnauthorizedError,
)

PAIR = {"TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": SECRET}
CUSTOM = {"TWBUILD_API_URL": "http://127.0.0.1:1"}


def refused(
    status: int,
    body: object = b"",
    environ: Mapping[str, str] = CREDENTIALS,
    request: Request = STATUS,
    proxy: str | None = None,
    **headers: str | None,
) -> FetchError:
    """What an answer becomes; `Retry_After` names Retry-After."""
    sent = sent_request(request, environ, proxy=proxy)
    answer = response(status, body, **headers)
    read = parsing.content(answer, request.resource)
    if status == 200 and not http_errors.is_error(read):
        return http_errors.from_invalid_answer(sent, answer, read, read.defect, "hint")
    return http_errors.from_response(sent, answer, read)


def twilio(code: object, message: object = "Bad", **more: object) -> dict[str, object]:
    """The older of Twilio's two error shapes."""
    return {"code": code, "message": message, **more}


LINK = "https://x.example/20001"
OLDER = {"code": 20001, "message": "Bad\nnode", "more_info": LINK}
NEWER = {"type": LINK, "title": "Bad", "code": 20001, "detail": "node"}
LONG = twilio(20001, "x" * 5000, more_info="y" * 5000)
HTML = b"<!DOCTYPE html><p>Log in</p>"
HTML_SIZE = "application/json, 28 bytes"
LATIN = {"Content_Type": "text/html; charset=latin-1"}
TEXT = {"Content_Type": "text/plain"}
ANY_TYPE = {"Content_Type": f"a\x1b/{'x' * 500}; charset=y"}
AGAIN = {"Retry_After": "7"}
STATUS_PAGE = "Twilio's status: https://status.twilio.com"
RETRY = "The server asks to retry after 7s (Retry-After)."
CHECK_WAY = "Check a proxy, VPN, gateway or ingress on the way."
ON_THE_WAY = (f"This is not Twilio's answer. {CHECK_WAY}",)
OUR_PROXY = {"proxy": "proxy a:1"}
CHECK_PROXY = "Check the proxy a:1."
REJECTED = "a proxy or gateway rejected the request, not Twilio"
NOT_FOLLOWED = "Redirects are not followed: the credentials would go with them."
LOGIN = {"Location": "https://u:p@Login.Example:8443/secret?of=you"}
BAD_URL = {"Location": "http://[bad/"}
LONG_HOST = {"Location": f"https://{'h' * 101}"}
SECRET_HOST = {"Location": f"https://{TOKEN}.example/"}
REFUSED = "refused the credentials (HTTP 401)"
ACTIVE = "is active and belongs to this account and region."
TEST = "Test credentials cannot be used for Serverless: use live ones."
USED = f"Account {ACCOUNT} was used (from TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN)."
OF_ACCOUNT = f"{KEY} of account {ACCOUNT} was used (from TWILIO_API_KEY and TWILIO_API_SECRET)."
KEY_HINTS = (f"Check that the key {ACTIVE}", f"API key {OF_ACCOUNT}")
NO_BUILD = f"found no build {BUILD} in service {SERVICE} (HTTP 404)"
NO_SERVICE = f"found no service {SERVICE} (HTTP 404)"
CHECK = "Check the service and the Build SID. They may also belong to another account or region."
CHECK_SERVICE = "Check the service. It may also belong to another account or region."
CHECK_URL = "TWBUILD_API_URL is set: check it, too."
ANOTHER = {"environ": CUSTOM, "Retry_After": "7"}
FURTHER = PAGE._replace(query="Page=1")  # its absence says nothing of the service

# An HTTP status, a body, what else is given to `refused`, then all of the message and the hints.
Rows = list[tuple[int, object, dict[str, Any], str, tuple[str, ...]]]
TABLE: Mapping[type[FetchError], Rows] = {
    TransientError: [
        (500, b"", {}, "HTTP 500", (STATUS_PAGE,)),
        (503, twilio(20503), {}, "HTTP 503, code 20503: Bad", (STATUS_PAGE,)),
        (503, b"x", {"Content_Type": None}, "HTTP 503, a body of no type, 1 bytes", (STATUS_PAGE,)),
        (503, b"\0", ANY_TYPE, f"HTTP 503, a\\x1b/{'x' * 51}..., 1 bytes", (STATUS_PAGE,)),
        (503, b"", {"environ": CUSTOM}, "HTTP 503", ("Check TWBUILD_API_URL.",)),
        (503, b"", AGAIN, "HTTP 503", (STATUS_PAGE, RETRY)),
        (511, HTML, {}, f"HTTP 511, {HTML_SIZE}", (PORTAL,)),
        (429, twilio(20429), {}, "HTTP 429, code 20429: Bad", ()),
        (204, b"", {}, "HTTP 204", ()),
        (202, {"status": "completed"}, {}, "HTTP 202, application/json, 23 bytes", ()),
        (404, HTML, {}, f"HTTP 404, {HTML_SIZE}", ON_THE_WAY),
        (404, b"", OUR_PROXY, "HTTP 404", (f"This is not Twilio's answer. {CHECK_PROXY}",)),
        (404, twilio(20404), {"request": FURTHER}, "HTTP 404, code 20404: Bad", ()),
        (200, twilio(20429), {}, "HTTP 200 with an error inside: code 20429: Bad", ()),
        (200, b"[]", AGAIN, "the answer is JSON, but not an object", ("hint",)),
        (200, HTML, {}, f"HTML came instead of JSON ({HTML_SIZE})", (PORTAL,)),
        (200, b"\xe9<", LATIN, "HTML came instead of JSON (text/html, 2 bytes)", (PORTAL,)),
        (200, b"Log in", TEXT, "text came instead of JSON (text/plain, 6 bytes)", (PORTAL,)),
    ],
    PermanentError: [
        (400, OLDER, {}, f"HTTP 400, code 20001: Bad node ({LINK})", ()),
        (400, NEWER, {}, f"HTTP 400, code 20001: Bad: node ({LINK})", ()),
        (400, twilio("20001", moreInfo=LINK), {}, f"HTTP 400, code 20001: Bad ({LINK})", ()),
        (400, LONG, {}, f"HTTP 400, code 20001: {'x' * 297}... ({'y' * 297}...)", ()),
        (400, twilio(20001, more_info=7), AGAIN, "HTTP 400, code 20001: Bad", ()),
        (304, b"", {}, "unexpected HTTP 304", (PORTAL,)),
        (451, HTML, {}, f"HTTP 451, {HTML_SIZE}", (PORTAL,)),
        (407, b"", OUR_PROXY, "HTTP 407", (PROXY_LOGIN,)),
        (407, b"", {}, "HTTP 407", (PORTAL,)),
        (401, HTML, {}, f"{REJECTED} (HTTP 401, {HTML_SIZE})", (CHECK_WAY,)),
        (403, b"", OUR_PROXY, f"{REJECTED} (HTTP 403)", (CHECK_PROXY,)),
        (302, b"", LOGIN, "HTTP 302, a redirect to login.example", (PORTAL, NOT_FOLLOWED)),
        (302, b"", LONG_HOST, f"HTTP 302, a redirect to {'h' * 97}...", (PORTAL, NOT_FOLLOWED)),
        (302, b"", BAD_URL, "HTTP 302, a redirect", (PORTAL, NOT_FOLLOWED)),
        (308, b"", SECRET_HOST, "HTTP 308, a redirect to [secret].example", (PORTAL, NOT_FOLLOWED)),
    ],
    UnauthorizedError: [
        (401, twilio(20003), {}, f"Twilio {REFUSED}", (f"Check that the token {ACTIVE}", USED)),
        (401, twilio(20003), {"environ": CUSTOM | PAIR}, f"the API {REFUSED}", KEY_HINTS),
        (403, twilio(20008), AGAIN, "Twilio refused the credentials (HTTP 403)", (TEST, USED)),
    ],
    NotFoundError: [
        (404, twilio(20404), {}, f"Twilio {NO_BUILD}", (CHECK, USED)),
        (404, twilio(20404), ANOTHER, f"the API {NO_BUILD}", (CHECK, CHECK_URL, USED, RETRY)),
        (404, twilio(20404), {"request": PAGE}, f"Twilio {NO_SERVICE}", (CHECK_SERVICE, USED)),
    ],
}


@pytest.mark.parametrize(("kind", "row"), [(kind, row) for kind in TABLE for row in TABLE[kind]])
def test_each_refusal_has_its_sentence_and_hints(kind: type[FetchError], row: Any) -> None:
    status, body, more, message, hints = row

    error = refused(status, body, **more)

    assert (type(error), error.message, error.hints) == (kind, message, hints)
    assert (error.http_status, error.request_id) == (status, RQ)
    is_retried = kind in (TransientError, NotFoundError) and "Retry_After" in more
    assert error.retry_after == (7 if is_retried else 0)


@pytest.mark.parametrize(
    ("status", "body", "reason", "short", "detail"),
    [
        (503, b"", "HTTP 503", "HTTP 503", None),
        (503, OLDER, "HTTP 503", "HTTP 503", f"Bad node ({LINK})"),
        (404, OLDER, "HTTP 404", "HTTP 404", f"Bad node ({LINK})"),
        (200, OLDER, "HTTP 200 with an error inside", "error 20001", f"Bad node ({LINK})"),
        (200, b"[]", "the answer is JSON, but not an object", "bad answer", None),
    ],
)
def test_each_refusal_has_its_parts_for_rows_and_objects(
    status: int, body: object, reason: str, short: str, detail: str | None
) -> None:
    error = refused(status, body)

    assert (error.reason, error.short, error.detail) == (reason, short, detail)
    assert error.code == (20001 if detail else None)


def test_the_details_are_what_twilio_says_and_the_request_once() -> None:
    sent, place = f"GET {PATH} at serverless.twilio.com", "GET from serverless.twilio.com"
    rest = f"request {RQ}"

    for text, what in (("Not /Services/ZS", sent), (f"No {PATH.removeprefix('/v1')}", place)):
        assert refused(404, twilio(20404, text)).details == [f"code 20404: {text}", what, rest]
    assert refused(503, twilio(20503)).details == [sent, rest]
    assert refused(503, Twilio_Request_Id=None).details == [sent]
    assert refused(200, b"[]", Twilio_Request_Id="RQ1, RQ1").details == [sent, "request RQ1"]
    assert refused(503, Twilio_Request_Id="R" * 101).request_id == f"{'R' * 97}..."


# Tue, 24 Nov 2026 is when the server answered, at 14:00 GMT.
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("", 0), ("7", 7), ("300", 300), ("301", 300), ("9" * 400, 300)),
        *(("0.493", 0), ("+5", 0), ("\u00b2", 0)),
        ("Tue, 24 Nov 2026 14:00:42 GMT", 42),
        ("Tue, 24 Nov 2026 14:00:42 -0000", 42),
        ("Tue, 24 Nov 2026 16:00:42 +0200", 42),
        ("Tue, 24 Nov 2026 13:00:00 GMT", 0),
        ("Fri, 24 Nov 2034 14:00:00 GMT", 300),
        ("Tue, 24 Nov 99999 14:00:00 GMT", 0),
        ("Tue, 24 Nov 2026 14:00:00 +9999", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_5_minutes(value: str, seconds: float) -> None:
    """Anything else is absent, and so is a date without one to measure it from."""
    date = "Tue, 24 Nov 2026 14:00:00 GMT"

    without_date = 0 if ":" in value else seconds
    assert refused(503, Retry_After=value, Date=date).retry_after == seconds
    assert refused(503, Retry_After=value, Date="now").retry_after == without_date


@pytest.mark.parametrize(
    "body",
    [
        *([], "Unauthorized", {"code": 20003}, {"error": twilio(20003)}, twilio(20003, ["m"])),
        *(twilio(code) for code in (None, True, "ERR_AUTH", [20003], 20003.5, 16, 403, "9999")),
        *(twilio(code) for code in (9_999, 10**6, -20003, 10**4199, "1" * 10)),
    ],
    ids=lambda body: str(body)[:60],
)
def test_a_refusal_in_no_shape_of_twilios_is_not_twilios(body: object) -> None:
    kinds = {401: PermanentError, 403: PermanentError, 404: TransientError}
    for status, kind in kinds.items():
        error = refused(status, body)

        hints = ON_THE_WAY if status == 404 else (CHECK_WAY,)
        assert (type(error), error.code, error.hints) == (kind, None, hints)
        assert len(error.message) <= 300


@pytest.mark.parametrize("code", [10_000, 999_999, "10000", "999999"])
def test_twilios_codes_have_five_or_six_digits(code: object) -> None:
    assert refused(401, twilio(code)).code == int(str(code))


@pytest.mark.parametrize(
    ("environ", "hint", "used"),
    [
        ({"TWILIO_ACCOUNT_SID": KEY}, "TWILIO_ACCOUNT_SID contains an API key (SK...).", "API key"),
        (
            {"TWILIO_API_KEY": SECRET, "TWILIO_API_SECRET": KEY},
            "The user name is neither",
            "A user",
        ),
    ],
)
def test_credentials_in_the_wrong_place_get_a_hint(
    environ: dict[str, str], hint: str, used: str
) -> None:
    unauthorized = refused(401, twilio(20003), environ)
    not_found = refused(404, twilio(20404), environ)

    assert unauthorized.hints[-1].startswith(hint)
    assert not_found.hints[-1].startswith(used)
    assert not shown(repr(vars(unauthorized)) + repr(vars(not_found)))


def test_a_resource_with_a_status_is_never_an_error() -> None:
    for status, is_error in (("failed", False), (429, True), ("429", True)):
        content = parsing.content(response(200, {**OLDER, "status": status}), STATUS.resource)
        assert http_errors.is_error(content) == is_error


def test_which_http_statuses_pass_and_which_are_redirects() -> None:
    passing = [status for status in range(200, 1000) if http_errors.is_transient(status)]
    redirects = [status for status in range(300, 500) if NOT_FOLLOWED in refused(status).hints]

    assert passing == [*range(200, 300), 404, 408, 425, 429, *range(500, 1000)]
    assert redirects == [301, 302, 303, 307, 308]
