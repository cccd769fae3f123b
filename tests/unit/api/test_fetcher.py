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
from twbuild.errors import FetchError, PermanentError, TransientError

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
    with Server(answering(http(b"", "503 Busy"))) as server:
        refused = refused_by(server.url, question)
        path = PATH.partition(f"/{BUILD}")[0] + tail

        assert server.requests[0].startswith(f"GET {path} HTTP/1.1".encode())
        assert refused.details == [f"GET {path} at {server.netloc}"]
        assert fetcher(server.url).url(question) == f"{server.url}{path}"
    assert (type(refused), refused.http_status) == (TransientError, 503)


@pytest.mark.parametrize(
    "location",
    [b"https://elsewhere.example/", b"/v1/other", b"http://[bad/", b"/\xff", b"x" * 9000],
)
def test_a_redirect_is_fatal_and_never_followed(location: bytes) -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with Server(answering(head)) as server:
        refused = refused_by(server.url)

        assert type(refused) is PermanentError
        assert len(server.requests) == 1


@pytest.mark.parametrize(("question", "mib"), [(STATUS, 1), (DETAILS, 2), (PAGE, 8)])
def test_no_answer_is_read_beyond_its_limit(question: Request, mib: int) -> None:
    whole = json.dumps({**status_body(), **page()}).encode().ljust(mib * MIB)
    error = json.dumps({"code": 20500, "message": "Bad"}).encode().ljust(MIB)
    answers = [http(whole), http(whole + b" "), http(error, "500 No"), http(error + b" ", "500 No")]
    with Server(answering(*answers)) as server:
        assert fetcher(server.url).fetch(question)
        assert (
            refused_by(server.url, question).reason
            == "the answer is larger than any that Twilio gives"
        )
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
        anonymous("failed"),
        json_http({"code": 20003, "message": "x"}, "401 Unauthorized"),
        json_http({"code": 20404, "message": "x"}, "404 Not Found"),
        http(b"", "400 Bad Request"),
        json_http(page()),
    ],
)
@pytest.mark.parametrize("before", [BUILD, OTHER_BUILD])
def test_a_late_answer_is_never_taken_for_another_requests(before: str, late: bytes) -> None:
    """It comes once the next request is there, so that nothing but its text tells it apart."""
    request, answer = STATUS, good()
    if late == json_http(page()):
        request, answer = PAGE, json_http(page(build_body()))

    def handle(connection: Connection) -> None:
        connection.request()
        if connection.number == 1:
            connection.send(json_http(status_body(before)))
            connection.request()
            connection.send(late)
        else:
            connection.send(answer)
        connection.request()

    with Server(handle) as server:
        client = fetcher(server.url)
        client.fetch(Request(Resource.STATUS, before))
        found = client.fetch(request)

        assert server.accepted == 2
    if isinstance(found, BuildPage):
        assert [build.sid for build in found.builds] == [BUILD]
    else:
        assert isinstance(found, BuildStatus)
        assert found.status is Status.BUILDING


def test_answers_that_name_no_build_are_requested_once() -> None:
    with Server(answering(anonymous("building"))) as server:
        client = fetcher(server.url)
        for _ in range(3):
            client.fetch(STATUS)

        assert len(server.requests) == 3


def test_after_a_nonsense_answer_the_connection_is_new() -> None:
    """A connection whose answers are late by one would make none again."""

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
    "answer",
    [
        lambda s: http(body(url=s, account_sid=s, service_sid=[s])),
        lambda s: http(body(status=s)),
        lambda s: http(body(sid=s)),
        lambda s: http(body(), "200 OK", f"Twilio-Request-Id: RQ{s}"),
        lambda s: http(s.encode(), "200 OK", f"Content-Type: {s}"),
        lambda s: json_http({"code": 20404, "message": "x" * 280 + s, "more_info": s}, "404 No"),
        lambda s: json_http({"code": 20003, "title": s, "type": s}, "401 No"),
        lambda s: json_http({"code": 20001, "message": s}, "400 No"),
        lambda s: http(s.encode(), "503 Later", f"Content-Type: {s}"),
    ],
)
def test_a_repeated_secret_is_not_given_on(secret: str, answer: Callable[[str], bytes]) -> None:
    with Server(answering(answer(secret))) as server:
        try:
            given = repr(fetcher(server.url).fetch(STATUS))
        except FetchError as error:
            given = repr(vars(error))

    assert secret[:20] not in given


@pytest.mark.parametrize("before", [55, 290])
@pytest.mark.parametrize("field", ["sid", "status", "message"])
def test_a_secret_cut_with_its_text_is_not_given_on(field: str, before: int) -> None:
    text = f"{'x' * before} {TOKEN} and more"
    error = json_http({"code": 20404, "status": 404, "message": text}, "404 No")
    with Server(answering(error if field == "message" else http(body(**{field: text})))) as server:
        refused = refused_by(server.url)

    given = refused.message + repr(vars(refused))
    assert "xxxxx" in given
    assert TOKEN[:5] not in given


@pytest.mark.parametrize("secret", [TOKEN, BASIC])
def test_a_secret_in_a_build_or_list_is_redacted(secret: str) -> None:
    fields = {"runtime": secret, "dependencies": [{"name": secret, "version": secret}]}
    listed = page({**build_body(), "status": secret}, next_page_url=f"/x?PageToken={secret}")
    with Server(answering(json_http({**build_body(), **fields}), json_http(listed))) as server:
        client = fetcher(server.url)
        build, listing = client.fetch(DETAILS), client.fetch(PAGE)
        assert isinstance(listing, BuildPage)
        url = client.url(Request(Resource.PAGE, query=listing.next_query or ""))

    assert secret not in repr((build, listing.builds, url))


def test_a_secret_that_is_an_api_word_changes_no_verdict() -> None:
    listed = json_http(page(build_body(status="completed")))
    with Server(answering(listed, good("completed"))) as server:
        client = fetcher(server.url, {"TWILIO_AUTH_TOKEN": "completed"})
        listing, answer = client.fetch(PAGE), client.fetch(STATUS)

    assert isinstance(listing, BuildPage)
    assert [build.status for build in listing.builds] == ["completed"]
    assert isinstance(answer, BuildStatus)
    assert (answer.status, answer.sid) == (Status.COMPLETED, BUILD)
