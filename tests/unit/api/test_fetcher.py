"""What the fetcher makes of whatever may come over a wire: one answer or one typed error."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable

import pytest

from tests.support.command import ACCOUNT, BUILD, OTHER_BUILD, TOKEN
from tests.support.fasttime import fetcher
from tests.support.sockets import Connection, Server, answering, good, http
from tests.support.twilio import build_body, page, status_body
from tests.unit.api.fetching import DETAILS, MIB, PAGE, PATH, STATUS, anonymous, body, refused_by
from twbuild import __version__
from twbuild.api.models import BuildPage, BuildStatus, Request, Resource, Status
from twbuild.errors import FetchError, TransientError

BASIC = b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()


def json_http(fields: object, status: str = "200 OK", *headers: str) -> bytes:
    return http(json.dumps(fields).encode(), status, *headers)


def test_a_request_names_its_client_and_allows_no_cache() -> None:
    with Server(answering(good())) as server:
        fetcher(server.url).fetch(STATUS)

        line, *headers = server.requests[0].decode().strip().split("\r\n")
    assert line == f"GET {PATH} HTTP/1.1"
    assert {"Accept: application/json", "Accept-Encoding: identity"} <= set(headers)
    assert {"Cache-Control: no-cache", f"Authorization: Basic {BASIC}"} <= set(headers)
    assert any(header.startswith(f"User-Agent: twbuild/{__version__} ") for header in headers)


@pytest.mark.parametrize(
    ("question", "tail"),
    [(STATUS, f"/{BUILD}/Status"), (DETAILS, f"/{BUILD}"), (PAGE, "?PageSize=20")],
)
def test_an_error_describes_the_request_that_was_sent(question: Request, tail: str) -> None:
    inside = json_http({"code": 20429, "message": "Busy"})
    with Server(answering(http(b"", "503 Busy"), inside)) as server:
        refused = refused_by(server.url, question)
        path = PATH.partition(f"/{BUILD}")[0] + tail

        assert server.requests[0].startswith(f"GET {path} HTTP/1.1".encode())
        assert refused.details == [f"GET {path} at {server.netloc}"]
        assert fetcher(server.url).url(question) == f"{server.url}{path}"
        assert refused_by(server.url, question).code == 20429, "one with HTTP 200 is an error, too"
    assert (type(refused), refused.http_status) == (TransientError, 503)


@pytest.mark.parametrize(("question", "mib"), [(STATUS, 1), (DETAILS, 2), (PAGE, 8)])
def test_no_answer_is_read_beyond_its_limit(question: Request, mib: int) -> None:
    whole = json.dumps({**status_body(), **page()}).encode().ljust(mib * MIB)
    error = json.dumps({"code": 20500, "message": "Bad"}).encode().ljust(MIB)
    answers = [http(whole), http(whole + b" "), http(error, "500 No"), http(error + b" ", "500 No")]
    with Server(answering(*answers)) as server:
        assert fetcher(server.url).fetch(question)
        refused = refused_by(server.url, question)
        assert refused.reason == "the answer is larger than any that Twilio gives"
        assert [refused_by(server.url, question).code for _ in range(2)] == [20500, None]


@pytest.mark.parametrize(
    "query",
    ["Page=1&PageToken=PAx", "a b", "%zz", "\ud800", "é\r\nX: y", "?#[", "@evil.example/"],
    ids=ascii,
)
def test_the_next_page_is_at_the_same_url(query: str) -> None:
    first = page(next_page_url=f"https://elsewhere.example/v1/x?{query}")
    with Server(answering(json_http(first), json_http(page()))) as server:
        fetch = fetcher(server.url).fetch
        answer = fetch(PAGE)
        assert isinstance(answer, BuildPage)
        assert answer.next_query
        fetch(Request(Resource.PAGE, query=answer.next_query))

        paths = [request.partition(b"?")[0] for request in server.requests]
        assert paths[0] == paths[1]
        assert b"X: y" not in server.requests[1].split(b"\r\n")


@pytest.mark.parametrize(
    "late",
    [
        anonymous("completed"),
        json_http({"code": 20003, "message": "x"}, "401 Unauthorized"),
        json_http({"code": 20404, "message": "x"}, "404 Not Found"),
        http(b"", "400 Bad Request"),
    ],
)
@pytest.mark.parametrize("before", [BUILD, OTHER_BUILD])
def test_a_late_answer_is_never_taken_for_another_requests(before: str, late: bytes) -> None:
    """It comes once the next request is there, so that nothing but its text tells it apart."""

    def handle(connection: Connection) -> None:
        connection.request()
        if connection.number == 1:
            connection.send(json_http(status_body(before)))
            connection.request()
        connection.send(late if connection.number == 1 else good())
        connection.request()

    with Server(handle) as server:
        client = fetcher(server.url)
        client.fetch(Request(Resource.STATUS, before))
        found = client.fetch(STATUS)

        assert server.accepted == 2
    assert isinstance(found, BuildStatus)
    assert (found.sid, found.status) == (BUILD, Status.BUILDING)


def test_after_a_nonsense_answer_the_connection_is_new() -> None:
    """Its answers may all be late by one."""

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(good())
        while connection.request():
            connection.send(json_http(status_body(OTHER_BUILD)))

    with Server(handle) as server:
        client = fetcher(server.url)
        client.fetch(STATUS)
        with pytest.raises(TransientError, match=f"about {OTHER_BUILD}, not {BUILD}"):
            client.fetch(STATUS)
        assert client.fetch(STATUS)

        assert server.accepted == 2


@pytest.mark.parametrize("secret", [TOKEN, BASIC])
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (STATUS, lambda s: http(body(url=s, account_sid=s, service_sid=[s]))),
        (STATUS, lambda s: http(body(status=s))),
        (STATUS, lambda s: http(body(status=f"{'x' * 55} {s} more"))),
        (STATUS, lambda s: http(body(sid=s))),
        (STATUS, lambda s: http(body(sid=f"{'x' * 290} {s} more"))),
        (STATUS, lambda s: http(body(), "200 OK", f"Twilio-Request-Id: RQ{s}")),
        (STATUS, lambda s: http(s.encode(), "200 OK", f"Content-Type: {s}")),
        (STATUS, lambda s: json_http({"code": 20404, "message": s, "more_info": s}, "404 No")),
        (
            STATUS,
            lambda s: json_http({"code": 20404, "message": f"{'x' * 290} {s} y"}, "404 No"),
        ),
        (STATUS, lambda s: json_http({"code": 20003, "title": s, "type": s}, "401 No")),
        (STATUS, lambda s: http(s.encode(), "503 Later", f"Content-Type: {s}")),
        (DETAILS, lambda s: json_http({**build_body(), "runtime": f"{'x' * 293} {s} more"})),
        (DETAILS, lambda s: json_http({"dependencies": [{"name": s, "version": s}], "sid": BUILD})),
        (PAGE, lambda s: json_http(page({**build_body(), "status": s}, next_page_url=f"/x?a={s}"))),
    ],
)
def test_a_repeated_secret_is_not_given_on(
    secret: str, question: Request, answer: Callable[[str], bytes]
) -> None:
    with Server(answering(answer(secret))) as server:
        client = fetcher(server.url)
        try:
            found = client.fetch(question)
        except FetchError as error:
            given = repr(vars(error)) + error.message
        else:
            query = found.next_query if isinstance(found, BuildPage) else None
            shown_url = client.url(Request(Resource.PAGE, query=query or ""))
            given = repr(found).replace(f"next_query={query!r}", shown_url)

    assert secret[:6] not in given


def test_a_secret_that_is_an_api_word_changes_no_verdict() -> None:
    listed = json_http(page(build_body(status="completed")))
    with Server(answering(listed, good("completed"))) as server:
        client = fetcher(server.url, {"TWILIO_AUTH_TOKEN": "completed"})
        listing, answer = client.fetch(PAGE), client.fetch(STATUS)

    assert isinstance(listing, BuildPage)
    assert [build.status for build in listing.builds] == ["completed"]
    assert isinstance(answer, BuildStatus)
    assert (answer.status, answer.sid) == (Status.COMPLETED, BUILD)
