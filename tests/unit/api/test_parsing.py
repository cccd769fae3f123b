"""JSON bodies: one model, or the reason why there is none."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import datetime, timezone

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE
from tests.support.fasttime import fetcher
from tests.support.sockets import (
    Server,
    answering,
    chunked,
    good,
    http,
)
from tests.support.twilio import Twilio, build_body, page, status_body
from tests.unit.api.fetching import DETAILS, MIB, PAGE, STATUS, body, refusal, requested
from twbuild.api import parsing
from twbuild.api.models import BuildPage, BuildStatus, Dependency, Request, Resource, Status
from twbuild.errors import TransientError

# What is not a Build Status, though it came with 200. A transient error; never a verdict.
NONSENSE: Mapping[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "null": (b"null", "JSON, but not an object"),
    "number": (b"0", "JSON, but not an object"),
    "bare word": (b"completed", "text came instead of JSON"),
    "truncated": (body(status="completed")[:-1], "not JSON"),
    "two objects": (body(status="completed") * 2, "not JSON"),
    "no UTF-8": (b'{"status": "completed", "url": "\xff"}', "not UTF-8"),
    "UTF-16": (body(status="completed").decode().encode("utf-16"), "not UTF-8"),
    "name twice": (b'{"status": "failed", "status": "completed"}', "occurs twice"),
    "NaN": (b'{"status": "completed", "x": NaN}', "NaN"),
    "100,000 arrays": (b'{"status": "completed", "x": ' + b"[" * 100_000, "nested too deep"),
    "a number of 100,000 digits": (b'{"x": ' + b"9" * 100_000 + b"}", "not JSON"),
    "HTML": (b"<html><body>completed</body></html>", "HTML came instead of JSON"),
    "no status": (json.dumps({"sid": BUILD}).encode(), "unknown build status None"),
    "status a list": (body(status=["completed"]), "unknown build status ['completed']"),
    "status true": (body(status=True), "unknown build status True"),
    "status in capitals": (body(status="COMPLETED"), "unknown build status 'COMPLETED'"),
    "status queued": (body(status="queued"), "unknown build status 'queued'"),
    "status with a line end": (body(status="failed\n"), "unknown build status 'failed\\n'"),
    "a long status": (body(status="x" * 5000), "unknown build status 'xxx"),
    "another build": (
        body(status="completed", sid=OTHER_BUILD),
        f"the answer is about {OTHER_BUILD}, not {BUILD}",
    ),
    "a sid that folds to the same": (
        body(status="completed", sid=BUILD.replace("f", "\uff46")),
        "the answer is about ZB",
    ),
    "an empty sid": (body(status="completed", sid=""), "the answer is about"),
    "a sid that is a number": (body(status="completed", sid=7), "the answer is about 7"),
    "more than 1 MiB": (body(status="completed", x="x" * MIB), "larger than any"),
}


@pytest.mark.parametrize("row", NONSENSE)
def test_a_body_that_is_not_the_object_promised_is_transient(row: str) -> None:
    content, reason = NONSENSE[row]
    with Server(answering(http(content))) as server:
        refused = refusal(server)

    assert type(refused) is TransientError
    assert reason in refused.reason
    assert len(refused.message) <= 400
    assert refused.http_status == 200


GOOD: Mapping[str, bytes] = {
    "as documented": good("completed"),
    "with a BOM": http(b"\xef\xbb\xbf" + body(status="completed")),
    "chunked": http(
        chunked(body(status="completed")[:9], body(status="completed")[9:]),
        "200 OK",
        "Transfer-Encoding: chunked",
    ),
    "gzip": http(gzip.compress(body(status="completed")), "200 OK", "Content-Encoding: gzip"),
    "as text/html": http(body(status="completed"), "200 OK", "Content-Type: text/html"),
    "charset twice": http(
        body(status="completed"),
        "200 OK",
        "Content-Type: application/json; charset=utf-8; charset=utf-8",
    ),
    "sid in small letters": http(body(status="completed", sid=BUILD.lower())),
    "sid null": http(body(status="completed", sid=None)),
    "status alone": http(b'{"status": "completed"}'),
    "more fields": http(body(status="completed", links={}, next=[1, {"x": None}])),
    "fields of other types": http(body(status="completed", account_sid=7, url=[], service_sid={})),
    "99 headers": http(body(status="completed"), "200 OK", *(f"X-{n}: y" for n in range(90))),
    "a cookie of junk": http(
        body(status="completed"), "200 OK", "Set-Cookie: a; domain=..; max-age=x"
    ),
    "just below 1 MiB": http(body(status="completed", x="x" * (MIB - 1000))),
}


@pytest.mark.parametrize("row", GOOD)
def test_a_good_answer_is_read_whatever_stands_around_it(row: str) -> None:
    answer = requested(answering(GOOD[row]))

    assert isinstance(answer, BuildStatus)
    assert answer.status is Status.COMPLETED


def test_the_five_fields_are_as_sent_or_null() -> None:
    """The five fields are given as sent and null where they are no texts."""
    sent = {
        **status_body(status="failed"),
        "account_sid": 7,
        "url": None,
        "service_sid": SERVICE.lower(),
    }

    answer = requested(answering(http(json.dumps(sent).encode())))

    assert answer == BuildStatus(Status.FAILED, BUILD, None, SERVICE.lower(), None)


def test_the_largest_page_that_twilio_can_give_is_read() -> None:
    sid = "ZB" + "0" * 32
    version = {
        **dict.fromkeys(("sid", "account_sid", "service_sid", "asset_sid"), sid),
        "path": "/a/path/of/usual/length",
        "visibility": "protected",
        "date_created": "2026-11-24T14:02:11Z",
        "url": "https://serverless.twilio.com/v1",
    }
    build = {
        **build_body(),
        "function_versions": [{**version, "links": {"content": "/"}}] * 50,
        "asset_versions": [version] * 1000,
    }
    content = json.dumps(page(*[build] * 20)).encode()
    assert len(content) > 5 * MIB
    with Server(answering(http(content))) as server:
        found = fetcher(server.url).fetch(PAGE)

    assert isinstance(found, BuildPage)
    assert [build.assets for build in found.builds] == [(sid,) * 1000] * 20


BUILDS: Mapping[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "as documented": (
        {},
        {
            "runtime": "node18",
            "functions": tuple(f"ZN{n:032x}" for n in range(12)),
            "assets": tuple(f"ZN{n:032x}" for n in range(100, 104)),
        },
    ),
    "an unknown runtime": ({"runtime": "node24"}, {"runtime": "node24"}),
    "no lists": (
        {"function_versions": None, "asset_versions": 7, "dependencies": None},
        {"functions": None, "assets": None, "dependencies": None},
    ),
    "odd versions": (
        {"function_versions": [{}, "x", {"sid": 7}, {"sid": "ZN1"}], "asset_versions": []},
        {"functions": ("", "", "", "ZN1"), "assets": ()},
    ),
    "odd dependencies": (
        {"dependencies": [{"name": 7}, "x", None, {"name": "a", "version": "1"}, {"name": "b"}]},
        {"dependencies": (Dependency("a", "1"), Dependency("b"))},
    ),
    "a runtime of another type": ({"runtime": {"name": "node18"}}, {"runtime": None}),
}


@pytest.mark.parametrize("row", BUILDS)
def test_a_build_is_read_as_far_as_it_makes_sense(twilio: Twilio, row: str) -> None:
    sent, found = BUILDS[row]
    twilio.describes(sent)

    build = fetcher(twilio.url).fetch(DETAILS)

    assert {name: getattr(build, name) for name in found} == found


@pytest.mark.parametrize(
    "sent",
    [
        {"builds": None},
        {"builds": [None]},
        {"builds": [{"sid": 7, "status": "building"}]},
        {"builds": [{"sid": BUILD}]},
        {"meta": None},
        {"meta": {"next_page_url": ""}},
        {"meta": {"next_page_url": "https://serverless.twilio.com/v1/Services"}},
    ],
    ids=str,
)
def test_a_list_that_makes_no_sense_is_transient(
    twilio: Twilio, sent: Mapping[str, object]
) -> None:
    twilio.lists(sent)
    with pytest.raises(TransientError, match="the answer"):
        fetcher(twilio.url).fetch(PAGE)


def url_of(build: str, service: str = SERVICE) -> str:
    return f"https://serverless.twilio.com/v1/Services/{service}/Builds/{build}/Status"


OTHER_SERVICE = "ZS" + "9f" * 16
FOREIGN: Mapping[str, Mapping[str, object]] = {
    "its url": {"sid": None, "url": url_of(OTHER_BUILD)},
    "its url in other letters": {"sid": None, "url": url_of("zB" + OTHER_BUILD[2:])},
    "its url, escaped": {"sid": None, "url": url_of("%5AB" + OTHER_BUILD[2:])},
    "its url, all escaped": {
        "sid": None,
        "url": url_of("".join(f"%{ord(c):02x}" for c in OTHER_BUILD)),
    },
    "its url beside our sid": {"url": url_of(OTHER_BUILD)},
    "a longer sid in its url": {"sid": None, "url": url_of(BUILD + "0")},
    "both in the url": {"sid": None, "url": f"/Builds/{OTHER_BUILD}/Status?of={BUILD}"},
    "a sid in other letters": {"sid": BUILD.replace("ZB", "ＺＢ")},
    "an object": {"sid": {"sid": BUILD}},
    "false": {"sid": False},
    "another service": {"service_sid": OTHER_SERVICE},
    "another service in the url": {"url": url_of(BUILD, OTHER_SERVICE.lower())},
    "another service, escaped": {"sid": None, "url": url_of(BUILD, "z%53" + OTHER_SERVICE[2:])},
    "a service that is no SID": {"service_sid": "my-service"},
    "an endless url": {"url": url_of(BUILD) + "x" * 10_000},
}


@pytest.mark.parametrize("row", FOREIGN)
@pytest.mark.parametrize("question", [STATUS, DETAILS, PAGE], ids=["status", "build", "page"])
def test_whatever_an_answer_names_must_be_what_was_requested(row: str, question: Request) -> None:
    sent: Mapping[str, object] = {**build_body(), "status": "completed", **FOREIGN[row]}
    if question is PAGE:  # a listed build has to have a sid, whatever else names it
        named = FOREIGN[row].get("sid")
        sent = page({**sent, "sid": BUILD if named is None else named})
    with Server(answering(http(json.dumps(sent).encode()))) as server:
        refused = refusal(server, question)

    assert type(refused) is TransientError
    assert refused.reason.startswith(("the answer is about", "the answer has", "the answer lists"))


def test_a_page_leading_to_another_service_is_not_this_ones() -> None:
    after = f"/v1/Services/{OTHER_SERVICE}/Builds?Page=1"
    with Server(answering(http(json.dumps(page(next_page_url=after)).encode()))) as server:
        assert f"about service {OTHER_SERVICE}" in refusal(server, PAGE).reason


@pytest.mark.parametrize("question", [STATUS, DETAILS, PAGE], ids=["status", "build", "page"])
def test_a_service_requested_by_name_is_answered_by_sid(question: Request) -> None:
    named = {"url": url_of(BUILD, OTHER_SERVICE), "service_sid": OTHER_SERVICE}
    sent = {**build_body(), **named, "status": "completed"}
    content = json.dumps(page(sent) if question is PAGE else sent).encode()
    with Server(answering(http(content))) as server:
        assert fetcher(server.url, service="my-service").fetch(question)


@pytest.mark.parametrize("question", [STATUS, DETAILS, PAGE], ids=["status", "build", "page"])
def test_a_twilio_error_with_http_200_is_transient(
    question: Request,
) -> None:
    """One of Twilio's errors with HTTP 200 is reported as such and may pass."""
    inside = b'{"code": 20429, "message": "Too Many Requests", "status": 429}'
    with Server(answering(http(inside, "200 OK", "Retry-After: 7"))) as server:
        refused = refusal(server, question)

    assert type(refused) is TransientError
    assert refused.message == "HTTP 200 with an error inside: code 20429: Too Many Requests"
    assert (refused.reason, refused.code) == ("HTTP 200 with an error inside", 20429)
    assert refused.short == "error 20429"
    assert refused.retry_after == 7


AT_2 = datetime(2026, 11, 28, 14, 0, tzinfo=timezone.utc)
TIMES: Mapping[str, tuple[object, datetime | None]] = {
    "as documented": ("2026-11-28T14:00:00Z", AT_2),
    "one digit of a fraction": ("2026-11-28T14:00:00.5Z", AT_2.replace(microsecond=500_000)),
    "nine digits": ("2026-11-28T14:00:00.123456789Z", AT_2.replace(microsecond=123_456)),
    "a comma": ("2026-11-28T14:00:00,25Z", AT_2.replace(microsecond=250_000)),
    "no seconds": ("2026-11-28T14:00Z", AT_2),
    "no zone": ("2026-11-28T14:00:00", AT_2),
    "an offset": ("2026-11-28T16:30:00+02:30", AT_2),
    "an offset behind": ("2026-11-28T10:30:00-0330", AT_2),
    "without hyphens": ("20261128T140000Z", AT_2),
    "a number": (20991231, None),
    "digits": ("20991231", None),
    "no time": ("2026-11-28", None),
    "a week": ("2026-W52-7", None),
    "a space": ("2026-11-28 14:00:00Z", None),
    "as in a header": ("Sat, 28 Nov 2026 14:00:00 GMT", None),
    "the 31st of November": ("2026-11-31T14:00:00Z", None),
    "an offset of two days": ("2026-11-28T14:00:00+48:00", None),
    "before the year 1": ("0001-01-01T00:00:00+14:00", None),
    "the year 99999": ("99999-01-01T00:00:00Z", None),
    "a line end": ("2026-11-28T14:00:00Z\n", None),
    "nothing": (None, None),
}


@pytest.mark.parametrize("row", TIMES)
def test_a_date_is_an_iso_8601_text_with_a_time(row: str) -> None:
    value, time = TIMES[row]

    assert parsing._time(value) == time


def test_a_sid_alike_for_only_unicode_is_another_builds() -> None:
    """A SID that only Unicode takes for the one requested is another build's."""
    requested, folded = "ZB" + "ff" * 16, "ZB" + "\ufb00" + "ff" * 15
    assert requested.upper() == folded.upper()
    assert requested.casefold() == folded.casefold()
    sent = json.dumps({"sid": folded, "status": "completed"}).encode()

    with Server(answering(http(sent))) as server:
        refused = refusal(server, Request(Resource.STATUS, requested))

    assert type(refused) is TransientError
    assert "the answer is about" in refused.reason


@pytest.mark.parametrize(
    "fields",
    [{"sid": None}, {"sid": None, "url": None}, {"sid": BUILD.lower()}, {"sid": None, "url": 7}],
    ids=str,
)
def test_an_answer_without_sid_or_in_other_case_is_ours(
    fields: Mapping[str, object],
) -> None:
    found = requested(answering(http(body(status="completed", **fields))))

    assert isinstance(found, BuildStatus)
    assert found.status is Status.COMPLETED
