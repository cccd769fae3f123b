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
UPDATE = "Update twbuild, or report it."


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
    ],
)
def test_what_is_no_json_object_has_its_kind_and_reason(
    body: bytes, headers: dict[str, str | None], kind: str, defect: str
) -> None:
    found = parsing.content(response(200, body, **headers), Resource.STATUS)

    assert found == ({}, len(body), kind, f"the answer is {defect}")


def test_a_body_keeps_its_defect_and_what_is_read() -> None:
    cut = response(200, b"")._replace(defect="cut")
    sent = response(200, {"url": {"x": 1, "name": 2}, "x": 3})

    assert parsing.content(cut, Resource.STATUS) == ({}, 0, "", "cut")
    assert parsing.content(sent, Resource.STATUS).found == {"url": {"name": 2}}


def test_an_error_has_no_more_values_than_a_status() -> None:
    answers = [response(status, {"x": [1] * 1000}) for status in (200, 404)]

    defects = [parsing.content(answer, Resource.PAGE).defect for answer in answers]
    assert defects == ["", "the answer is JSON of too many values"]


def test_a_status_is_read_with_its_five_fields_as_sent() -> None:
    for letters in (str, str.lower):
        sent = {name: letters(value) for name, value in status_body(status="completed").items()}

        four = [sent[name] for name in ("sid", "account_sid", "service_sid", "url")]
        answer, is_named = read(sent)
        assert is_named
        assert answer == (Status.COMPLETED, *four, RQ, False, False)


def test_what_is_no_text_is_null_and_names_no_build() -> None:
    for fields in ({}, {"account_sid": 7}, {"sid": None, "url": None, "service_sid": None}):
        found = read({"status": "failed", **fields}, Twilio_Request_Id="")

        assert found == (BuildStatus(Status.FAILED), False)


@pytest.mark.parametrize(
    ("server", "facts"),
    [("sandbox/1.0", (True, True)), ("sandbox/1.0 (shell)", (True, False)), ("", (False, False))],
)
def test_the_sandbox_says_that_it_answers(server: str, facts: tuple[bool, bool]) -> None:
    answer, _ = read(status_body(), Server=f"twbuild-{server}" if server else "nginx")

    assert (answer.from_sandbox, answer.ends_with_run) == facts


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("COMPLETED", ("unknown build status 'COMPLETED'", UPDATE)),
        ("failed\n", (r"unknown build status 'failed\n'", UPDATE)),
        ("x" * 5000, (f"unknown build status '{'x' * 56}...", UPDATE)),
        (None, ("the answer has no build status", http_errors.PORTAL)),
        (["completed"], ("the answer has no build status", http_errors.PORTAL)),
    ],
)
def test_an_unknown_status_is_no_verdict(status: object, wanted: tuple[str, ...]) -> None:
    assert refused({**status_body(), "status": status}) == wanted


def url_of(build: str, service: str = SERVICE) -> str:
    return f"https://serverless.twilio.com/v1/Services/{service}/Builds/{build}/Status"


ZB = OTHER_BUILD[2:]


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"sid": OTHER_BUILD, "url": url_of(BUILD)}, OTHER_BUILD),
        ({"sid": ""}, ""),
        ({"sid": BUILD.replace("Z", "\uff3a")}, BUILD.replace("Z", "\uff3a")),
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
def test_what_names_a_build_or_service_is_text(name: str) -> None:
    why = "the answer has a sid, service_sid or url that is neither null nor text"
    for value in (False, [url_of(OTHER_BUILD)], {"sid": OTHER_SERVICE}):
        assert refused({**status_body(), name: value}) == (why,)


def test_the_next_page_is_one_of_the_same_list() -> None:
    path = f"/v1/Services/{OTHER_SERVICE}/Builds"
    others = {path: f"service {OTHER_SERVICE}, not {SERVICE}", f"/Builds/{BUILD}": f"{BUILD}, not "}
    for other, about in others.items():
        sent = page(next_page_url=f"{other}?Page=1")
        assert refused(sent, PAGE) == (f"the answer is about {about}",)
    assert read(page(next_page_url=f"/x?of={path}"), PAGE)[0].next_query == f"of={path}"
    assert read(page(next_page_url="/x?".ljust(2000, "a")), PAGE)[0].next_query == "a" * 1997


def test_a_url_is_read_up_to_10_000_characters() -> None:
    url = url_of(BUILD).ljust(10_000, "x")
    too_long = {**status_body(), "url": f"{url}x"}

    assert read({**status_body(), "url": url})
    assert refused(too_long) == ("the answer has a URL of over 10,000 characters",)


def test_the_largest_page_that_twilio_can_give_is_read() -> None:
    names = ("sid", "account_sid", "service_sid", "asset_sid", "path", "visibility", "date_created")
    version = dict.fromkeys(names, BUILD)
    functions = [{**version, "links": {"content": "/"}}] * 50
    build = {**build_body(), "function_versions": functions, "asset_versions": [version] * 1000}
    content = json.dumps(page(*[build] * 20)).encode()
    assert 5 * MIB < len(content) < 8 * MIB

    found, _ = read(content, PAGE)

    assert [build.assets for build in found.builds] == [(BUILD,) * 1000] * 20


LONG_NAMES = [{"name": "n" * 301, "version": "v" * 301}]
ODD_NAMES = [{"name": 7}, "x", None, {"name": "a", "version": "1"}, {"name": "b"}]
FIRST = datetime(2026, 11, 24, 14, 2, 11, tzinfo=timezone.utc)
FUNCTIONS = tuple(f"ZN{number:032x}" for number in range(12))
ASSETS = tuple(f"ZN{number:032x}" for number in range(100, 104))
DEPENDENCIES = tuple(Dependency(d["name"], d["version"]) for d in build_body()["dependencies"])
DATES = (FIRST, FIRST.replace(second=47))
USUAL = Build(BUILD, "failed", *DATES, "node18", FUNCTIONS, ASSETS, DEPENDENCIES, RQ)


@pytest.mark.parametrize(
    ("name", "sent", "field", "found"),
    [
        ("sid", BUILD.lower(), "sid", BUILD),
        ("status", 7, "status", ""),
        ("status", "queued", "status", "queued"),
        ("date_updated", 7, "updated", None),
        ("runtime", "node24", "runtime", "node24"),
        ("runtime", {"name": "node18"}, "runtime", None),
        ("runtime", "x" * 301, "runtime", "x" * 300),
        ("function_versions", None, "functions", None),
        ("function_versions", [{}, "x", {"sid": 7}, {"sid": "N"}], "functions", ("", "", "", "N")),
        ("asset_versions", 7, "assets", None),
        ("asset_versions", [], "assets", ()),
        ("dependencies", None, "dependencies", None),
        ("dependencies", LONG_NAMES, "dependencies", (Dependency("n" * 300, "v" * 300),)),
        ("dependencies", ODD_NAMES, "dependencies", (Dependency("a", "1"), Dependency("b"))),
    ],
)
def test_a_build_is_read_as_far_as_possible(name: str, sent: Any, field: str, found: Any) -> None:
    build, is_named = read({**build_body(), name: sent}, DETAILS)

    assert is_named
    assert build == USUAL._replace(**{field: found})


def test_a_page_has_builds_next_query_and_the_servers_date() -> None:
    second = page(build_body(OTHER_BUILD, "building"), next_page_url="/x?Page=1&a=?#b")
    listed, is_named = read(second, PAGE, Date="Sat, 28 Nov 2026 14:00:00 GMT")
    last, is_last_named = read(page(), PAGE, Date="now")

    assert [(build.sid, build.status) for build in listed.builds] == [(OTHER_BUILD, "building")]
    of_request = (RQ, SERVICE, sent_request().identity)
    assert listed[1:] == ("Page=1&a=?", AT_2, *of_request)
    assert last == BuildPage((), None, last.date, *of_request)
    assert abs((last.date - datetime.now(timezone.utc)).total_seconds()) < 60
    assert (is_named, is_last_named) == (True, False)


NOT_A_PAGE = "the answer is not a page of Builds"
NOT_LISTED = "the answer lists a Build without its SID or status"
NO_QUERY = (
    "the answer's next_page_url is neither null nor a URL of at most 2,000 characters with a query"
)


@pytest.mark.parametrize(
    ("name", "sent", "why"),
    [
        ("builds", None, NOT_A_PAGE),
        ("meta", None, NOT_A_PAGE),
        ("builds", [None], NOT_LISTED),
        ("builds", [{"sid": 7, "status": "building"}], NOT_LISTED),
        ("builds", [{"sid": f"{BUILD}0", "status": "building"}], NOT_LISTED),
        ("builds", [{"sid": BUILD}], NOT_LISTED),
        ("meta", {}, NO_QUERY),
        ("meta", {"next_page_url": ["?a"]}, NO_QUERY),
        ("meta", {"next_page_url": f"/x?{'%a' * 1000}"}, NO_QUERY),
        ("meta", {"next_page_url": "https://serverless.twilio.com/v1/Services#?a"}, NO_QUERY),
    ],
)
def test_a_list_that_makes_no_sense_is_no_page(name: str, sent: object, why: str) -> None:
    assert refused({**page(), name: sent}, PAGE) == (why,)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        *((value, AT_2) for value in ("2026-11-28T14:00:00", "2026-11-28T14:00Z")),
        *((f"2026-11-28T16:{rest}", AT_2) for rest in ("30:00+02:30", "00:00+02")),
        *((value, AT_2) for value in ("2026-11-28T10:30:00-0330", "20261128T140000Z")),
        ("2026-11-28T14:00:00.123456789Z", AT_2.replace(microsecond=123_456)),
        ("2026-11-28T14:00:07,25Z", AT_2.replace(second=7, microsecond=250_000)),
        *((value, None) for value in (None, 20991231, "20991231", "2026-11-28", "2026-W52-7")),
        *((value, None) for value in ("2026-11-28 14:00:00Z", "2026-11-28T14:00:00Z\n")),
        *((f"{value}-01T00:00:00Z", None) for value in ("2026-13", "99999-01")),
        *((f"0001-01-01T00:00:00+{offset}:00", None) for offset in (14, 48)),
    ],
)
def test_a_date_is_an_iso_8601_text_with_a_time(value: object, time: datetime | None) -> None:
    assert parsing._time(value) == time
