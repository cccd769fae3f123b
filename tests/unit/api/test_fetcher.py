"""What the fetcher makes of whatever may come over a wire: one answer or one typed error."""

from __future__ import annotations

import gzip
import json
import threading
import time
import tracemalloc
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import pytest

from tests.support import sockets
from tests.support.command import ACCOUNT, BUILD, OTHER_BUILD, TOKEN
from tests.support.fasttime import close_fetchers, fetcher
from tests.support.sockets import (
    Handler,
    Server,
    answering,
    chunked,
    closing,
    endless,
    good,
    http,
    resetting,
)
from tests.support.twilio import Twilio, build_body, page, status_body
from twbuild import __version__
from twbuild.api.models import Build, BuildPage, BuildStatus, Dependency, Request, Resource, Status
from twbuild.errors import FetchError, NotFoundError, PermanentError, TransientError

STATUS = Request(Resource.STATUS, BUILD)
DETAILS = Request(Resource.BUILD, BUILD)
PAGE = Request(Resource.PAGE)
MIB = 1 << 20


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_fetchers()


def body(**fields: object) -> bytes:
    return json.dumps({**status_body(), **fields}).encode()


def refusal(server: Server, question: Request = STATUS) -> FetchError:
    with pytest.raises(FetchError) as refused:
        fetcher(server.url).fetch(question)
    return refused.value


def asked(handler: Handler, question: Request = STATUS) -> BuildStatus | Build | BuildPage:
    with Server(handler) as server:
        return fetcher(server.url).fetch(question)


# What is no Build Status, though it came with 200. Trouble that may pass; never a verdict.
NONSENSE: Mapping[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blanks": (b" \r\n", "empty"),
    "null": (b"null", "JSON, but not an object"),
    "array": (b'["completed"]', "JSON, but not an object"),
    "number": (b"0", "JSON, but not an object"),
    "string": (b'"completed"', "JSON, but not an object"),
    "bare word": (b"completed", "not JSON"),
    "truncated": (body(status="completed")[:-1], "not JSON"),
    "two objects": (body(status="completed") * 2, "not JSON"),
    "no UTF-8": (b'{"status": "completed", "url": "\xff"}', "not UTF-8"),
    "UTF-16": (body(status="completed").decode().encode("utf-16"), "not UTF-8"),
    "name twice": (b'{"status": "failed", "status": "completed"}', "occurs twice"),
    "name twice, deeper": (b'{"status": "completed", "x": {"a": 1, "a": 2}}', "occurs twice"),
    "NaN": (b'{"status": "completed", "x": NaN}', "NaN"),
    "Infinity": (b'{"status": "completed", "x": -Infinity}', "NaN"),
    "100,000 arrays": (b'{"status": "completed", "x": ' + b"[" * 100_000, "nested too deep"),
    "100,000 objects": (b'{"x": ' * 100_000, "nested too deep"),
    "200,000 brackets": (b"[" * 200_000, "nested too deep"),
    "a number of 100,000 digits": (b'{"x": ' + b"9" * 100_000 + b"}", "not JSON"),
    "HTML": (b"<html><body>completed</body></html>", "not JSON"),
    "no status": (json.dumps({"sid": BUILD}).encode(), "unknown build status None"),
    "status null": (body(status=None), "unknown build status None"),
    "status a list": (body(status=["completed"]), "unknown build status ['completed']"),
    "status an object": (body(status={"completed": True}), "unknown build status {"),
    "status true": (body(status=True), "unknown build status True"),
    "status 0": (body(status=0), "unknown build status 0"),
    "status empty": (body(status=""), "unknown build status ''"),
    "status in capitals": (body(status="COMPLETED"), "unknown build status 'COMPLETED'"),
    "status queued": (body(status="queued"), "unknown build status 'queued'"),
    "status canceled": (body(status="canceled"), "unknown build status 'canceled'"),
    "status with blanks": (body(status=" completed "), "unknown build status ' completed '"),
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
    "a sid with a blank": (body(status="completed", sid=f"{BUILD} "), "the answer is about"),
    "an empty sid": (body(status="completed", sid=""), "the answer is about"),
    "a sid that is a number": (body(status="completed", sid=7), "the answer is about 7"),
    "a sid that is a list": (body(status="completed", sid=[BUILD]), "the answer is about ["),
    "more than 1 MiB": (body(status="completed", x="x" * MIB), "larger than any"),
    "3 MiB": (b" " * 3 * MIB + body(status="completed"), "larger than any"),
}


@pytest.mark.parametrize("row", NONSENSE)
def test_a_body_that_is_not_the_object_promised_is_trouble_that_may_pass(row: str) -> None:
    content, reason = NONSENSE[row]
    with Server(answering(http(content))) as server:
        refused = refusal(server)

    assert type(refused) is TransientError
    assert reason in refused.reason
    assert len(refused.message) <= 400
    assert refused.http_status == 200


# What may come in place of a whole answer.
BROKEN: Mapping[str, tuple[Handler, str]] = {
    "reset before the header": (resetting(), "connection lost"),
    "reset in the header": (resetting(good()[:20]), "connection lost"),
    "reset after the header": (resetting(http(b"", length=99)), "connection lost"),
    "reset in the body": (resetting(http(b'{"status', length=99)), "connection lost"),
    "closed before the header": (closing(b""), "connection lost"),
    "closed in the header": (closing(good()[:40]), "empty"),
    "closed in the body": (closing(http(b'{"status', length=99)), "the answer was cut short"),
    "Content-Length too large": (closing(http(body(), length=9999)), "the answer was cut short"),
    "Content-Length too small": (closing(http(body(), length=9)), "not JSON"),
    "Content-Length no number": (
        closing(b"HTTP/1.1 200 OK\r\nContent-Length: soon\r\n\r\nx"),
        "not JSON",
    ),
    "chunked and cut": (
        closing(
            http(chunked(body(status="completed"), end=b""), "200 OK", "Transfer-Encoding: chunked")
        ),
        "the answer was cut short",
    ),
    "chunked and cut in the last chunk's size": (
        closing(
            http(
                chunked(body(status="completed"), end=b"0"), "200 OK", "Transfer-Encoding: chunked"
            )
        ),
        "the answer was cut short",
    ),
    "chunked and cut in a chunk": (
        closing(http(b"fff\r\n" + body(), "200 OK", "Transfer-Encoding: chunked")),
        "the answer was cut short",
    ),
    "a chunk of no length": (
        closing(http(b"zz\r\n{}\r\n", "200 OK", "Transfer-Encoding: chunked")),
        "the answer was cut short",
    ),
    "broken gzip": (
        closing(http(b"no gzip", "200 OK", "Content-Encoding: gzip")),
        "the answer is badly compressed",
    ),
    "gzip cut in its data": (
        closing(http(gzip.compress(body(x="x"))[:60], "200 OK", "Content-Encoding: gzip")),
        "the answer is badly compressed",
    ),
    "gzip of another checksum": (
        closing(http(gzip.compress(body())[:-8] + b"\0" * 8, "200 OK", "Content-Encoding: gzip")),
        "the answer is badly compressed",
    ),
    "gzip in gzip in gzip": (
        closing(http(b"x", "200 OK", "Content-Encoding: " + ", ".join(["gzip"] * 3))),
        "encoded in a way that was not asked for",
    ),
    "a gzip bomb": (
        closing(http(gzip.compress(b" " * 64 * MIB), "200 OK", "Content-Encoding: gzip")),
        "the answer is larger than any",
    ),
    "a body without end": (
        endless(http(length=1 << 40), b" " * 65536),
        "the answer is larger than any",
    ),
    "chunks without end": (
        endless(http(b"", "200 OK", "Transfer-Encoding: chunked"), chunked(b" " * 4096, end=b"")),
        "the answer is larger than any",
    ),
    "two lengths": (
        closing(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        "the answer has headers that contradict each other",
    ),
    "no HTTP": (closing(b"SSH-2.0-OpenSSH_9.9\r\n"), "the answer is not HTTP"),
    "a status line of junk": (closing(b"HTTP/1.1 abc\r\n\r\n"), "the answer is not HTTP"),
    "thousands of headers": (
        closing(http(body(), "200 OK", *(f"X-{n}: y" for n in range(5000)))),
        "the answer has over 100 header lines",
    ),
    "a header of 100,000 bytes": (
        closing(http(body(), "200 OK", "X: " + "y" * 100_000)),
        "a header line of over 64 KiB",
    ),
    "204": (closing(http(b"", "204 No Content")), "HTTP 204"),
    "202 with a good body": (closing(http(body(status="completed"), "202 Accepted")), "HTTP 202"),
}


@pytest.mark.parametrize("row", BROKEN)
def test_an_answer_that_does_not_arrive_whole_is_trouble_that_may_pass(row: str) -> None:
    handler, reason = BROKEN[row]
    with Server(answering(handler)) as server:
        refused = refusal(server)

    assert type(refused) is TransientError
    assert reason in refused.reason


@pytest.mark.parametrize(
    "handler",
    [
        BROKEN["a gzip bomb"][0],
        BROKEN["a body without end"][0],
        endless(http(b"", "503 Service Unavailable", length=1 << 40), b" " * 65536),
        endless(http(b"", "302 Found", "Location: /x", length=1 << 40), b" " * 65536),
    ],
    ids=["bomb", "endless", "endless error", "endless redirect"],
)
def test_memory_stays_bounded_whatever_is_sent(handler: Handler) -> None:
    with Server(answering(handler)) as server:
        fetch = fetcher(server.url).fetch

        def refused() -> None:
            with pytest.raises(FetchError):
                fetch(STATUS)

        tracemalloc.start()
        thread = threading.Thread(target=refused, daemon=True)
        thread.start()
        thread.join(10)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert not thread.is_alive()
        assert most < 80 * MIB


GOOD: Mapping[str, bytes] = {
    "as documented": good("completed"),
    "with a BOM": http(b"\xef\xbb\xbf" + body(status="completed")),
    "with blanks around": http(b"\r\n" + body(status="completed") + b"\n"),
    "chunked": http(
        chunked(body(status="completed")[:9], body(status="completed")[9:]),
        "200 OK",
        "Transfer-Encoding: chunked",
    ),
    "gzip": http(gzip.compress(body(status="completed")), "200 OK", "Content-Encoding: gzip"),
    "as text/html": http(body(status="completed"), "200 OK", "Content-Type: text/html"),
    "a Content-Type of junk": http(body(status="completed"), "200 OK", "Content-Type: ;;%%=;"),
    "charset twice": http(
        body(status="completed"),
        "200 OK",
        "Content-Type: application/json; charset=utf-8; charset=utf-8",
    ),
    "sid in small letters": http(body(status="completed", sid=BUILD.lower())),
    "sid in capitals": http(body(status="completed", sid=BUILD.upper())),
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
    answer = asked(answering(GOOD[row]))

    assert isinstance(answer, BuildStatus)
    assert answer.status is Status.COMPLETED


def test_the_five_fields_are_given_as_sent_and_null_where_they_are_no_texts() -> None:
    sent = {**status_body(status="failed"), "account_sid": 7, "url": None, "service_sid": "\x1bZS"}

    answer = asked(answering(http(json.dumps(sent).encode())))

    assert answer == BuildStatus(Status.FAILED, BUILD, None, "\x1bZS", None)


def test_a_request_says_who_asks_what_and_that_no_cache_may_answer(twilio: Twilio) -> None:
    twilio.says("building")

    fetcher(twilio.url).fetch(STATUS)

    (request,) = twilio.requests
    pair = b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert request.method == "GET"
    assert request.headers["Authorization"] == f"Basic {pair}"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Cache-Control"] == "no-cache"
    assert request.headers["User-Agent"].startswith(f"twbuild/{__version__} ")


def test_the_newest_builds_are_asked_for_twenty_at_a_time(twilio: Twilio) -> None:
    twilio.lists(page())

    fetcher(twilio.url).fetch(PAGE)

    assert twilio.requests[0].query_string == b"PageSize=20"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529, 599, 999])
def test_these_http_statuses_are_trouble_that_may_pass(twilio: Twilio, status: int) -> None:
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
    with pytest.raises(PermanentError, match=f"HTTP {status}"):
        fetcher(twilio.url).fetch(STATUS)


@pytest.mark.parametrize("question", [STATUS, DETAILS, PAGE], ids=["status", "build", "page"])
def test_404_is_said_to_be_none_of_the_other_troubles(twilio: Twilio, question: Request) -> None:
    for script in (twilio.says, twilio.describes, twilio.lists):
        script(404)
    with pytest.raises(
        NotFoundError, match=r"Twilio found no (build ZB|service ZS).*HTTP 404"
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


def test_a_redirect_to_itself_is_no_loop() -> None:
    with Server(answering(http(b"", "307 Temporary Redirect", "Location: "))) as server:
        assert type(refusal(server)) is PermanentError
        assert len(server.requests) == 1


@pytest.mark.parametrize(("question", "mib"), [(DETAILS, 2), (PAGE, 8)], ids=["build", "page"])
def test_a_build_may_be_2_mib_a_page_8_and_no_larger(question: Request, mib: int) -> None:
    whole: dict[str, object] = {**build_body(), **page()}

    def sized(size: int) -> bytes:
        return http(json.dumps({**whole, "x": "x" * size}).encode())

    with Server(answering(sized(mib * MIB - 9000), sized(mib * MIB))) as server:
        assert fetcher(server.url).fetch(question)
        assert "larger than any" in refusal(server, question).reason


@pytest.mark.parametrize("unit", [b"{},", b"[],", b"[{}],", b'{"":0},', b"[0,0,0,0,0],"])
def test_memory_stays_bounded_whatever_a_list_is_made_of(unit: bytes) -> None:
    content = b'{"builds": [' + unit * ((8 * MIB - 100) // len(unit)) + b'{}], "meta": {}}'
    with Server(answering(http(content))) as server:
        tracemalloc.start()
        try:
            assert "too many values" in refusal(server, PAGE).reason
            assert tracemalloc.get_traced_memory()[1] < 48 * MIB
        finally:
            tracemalloc.stop()


def test_the_largest_page_that_twilio_can_give_is_read() -> None:
    version = {
        **dict.fromkeys(("sid", "account_sid", "service_sid", "function_sid"), BUILD),
        "path": "/path",
        "visibility": "protected",
        "date_created": "2026-11-24T14:02:11Z",
    }
    build = {
        **build_body(),
        "function_versions": [version] * 50,
        "asset_versions": [version] * 1000,
    }
    content = json.dumps(page(*[build] * 20)).encode()
    assert len(content) > 5 * MIB
    with Server(answering(http(content))) as server:
        found = fetcher(server.url).fetch(PAGE)

    assert isinstance(found, BuildPage)
    assert [build.assets for build in found.builds] == [1000] * 20


BUILDS: Mapping[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "as documented": ({}, {"runtime": "node18", "functions": 12, "assets": 4}),
    "a runtime nobody knew": ({"runtime": "node24"}, {"runtime": "node24"}),
    "no lists": (
        {"function_versions": None, "asset_versions": 7, "dependencies": None},
        {"functions": None, "assets": None, "dependencies": ()},
    ),
    "no dates": (
        {"date_created": None, "date_updated": "soon"},
        {"created": None, "updated": None},
    ),
    "odd dates": (
        {"date_created": "0001-01-01T00:00:00+14:00", "date_updated": "99999-01-01T00:00:00Z"},
        {"created": None, "updated": None},
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
        {"builds": {}},
        {"builds": [None]},
        {"builds": [{"sid": 7, "status": "building"}]},
        {"builds": [{"sid": BUILD}]},
        {"meta": None},
        {"meta": {"next_page_url": 7}},
    ],
    ids=str,
)
def test_a_list_that_makes_no_sense_is_trouble_that_may_pass(
    twilio: Twilio, sent: Mapping[str, object]
) -> None:
    twilio.lists(sent)
    with pytest.raises(TransientError, match="the answer"):
        fetcher(twilio.url).fetch(PAGE)


QUERIES = ["Page=1&PageToken=PAx", "a b", "%zz", "\ud800", "é\r\nX: y", "?#[", "@evil.example/"]


@pytest.mark.parametrize("query", QUERIES, ids=ascii)
def test_the_next_page_is_asked_for_at_the_same_url_whatever_its_query(query: str) -> None:
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


def test_one_connection_serves_many_questions() -> None:
    with Server(answering(good())) as server:
        client = fetcher(server.url)
        for _ in range(20):
            client.fetch(STATUS)

        assert (server.accepted, len(server.requests)) == (1, 20)


@pytest.mark.parametrize(
    "first", [good(), http(b"", "503 Service Unavailable")], ids=["200", "503"]
)
@pytest.mark.parametrize("ends", ["closed", "reset"])
def test_a_kept_connection_that_was_ended_in_between_is_opened_again_without_a_word(
    first: bytes, ends: str
) -> None:
    def handle(connection: sockets.Connection) -> None:
        connection.request()
        connection.send(first if connection.number == 1 else good("completed"))
        if ends == "reset":
            connection.request()  # so that the client cannot see it coming
            connection.reset()

    with Server(handle) as server:
        client = fetcher(server.url)
        with suppress(TransientError):  # of the 503
            client.fetch(STATUS)
        answer = client.fetch(STATUS)

        assert isinstance(answer, BuildStatus)
        assert answer.status is Status.COMPLETED
        assert server.accepted == 2


def test_a_connection_that_breaks_at_its_first_question_is_told() -> None:
    with Server(answering(resetting())) as server:
        refusal(server)

        assert server.accepted == 1


def test_twilios_habits_of_closing_and_of_saying_things_twice_are_no_trouble() -> None:
    habits = (
        "Connection: close",
        "Content-Type: application/json; charset=utf-8; charset=utf-8",
        "Twilio-Request-Id: RQ1",
        "Twilio-Request-Id: RQ1",
    )
    with Server(answering(good("building", *habits), close=True)) as server:
        client = fetcher(server.url)
        answers = [client.fetch(STATUS) for _ in range(5)]

        assert {answer.request_id for answer in answers} == {"RQ1"}
        assert (server.accepted, len(server.requests)) == (5, 5)


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
INTERIM: Mapping[str, bytes] = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103": EARLY,
    "103 that closes": b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n",
    "103 with a length": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n",
    "199": b"HTTP/1.1 199 Whatever\r\n\r\n",
    "several": EARLY * 150,
}


@pytest.mark.parametrize("row", INTERIM)
@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_interim_answers_are_passed_over_and_the_final_one_counts(row: str, seconds: float) -> None:
    def answer(connection: sockets.Connection) -> None:
        connection.send(INTERIM[row])
        connection.pause(seconds)
        connection.send(good("completed"))

    with Server(answering(answer)) as server:
        client = fetcher(server.url)
        found = [client.fetch(STATUS) for _ in range(3)]

        assert [answer.status for answer in found if isinstance(answer, BuildStatus)] == [
            Status.COMPLETED
        ] * 3
        assert server.accepted == 1


def anonymous(status: str, **fields: object) -> bytes:
    """An answer that names no build."""
    return http(json.dumps({"sid": None, "url": None, "status": status, **fields}).encode())


# Sent in one piece with an answer: what else would be taken for the answer to a later request.
LEFTOVERS: Mapping[str, bytes] = {
    "a second answer": anonymous("completed"),
    "half of one": anonymous("completed")[:60],
    "a blank line": b"\r\n",
    "an interim answer": EARLY,
}


@pytest.mark.parametrize("row", LEFTOVERS)
@pytest.mark.parametrize("late", [False, True], ids=["at once", "later"])
def test_a_connection_with_anything_behind_an_answer_is_not_used_again(
    row: str, late: bool
) -> None:
    def handle(connection: sockets.Connection) -> None:
        connection.request()
        if connection.number > 1:
            connection.send(anonymous("building"))
        elif late:
            connection.send(anonymous("building"))
            connection.pause(0.1)
            connection.send(LEFTOVERS[row])
        else:
            connection.send(anonymous("building") + LEFTOVERS[row])
        connection.request()

    with Server(handle) as server:
        client = fetcher(server.url)
        found = [client.fetch(STATUS)]
        time.sleep(0.3)
        found.append(client.fetch(STATUS))

        assert [a.status for a in found if isinstance(a, BuildStatus)] == [Status.BUILDING] * 2
        assert server.accepted == len(server.requests) == 2


# Answers after which it is in doubt where the next one begins.
UNFRAMED: Mapping[str, bytes] = {
    "two lengths": good("building", f"Content-Length: {len(body())}"),
    "a length with a sign": good().replace(b"Content-Length: ", b"Content-Length: +"),
    "length and chunks": http(
        chunked(body()), "200 OK", "Content-Length: 9", "Transfer-Encoding: chunked"
    ),
    "closing said second": good("building", "Connection: keep-alive", "Connection: close"),
    "closing among others": good("building", "Connection: x, Close"),
    "HTTP/1.0": good().replace(b"HTTP/1.1", b"HTTP/1.0"),
}


@pytest.mark.parametrize("row", UNFRAMED)
def test_a_connection_is_not_used_again_where_the_end_of_an_answer_is_in_doubt(row: str) -> None:
    with Server(answering(UNFRAMED[row])) as server:
        client = fetcher(server.url)
        for _ in range(2):
            with suppress(TransientError):
                client.fetch(STATUS)

        assert (server.accepted, len(server.requests)) == (2, 2)


@pytest.mark.parametrize("size", [b"-1", b"+5", b"0x5", b"5_0", b"", b"g", b"f" * 400])
def test_a_chunk_size_that_is_none_is_refused_and_nothing_is_read_on(size: bytes) -> None:
    head = http(b"", "200 OK", "Transfer-Encoding: chunked") + size + b"\r\n"
    tracemalloc.start()
    try:
        with Server(endless(head, b" " * (1 << 16))) as server:
            assert type(refusal(server)) is TransientError
        assert tracemalloc.get_traced_memory()[1] < 10 * MIB
    finally:
        tracemalloc.stop()


OF_ANOTHER_BUILD: Mapping[str, Mapping[str, object]] = {
    "its url": {
        "sid": None,
        "url": f"https://serverless.twilio.com/v1/Services/x/Builds/{OTHER_BUILD}/Status",
    },
    "both in the url": {"sid": None, "url": f"/Builds/{OTHER_BUILD}/Status?of={BUILD}"},
    "a sid in other letters": {"sid": BUILD.replace("ZB", "ＺＢ")},
    "an object": {"sid": {"sid": BUILD}},
    "false": {"sid": False},
}


@pytest.mark.parametrize("row", OF_ANOTHER_BUILD)
@pytest.mark.parametrize("question", [STATUS, DETAILS], ids=["status", "build"])
def test_an_answer_that_names_another_build_is_not_this_ones(row: str, question: Request) -> None:
    sent = {**build_body(), "status": "completed", **OF_ANOTHER_BUILD[row]}
    with Server(answering(http(json.dumps(sent).encode()))) as server:
        refused = refusal(server, question)

    assert type(refused) is TransientError
    assert "the answer is about" in refused.reason


def test_a_sid_that_only_unicode_takes_for_the_one_asked_is_another_builds() -> None:
    asked, folded = "ZB" + "ff" * 16, "ZB" + "\ufb00" + "ff" * 15
    assert asked.upper() == folded.upper()
    assert asked.casefold() == folded.casefold()
    sent = json.dumps({"sid": folded, "status": "completed"}).encode()

    with Server(answering(http(sent))) as server:
        refused = refusal(server, Request(Resource.STATUS, asked))

    assert type(refused) is TransientError
    assert "the answer is about" in refused.reason


@pytest.mark.parametrize(
    "fields",
    [{"sid": None}, {"sid": None, "url": None}, {"sid": BUILD.lower()}, {"sid": None, "url": 7}],
    ids=str,
)
def test_an_answer_without_a_sid_or_in_other_case_is_this_builds(
    fields: Mapping[str, object],
) -> None:
    found = asked(answering(http(body(status="completed", **fields))))

    assert isinstance(found, BuildStatus)
    assert found.status is Status.COMPLETED


OTHER = Request(Resource.STATUS, OTHER_BUILD)


@pytest.mark.parametrize(
    "late", [anonymous("completed"), http(b'{"code": 20404, "message": "x"}', "404 Not Found")]
)
def test_a_late_answer_to_one_build_is_never_taken_for_anothers(late: bytes) -> None:
    """The second answer comes once the next request is there, so that nothing tells it apart."""

    def handle(connection: sockets.Connection) -> None:
        head = connection.request()
        if OTHER_BUILD.encode() in head:
            connection.send(http(body(sid=OTHER_BUILD)))
            connection.request()
            connection.send(late)
        else:
            connection.send(anonymous("building"))
        connection.request()

    with Server(handle) as server:
        client = fetcher(server.url)
        client.fetch(OTHER)
        found = client.fetch(STATUS)

        assert isinstance(found, BuildStatus)
        assert found.status is Status.BUILDING
        assert server.accepted == 2


def test_on_a_new_connection_an_answer_that_names_no_build_counts_at_once() -> None:
    nameless = b'{"sid": null, "url": null, "status": "building"}'
    with Server(answering(http(nameless, "200 OK", "Connection: close"))) as server:
        client = fetcher(server.url)
        for sid in (BUILD, OTHER_BUILD):
            client.fetch(Request(Resource.STATUS, sid))

        assert len(server.requests) == 2


def test_no_cookie_is_kept() -> None:
    setting = [f"Set-Cookie: c{n}={'x' * 400}; Path=/" for n in range(50)]
    with Server(answering(good("building", *setting))) as server:
        client = fetcher(server.url)
        for _ in range(5):
            client.fetch(STATUS)

        assert not any(b"cookie" in head.lower() for head in server.requests)


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda content: zlib.compress(content)[2:-4]),
        ("identity", bytes),
    ],
)
def test_plain_gzip_and_deflate_are_read_though_nobody_asked_for_them(
    encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    content = http(compress(body()), "200 OK", f"Content-Encoding: {encoding}")
    with Server(answering(content)) as server:
        assert fetcher(server.url).fetch(STATUS)
        assert b"\r\nAccept-Encoding: identity\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("br", body()),
        ("zstd", body()),
        ("gzip, gzip", gzip.compress(gzip.compress(body()))),
        ("gzip", gzip.compress(body()) * 2),
        ("gzip", body()),
        ("gzip", b""),
        ("deflate", b""),
        ("nonsense", body()),
    ],
)
def test_any_other_encoding_is_nonsense(encoding: str, content: bytes) -> None:
    with Server(answering(http(content, "200 OK", f"Content-Encoding: {encoding}"))) as server:
        assert type(refusal(server)) is TransientError


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
def test_a_secret_that_a_server_repeats_is_in_nothing_that_is_given_on(
    secret: str, answer: Callable[[str], bytes]
) -> None:
    with Server(answering(answer(secret))) as server:
        try:
            given = repr(fetcher(server.url).fetch(STATUS))
        except FetchError as error:
            given = repr(vars(error))

    assert secret[:20] not in given


@pytest.mark.parametrize("secret", REPEATED)
def test_a_secret_in_a_build_or_a_list_is_in_nothing_that_is_given_on(secret: str) -> None:
    fields = {"runtime": secret, "dependencies": [{"name": secret, "version": secret}]}
    listed = page({**build_body(), "status": secret}, next_page_url=f"/x?PageToken={secret}")
    answers = [http(json.dumps({**build_body(), **fields}).encode())]
    with Server(answering(*answers, http(json.dumps(listed).encode()))) as server:
        client = fetcher(server.url)
        build, listing = client.fetch(DETAILS), client.fetch(PAGE)
        assert isinstance(listing, BuildPage)
        url = client.url(Request(Resource.PAGE, query=listing.next_query or ""))

    assert secret not in repr((build, listing.builds, url))


def test_a_secret_that_is_a_word_of_the_api_changes_no_verdict() -> None:
    with Server(answering(good("completed"))) as server:
        found = fetcher(server.url, {"TWILIO_AUTH_TOKEN": "completed"}).fetch(STATUS)

    assert isinstance(found, BuildStatus)
    assert found.status is Status.COMPLETED
    assert found.sid == BUILD
