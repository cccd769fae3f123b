"""What the fetcher makes of whatever may come over a wire: one answer or one typed error."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping

import pytest

from tests.support import sockets
from tests.support.command import ACCOUNT, BUILD, OTHER_BUILD, TOKEN
from tests.support.fasttime import fetcher
from tests.support.sockets import (
    Server,
    answering,
    good,
    http,
)
from tests.support.twilio import Twilio, build_body, page, status_body
from tests.unit.api.fetching import DETAILS, MIB, PAGE, STATUS, anonymous, body, refusal
from twbuild import __version__
from twbuild.api.models import BuildPage, BuildStatus, Request, Resource, Status
from twbuild.errors import FetchError, NotFoundError, PermanentError, TransientError


def test_a_request_names_its_client_and_allows_no_cache(twilio: Twilio) -> None:
    twilio.says("building")

    fetcher(twilio.url).fetch(STATUS)

    (request,) = twilio.requests
    pair = b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert request.method == "GET"
    assert request.headers["Authorization"] == f"Basic {pair}"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Cache-Control"] == "no-cache"
    assert request.headers["User-Agent"].startswith(f"twbuild/{__version__} ")


def test_the_newest_builds_are_requested_twenty_at_a_time(twilio: Twilio) -> None:
    twilio.lists(page())

    fetcher(twilio.url).fetch(PAGE)

    assert twilio.requests[0].query_string == b"PageSize=20"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529, 599, 999])
def test_these_http_statuses_are_transient(twilio: Twilio, status: int) -> None:
    twilio.says(status)
    with pytest.raises(TransientError, match=f"HTTP {status}") as refused:
        fetcher(twilio.url).fetch(STATUS)

    assert refused.value.http_status == status
    assert refused.value.request_id == "RQ" + "d4" * 16


@pytest.mark.parametrize(
    "status", [301, 302, 303, 307, 308, 304, 400, 402, 405, 407, 409, 410, 451]
)
def test_these_http_statuses_are_fatal(twilio: Twilio, status: int) -> None:
    twilio.says(status)
    with pytest.raises(PermanentError, match=f"HTTP {status}") as refused:
        fetcher(twilio.url).fetch(STATUS)

    is_redirect = status in (301, 302, 303, 307, 308)
    assert ("redirect" in refused.value.message) == is_redirect
    assert ("unexpected HTTP" in refused.value.message) == (status == 304)


@pytest.mark.parametrize("question", [STATUS, DETAILS, PAGE], ids=["status", "build", "page"])
def test_404_is_said_to_be_none_of_the_other_problems(twilio: Twilio, question: Request) -> None:
    for script in (twilio.says, twilio.describes, twilio.lists):
        script(404)
    with pytest.raises(
        NotFoundError, match=r"^the API found no (build ZB|service ZS).*HTTP 404"
    ) as refused:
        fetcher(twilio.url).fetch(question)

    assert refused.value.code == 20404


LOCATIONS = [
    b"https://elsewhere.example/",
    b"/v1/other",
    b"//elsewhere.example",
    b"",
    b"http://[bad/",
    b"http://user:pw@127.0.0.1:99999/",
    b"/\xff\xfe",
    b"x" * 9000,
    b"javascript:alert(1)",
]


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("question", [STATUS, DETAILS], ids=["status", "build"])
def test_a_redirect_is_fatal_and_never_followed(location: bytes, question: Request) -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with Server(answering(head)) as server:
        refused = refusal(server, question)

        assert type(refused) is PermanentError
        assert "Redirects are not followed" in " ".join(refused.hints)
        assert len(server.requests) == 1


@pytest.mark.parametrize(("question", "mib"), [(DETAILS, 2), (PAGE, 8)], ids=["build", "page"])
def test_a_build_may_be_2_mib_and_a_page_8(question: Request, mib: int) -> None:
    whole: dict[str, object] = {**build_body(), **page()}

    def sized(size: int) -> bytes:
        return http(json.dumps({**whole, "x": "x" * size}).encode())

    with Server(answering(sized(mib * MIB - 9000), sized(mib * MIB))) as server:
        assert fetcher(server.url).fetch(question)
        assert "larger than any" in refusal(server, question).reason


QUERIES = ["Page=1&PageToken=PAx", "a b", "%zz", "\ud800", "é\r\nX: y", "?#[", "@evil.example/"]


@pytest.mark.parametrize("query", QUERIES, ids=ascii)
def test_the_next_page_is_at_the_same_url(query: str) -> None:
    first = page(next_page_url=f"https://elsewhere.example/v1/x?{query}")
    with Server(
        answering(http(json.dumps(first).encode()), http(json.dumps(page()).encode()))
    ) as s:
        fetch = fetcher(s.url).fetch
        answer = fetch(PAGE)
        assert isinstance(answer, BuildPage)
        assert answer.next_query
        fetch(Request(Resource.PAGE, query=answer.next_query))

        paths = [request.partition(b"?")[0] for request in s.requests]
        assert paths[0] == paths[1]
        assert b"X: y" not in s.requests[1].split(b"\r\n")


OTHER = Request(Resource.STATUS, OTHER_BUILD)
LATE: Mapping[str, bytes] = {
    "completed": anonymous("completed"),
    "failed": anonymous("failed"),
    "401": http(b'{"code": 20003, "message": "x"}', "401 Unauthorized"),
    "404": http(b'{"code": 20404, "message": "x"}', "404 Not Found"),
    "400": http(b"", "400 Bad Request"),
    "a redirect": http(b"", "302 Found"),
    "an empty list": http(json.dumps(page()).encode()),
}


@pytest.mark.parametrize("row", LATE)
@pytest.mark.parametrize("before", [OTHER, STATUS], ids=["another build", "the same build"])
def test_a_late_answer_is_never_taken_for_another_requests(before: Request, row: str) -> None:
    """It comes once the next request is there, so that nothing but its text tells it apart."""
    question = PAGE if row == "an empty list" else STATUS
    answer = http(json.dumps(page(build_body())).encode()) if question is PAGE else good()

    def handle(connection: sockets.Connection) -> None:
        connection.request()
        if connection.number == 1:
            connection.send(http(json.dumps(status_body(before.sid)).encode()))
            connection.request()
            connection.send(LATE[row])
        else:
            connection.send(answer)
        connection.request()

    with Server(handle) as server:
        client = fetcher(server.url)
        client.fetch(before)
        found = client.fetch(question)

        assert server.accepted == 2
    if isinstance(found, BuildPage):
        assert [build.sid for build in found.builds] == [BUILD]
    else:
        assert isinstance(found, BuildStatus)
        assert found.status is Status.BUILDING


def test_after_a_nonsense_answer_the_connection_is_new() -> None:
    """A connection whose answers are late by one would make none again."""

    def handle(connection: sockets.Connection) -> None:
        connection.request()
        connection.send(good())
        while connection.request():
            connection.send(http(json.dumps(status_body(OTHER_BUILD)).encode()))

    with Server(handle) as server:
        client = fetcher(server.url)
        client.fetch(STATUS)
        with pytest.raises(TransientError, match=f"about {OTHER_BUILD}, not {BUILD}"):
            client.fetch(STATUS)
        assert client.fetch(STATUS)

        assert server.accepted == 2


REPEATED = (
    TOKEN,
    b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode(),
    b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode().rstrip("="),
)


@pytest.mark.parametrize("secret", REPEATED)
@pytest.mark.parametrize(
    "answer",
    [
        lambda s: http(body(url=s, account_sid=s, service_sid=[s])),
        lambda s: http(body(status=s)),
        lambda s: http(body(sid=s)),
        lambda s: http(body(), "200 OK", f"Twilio-Request-Id: RQ{s}"),
        lambda s: http(s.encode(), "200 OK", f"Content-Type: {s}"),
        lambda s: http(json.dumps({"code": 7, "message": "x" * 280 + s}).encode(), "404 No"),
        lambda s: http(json.dumps({"code": 7, "title": s, "type": s}).encode(), "401 No"),
        lambda s: http(json.dumps({"code": 7, "message": s}).encode(), "400 No"),
        lambda s: http(s.encode(), "503 Later", f"Content-Type: {s}"),
    ],
)
def test_a_secret_that_a_server_repeats_is_not_given_on(
    secret: str, answer: Callable[[str], bytes]
) -> None:
    with Server(answering(answer(secret))) as server:
        try:
            given = repr(fetcher(server.url).fetch(STATUS))
        except FetchError as error:
            given = repr(vars(error))

    assert secret[:20] not in given


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
def test_a_server_that_encodes_what_it_repeats_is_redacted(
    encode: Callable[[str], str],
) -> None:
    token = "?>" + TOKEN[:-4] + "~?"  # Base64 with a + and a /
    basic = b64encode(f"{ACCOUNT}:{token}".encode()).decode()
    repeated = [encode(token), encode(basic)]
    fields = {name: " ".join(["at", *repeated]) for name in ("message", "more_info")}
    body = json.dumps({"code": 20404, "status": 404, **fields}).encode()
    headers = [f"Twilio-Request-Id: RQ{repeated[0]}", f"Content-Type: x/{repeated[1]}"]
    answer = answering(http(body, "404 Nope", *headers))
    with Server(answer) as server, pytest.raises(FetchError) as refused:
        fetcher(server.url, {"TWILIO_AUTH_TOKEN": token}).fetch(STATUS)

    given = repr(vars(refused.value)).replace("\\\\", "\\")
    assert "[secret]" in given
    assert not [text for text in repeated if text[:20] in given or text[-20:] in given]


@pytest.mark.parametrize("before", [5, 55, 280, 290])
@pytest.mark.parametrize("field", ["sid", "status", "message"])
def test_a_secret_cut_with_its_text_is_not_given_on(field: str, before: int) -> None:
    text = "x" * before + f" {TOKEN} and more"
    error = {"code": 20404, "status": 404, "message": text}
    is_error = field == "message"
    answer = http(json.dumps(error).encode(), "404 No") if is_error else http(body(**{field: text}))
    with Server(answering(answer)) as server:
        refused = refusal(server)

    given = refused.message + repr(vars(refused))
    assert "xxxxx" in given
    assert TOKEN[:5] not in given


@pytest.mark.parametrize("secret", REPEATED)
def test_a_secret_in_a_build_or_list_is_redacted(secret: str) -> None:
    fields = {"runtime": secret, "dependencies": [{"name": secret, "version": secret}]}
    listed = page({**build_body(), "status": secret}, next_page_url=f"/x?PageToken={secret}")
    answers = [http(json.dumps({**build_body(), **fields}).encode())]
    with Server(answering(*answers, http(json.dumps(listed).encode()))) as server:
        client = fetcher(server.url)
        build, listing = client.fetch(DETAILS), client.fetch(PAGE)
        assert isinstance(listing, BuildPage)
        url = client.url(Request(Resource.PAGE, query=listing.next_query or ""))

    assert secret not in repr((build, listing.builds, url))


def test_a_secret_that_is_an_api_word_changes_no_verdict() -> None:
    with Server(answering(good("completed"))) as server:
        found = fetcher(server.url, {"TWILIO_AUTH_TOKEN": "completed"}).fetch(STATUS)

    assert isinstance(found, BuildStatus)
    assert found.status is Status.COMPLETED
    assert found.sid == BUILD
