"""JSON bodies: one model, or the reason why there is none."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.support.command import BUILD, OTHER_BUILD, SERVICE
from tests.support.twilio import build_body, page, status_body
from tests.unit.api.fetching import DETAILS, MIB, PAGE, RQ, STATUS, response, sent_request
from twbuild.api import http_errors, parsing
from twbuild.api.models import Build, BuildPage, BuildStatus, Dependency, Request, Resource, Status

OTHER_SERVICE = "ZS" + "9f" * 16
AT_2 = datetime(2026, 11, 28, 14, 0, tzinfo=timezone.utc)


def read(body: object, request: Request = STATUS, service: str = SERVICE, **headers: str) -> Any:
    """The model in a body, and whether the body names its build."""
    answer = response(200, body, **headers)
    found = parsing.content(answer, request.resource)
    assert found.size
    assert not found.defect
    assert not answer.body
    return parsing.read(sent_request(request, service=service), answer, found.found)


def refused(body: object, request: Request = STATUS) -> tuple[str, ...]:
    """Why there is no model in a body, and what to do."""
    with pytest.raises(ValueError) as raised:
        read(body, request)
    return raised.value.args


@pytest.mark.parametrize(
    ("body", "headers", "kind", "defect"),
    [
        (b"X", {"Content_Type": None}, "text", "not JSON"),
        (b"\xe9", {}, "", "not UTF-8"),
        (b"\xef\xbb\xbf <p>\xe9", {}, "HTML", "not UTF-8"),
        (b"Log in", {"Content_Type": "Text/HTML; charset=x"}, "HTML", "not JSON"),
        (b"", {"Content_Type": "text/html"}, "", "empty"),
        (b"[<p>", {"Content_Type": "text/html"}, "", "not JSON"),
        (b'"completed"', {}, "", "JSON, but not an object"),
        (b'{"status":', {}, "", "not JSON"),
        (b"{" + b'"a":[],' * 501 + b'"b":1}', {}, "", "JSON of too many values"),
    ],
)
def test_what_is_no_json_object_has_its_kind_and_reason(
    body: bytes, headers: dict[str, str | None], kind: str, defect: str
) -> None:
    found = parsing.content(response(200, body, **headers), Resource.STATUS)

    assert found == ({}, len(body), kind, f"the answer is {defect}")


def test_of_an_object_what_nothing_reads_is_dropped() -> None:
    body = response(200, {"url": {"x": 1, "name": 2}, "x": 3})

    assert parsing.content(body, Resource.STATUS).found == {"url": {"name": 2}}


def test_a_body_that_could_not_be_read_keeps_its_reason() -> None:
    cut = response(200, b"")._replace(defect="cut")

    assert parsing.content(cut, Resource.STATUS) == ({}, 0, "", "cut")


@pytest.mark.parametrize(("status", "defect"), [(200, ""), (404, "JSON of too many values")])
def test_an_error_has_no_more_values_than_a_status(status: int, defect: str) -> None:
    body = response(status, {"x": [1] * 1000})

    assert parsing.content(body, Resource.PAGE).defect.removeprefix("the answer is ") == defect


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sid": BUILD.lower(), "service_sid": SERVICE.lower(), "url": f"/BUILDS/{BUILD.lower()}"},
        {"links": {}, "next": [1, {"x": None}]},
    ],
)
def test_a_status_is_read_with_its_five_fields_as_sent(fields: dict[str, Any]) -> None:
    sent = {**status_body(status="completed"), **fields}

    answer, is_named = read(sent)

    assert is_named
    assert answer == BuildStatus(
        Status.COMPLETED, sent["sid"], sent["account_sid"], sent["service_sid"], sent["url"], RQ
    )


@pytest.mark.parametrize(
    "fields", [{}, {"account_sid": 7}, {"sid": None, "url": None, "service_sid": None}]
)
def test_what_is_no_text_is_null_and_names_no_build(fields: dict[str, Any]) -> None:
    answer, is_named = read({"status": "failed", **fields}, Twilio_Request_Id="")

    assert answer == BuildStatus(Status.FAILED)
    assert not is_named


@pytest.mark.parametrize(
    ("server", "from_sandbox", "ends"),
    [
        ("twbuild-sandbox/1.0", True, True),
        ("twbuild-sandbox/1.0 (shell)", True, False),
        ("nginx", False, False),
    ],
)
def test_the_sandbox_says_that_it_answers(server: str, from_sandbox: bool, ends: bool) -> None:
    answer, _ = read(status_body(), Server=server)

    assert (answer.from_sandbox, answer.ends_with_run) == (from_sandbox, ends)


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("COMPLETED", "'COMPLETED'"),
        ("queued", "'queued'"),
        ("failed\n", r"'failed\n'"),
        ("x" * 5000, f"'{'x' * 56}..."),
    ],
)
def test_an_unknown_status_is_no_verdict(status: object, shown: str) -> None:
    assert refused({**status_body(), "status": status}) == (
        f"unknown build status {shown}",
        "Update twbuild, or report it.",
    )


@pytest.mark.parametrize("status", [None, True, ["completed"]])
def test_an_answer_without_a_status_is_no_verdict(status: object) -> None:
    assert refused({**status_body(), "status": status}) == (
        "the answer has no build status",
        http_errors.PORTAL,
    )


def url_of(build: str, service: str = SERVICE) -> str:
    return f"https://serverless.twilio.com/v1/Services/{service}/Builds/{build}/Status"


ZB = OTHER_BUILD[2:]


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"sid": OTHER_BUILD, "url": url_of(BUILD)}, OTHER_BUILD),
        ({"sid": ""}, ""),
        ({"sid": BUILD.replace("Z", "\uff3a")}, BUILD.replace("Z", "\uff3a")),
        ({"sid": None, "url": url_of(OTHER_BUILD)}, OTHER_BUILD),
        ({"sid": None, "url": url_of(f"zB{ZB}")}, f"zB{ZB}"),
        ({"sid": None, "url": url_of(f"%5ab{ZB}")}, f"Zb{ZB}"),
        ({"url": url_of(OTHER_BUILD)}, OTHER_BUILD),
        ({"sid": None, "url": url_of(f"%255A%2542{ZB}")}, OTHER_BUILD),
        ({"sid": None, "url": url_of(f"{BUILD}0")}, f"{BUILD}0"),
        ({"sid": None, "url": f"/Builds/{OTHER_BUILD}/Status?of={BUILD}"}, OTHER_BUILD),
    ],
)
def test_what_names_a_build_must_name_ours(fields: dict[str, Any], about: str) -> None:
    sent = {**build_body(), "status": "completed", **fields}
    listed = sent if sent["sid"] is not None else {**sent, "sid": BUILD}

    assert refused(sent) == refused(sent, DETAILS) == (f"the answer is about {about}, not {BUILD}",)
    assert refused(page(listed), PAGE)[0].startswith(("the answer is about ", "the answer lists "))


def test_a_sid_that_is_alike_in_unicode_only_is_anothers() -> None:
    own, folded = f"ZB{'ff' * 16}", f"ZB\ufb00{'ff' * 15}"
    assert (own.upper(), own.casefold()) == (folded.upper(), folded.casefold())

    why = refused({"sid": folded, "status": "completed"}, Request(Resource.STATUS, own))
    assert why == (f"the answer is about {folded}, not {own}",)


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"service_sid": OTHER_SERVICE}, OTHER_SERVICE),
        ({"service_sid": "my-service"}, "my-service"),
        ({"url": url_of(BUILD, OTHER_SERVICE.lower())}, OTHER_SERVICE.lower()),
        ({"url": url_of(BUILD, f"Z%73{OTHER_SERVICE[2:]}")}, f"Zs{OTHER_SERVICE[2:]}"),
    ],
)
def test_what_names_a_service_must_name_ours(fields: dict[str, Any], about: str) -> None:
    sent = {**build_body(), "status": "completed", **fields}

    for body, request in ((sent, STATUS), (sent, DETAILS), (page(sent), PAGE)):
        assert refused(body, request) == (f"the answer is about service {about}, not {SERVICE}",)
        assert read(body, request, service="requested-by-name")


@pytest.mark.parametrize("name", ["sid", "service_sid", "url"])
@pytest.mark.parametrize("value", [7, False, [url_of(OTHER_BUILD)], {"sid": OTHER_SERVICE}])
def test_what_names_a_build_or_service_is_text(name: str, value: object) -> None:
    assert refused({**status_body(), name: value}) == (
        "the answer has a sid, service_sid or url that is neither null nor text",
    )


def test_the_next_page_is_one_of_the_same_list() -> None:
    path = f"/v1/Services/{OTHER_SERVICE}/Builds"
    assert refused(page(next_page_url=f"{path}?Page=1"), PAGE) == (
        f"the answer is about service {OTHER_SERVICE}, not {SERVICE}",
    )
    assert refused(page(next_page_url=f"/Builds/{BUILD}?Page=1"), PAGE) == (
        f"the answer is about {BUILD}, not ",
    )
    assert read(page(next_page_url=f"/x?of={path}"), PAGE)[0].next_query == f"of={path}"
    assert read(page(next_page_url="/x?".ljust(2000, "a")), PAGE)[0].next_query == "a" * 1997


def test_a_url_is_read_up_to_10_000_characters() -> None:
    url = url_of(BUILD).ljust(10_000, "x")

    assert read({**status_body(), "url": url})
    assert refused({**status_body(), "url": f"{url}x"}) == (
        "the answer has a URL of over 10,000 characters",
    )


def test_the_largest_page_that_twilio_can_give_is_read() -> None:
    sid = "ZB" + "0" * 32
    version = {
        **dict.fromkeys(("sid", "account_sid", "service_sid", "asset_sid"), sid),
        "path": "/a/path/of/usual/length",
        "visibility": "protected",
        "date_created": "2026-11-24T14:02:11Z",
    }
    functions = [{**version, "links": {"content": "/"}}] * 50
    build = {**build_body(), "function_versions": functions, "asset_versions": [version] * 1000}
    content = json.dumps(page(*[build] * 20)).encode()
    assert 5 * MIB < len(content) < 8 * MIB

    found, _ = read(content, PAGE)

    assert [build.assets for build in found.builds] == [(sid,) * 1000] * 20


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({"runtime": "node24", "sid": BUILD.lower()}, {"runtime": "node24"}),
        ({"runtime": {"name": "node18"}}, {"runtime": None}),
        (
            {"runtime": "x" * 301, "dependencies": [{"name": "n" * 301, "version": "v" * 301}]},
            {"runtime": "x" * 300, "dependencies": (Dependency("n" * 300, "v" * 300),)},
        ),
        ({"function_versions": None, "asset_versions": 7}, {"functions": None, "assets": None}),
        (
            {"function_versions": [{}, "x", {"sid": 7}, {"sid": "ZN1"}], "asset_versions": []},
            {"functions": ("", "", "", "ZN1"), "assets": ()},
        ),
        ({"dependencies": None}, {"dependencies": None}),
        (
            {
                "dependencies": [
                    {"name": 7},
                    "x",
                    None,
                    {"name": "a", "version": "1"},
                    {"name": "b"},
                ]
            },
            {"dependencies": (Dependency("a", "1"), Dependency("b"))},
        ),
        ({"status": 7, "date_updated": 7}, {"status": "", "updated": None}),
        ({"status": "queued"}, {"status": "queued"}),
    ],
)
def test_a_build_is_read_as_far_as_possible(sent: dict[str, Any], found: dict[str, Any]) -> None:
    build, is_named = read({**build_body(), **sent}, DETAILS)

    assert is_named
    assert build == Build(
        BUILD,
        "failed",
        datetime(2026, 11, 24, 14, 2, 11, tzinfo=timezone.utc),
        datetime(2026, 11, 24, 14, 2, 47, tzinfo=timezone.utc),
        "node18",
        tuple(f"ZN{n:032x}" for n in range(12)),
        tuple(f"ZN{n:032x}" for n in range(100, 104)),
        (
            Dependency("@twilio/runtime-handler", "1.3.0"),
            Dependency("lodash", "4.17.21"),
            Dependency("twilio", "4.23.0"),
        ),
        RQ,
    )._replace(**found)


def test_a_page_has_builds_next_query_and_the_servers_date() -> None:
    second = page(build_body(OTHER_BUILD, "building"), next_page_url="/x?Page=1&a=?#b")
    listed, is_named = read(second, PAGE, Date="Sat, 28 Nov 2026 14:00:00 GMT")
    last, is_last_named = read(page(), PAGE, Date="now")

    assert [(build.sid, build.status) for build in listed.builds] == [(OTHER_BUILD, "building")]
    assert (listed.next_query, listed.date, listed.request_id) == ("Page=1&a=?", AT_2, RQ)
    assert (listed.service, listed.identity) == (SERVICE, sent_request().identity)
    assert abs((last.date - datetime.now(timezone.utc)).total_seconds()) < 60
    assert last == BuildPage((), None, last.date, RQ, SERVICE, listed.identity)
    assert (is_named, is_last_named) == (True, False)


NOT_A_PAGE = "the answer is not a page of Builds"
NOT_LISTED = "the answer lists a Build without its SID or status"
NO_QUERY = (
    "the answer's next_page_url is neither null nor a URL of at most 2,000 characters with a query"
)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({"builds": None}, NOT_A_PAGE),
        ({"meta": None}, NOT_A_PAGE),
        ({"builds": [None]}, NOT_LISTED),
        ({"builds": [{"sid": 7, "status": "building"}]}, NOT_LISTED),
        ({"builds": [{"sid": f"{BUILD}0", "status": "building"}]}, NOT_LISTED),
        ({"builds": [{"sid": BUILD}]}, NOT_LISTED),
        ({"meta": {}}, NO_QUERY),
        ({"meta": {"next_page_url": ""}}, NO_QUERY),
        ({"meta": {"next_page_url": f"/x?{'%a' * 1000}"}}, NO_QUERY),
        ({"meta": {"next_page_url": 7}}, NO_QUERY),
        ({"meta": {"next_page_url": ["?a"]}}, NO_QUERY),
        ({"meta": {"next_page_url": "https://serverless.twilio.com/v1/Services#?a"}}, NO_QUERY),
    ],
)
def test_a_list_that_makes_no_sense_is_no_page(sent: dict[str, Any], why: str) -> None:
    assert refused({**page(), **sent}, PAGE) == (why,)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-11-28T14:00:00Z", AT_2),
        ("2026-11-28T14:00:00.5Z", AT_2.replace(microsecond=500_000)),
        ("2026-11-28T14:00:00.123456789Z", AT_2.replace(microsecond=123_456)),
        ("2026-11-28T14:00:07,25Z", AT_2.replace(second=7, microsecond=250_000)),
        ("2026-11-28T14:00Z", AT_2),
        ("2026-11-28T14:00:00", AT_2),
        ("2026-11-28T16:30:00+02:30", AT_2),
        ("2026-11-28T16:00:00+02", AT_2),
        ("2026-11-28T10:30:00-0330", AT_2),
        ("20261128T140000Z", AT_2),
        *((value, None) for value in (None, 20991231, "20991231", "2026-11-28", "2026-W52-7")),
        ("2026-11-28 14:00:00Z", None),
        ("Sat, 28 Nov 2026 14:00:00 GMT", None),
        ("2026-11-31T14:00:00Z", None),
        ("2026-11-28T14:00:00+48:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("99999-01-01T00:00:00Z", None),
        ("2026-11-28T14:00:00Z\n", None),
    ],
)
def test_a_date_is_an_iso_8601_text_with_a_time(value: object, time: datetime | None) -> None:
    assert parsing._time(value) == time
