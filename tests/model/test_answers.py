"""An answer belongs to the request that it was sent for, whatever the server's habits.

That holds for statuses, and for errors that end the watch of a build. Random requests about several
builds go over kept connections to a server that says 1xx at any moment, answers late, frames and
closes in every way, names no build, and sends answers to no request. Each answer is
unique, and the server notes which build it was given for, and which ones were for no request.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections import deque
from typing import NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.support.fasttime import fetcher
from tests.support.sockets import Connection, Gone, Server, chunked, http
from twbuild.api.models import BuildStatus, Request, Resource
from twbuild.errors import FetchError, TransientError

BUILDS = [f"ZB{number:032x}" for number in range(3)]
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


class Habit(NamedTuple):
    """How the server answers one request."""

    interim: int
    pause: float
    framing: str
    header: str | None
    named: str
    extra: str
    status: int


PLAIN = Habit(0, 0, "length", None, "nothing", "none", 200)
HABITS = st.builds(
    Habit,
    interim=st.integers(0, 3),
    pause=st.sampled_from([0.0, 0.0, 0.004]),
    framing=st.sampled_from(["length", "length", "chunked", "end of connection"]),
    header=st.sampled_from(
        [
            None,
            None,
            "keep-alive",
            "close",
            "Keep-Alive, Close",
            "x",
            "keep-alive\r\nConnection: close",
        ]
    ),
    named=st.sampled_from(["sid", "url", "escaped", "nothing", "nothing"]),
    extra=st.sampled_from(
        [
            "none",
            "none",
            "none",
            "at once",
            "half at once",
            "soon",
            "with the next",
            "before the next",
            "in the next one's place",
        ]
    ),
    status=st.sampled_from([200, 200, 200, 200, 404, 401, 503]),
)


class Awkward:
    """The server; `given` says for which build each answer was.

    `nameless` are those for no request that do not say what they answer.
    """

    def __init__(self) -> None:
        self.habits: deque[Habit] = deque()
        self.nameless: set[str] = set()
        self.given: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def handle(self, connection: Connection) -> None:
        late: list[bytes] = []
        in_place: list[bytes] = []
        while True:
            sid = connection.request().split(b"/Builds/")[1].split(b"/")[0].decode()
            if in_place:
                connection.send(in_place.pop())
                continue
            with self._lock:
                habit = (
                    self.habits.popleft()
                    if self.habits
                    else Habit(0, 0, "length", None, "sid", "none", 200)
                )
            answer = self.answer(sid, habit)
            extra = self.extra(sid, habit._replace(status=min(habit.status, 404)))
            for content in late:
                connection.send(content)
            late = []
            connection.send(INTERIM * habit.interim)
            connection.pause(habit.pause)
            if habit.extra == "at once":
                answer += extra
            elif habit.extra == "half at once":
                answer, late = answer + extra[:25], [extra[25:]]
            elif habit.extra == "before the next":
                late = [extra]
            elif habit.extra == "in the next one's place":
                in_place = [extra]
            connection.send(answer)
            self.go_on(connection, habit, extra)

    def go_on(self, connection: Connection, habit: Habit, extra: bytes) -> None:
        """What comes behind an answer."""
        if habit.extra == "soon":
            connection.pause(0.002)
            connection.send(extra)
        if habit.framing == "end of connection":
            raise Gone
        if habit.extra == "with the next":
            connection.request()
            connection.send(extra)

    def extra(self, sid: str, habit: Habit) -> bytes:
        """An answer to no request."""
        before = set(self.given)
        answer = self.answer(sid, habit)
        if habit.named == "nothing" or habit.status != 200:
            self.nameless |= set(self.given) - before
        return answer

    def answer(self, sid: str, habit: Habit) -> bytes:
        """One of a kind, which its account tells."""
        account = f"AC{next(self._numbers):032x}"
        self.given[account] = sid
        urls = {"url": sid.lower(), "escaped": f"%5a%42{sid[2:]}"}
        named = urls.get(habit.named)
        body = json.dumps(
            {
                "sid": sid if habit.named == "sid" else None,
                "account_sid": account,
                "url": f"https://x/v1/Services/y/Builds/{named}/Status" if named else None,
                "status": "completed",
                "code": 20000,
                "message": account,
            }
        ).encode()
        headers = [f"Connection: {habit.header}"] if habit.header else []
        status = f"{habit.status} Whatever"
        if habit.framing == "chunked":
            return http(chunked(body[:9], body[9:]), status, "Transfer-Encoding: chunked", *headers)
        if habit.framing == "end of connection":
            whole = http(body, status, *headers)
            return whole.replace(f"Content-Length: {len(body)}\r\n".encode(), b"")
        return http(body, status, *headers)


class Requests(RuleBasedStateMachine):
    """Two connections' worth of requests, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.awkward = Awkward()
        self.server = Server(self.awkward.handle)
        self.server.__enter__()
        self.fetchers = [fetcher(self.server.url) for _ in range(2)]

    def teardown(self) -> None:
        for each in self.fetchers:
            each._session.drop()
        self.server.__exit__(None, None, None)

    @rule(number=st.integers(0, 1), build=st.sampled_from(BUILDS), habit=HABITS)
    def ask(self, number: int, build: str, habit: Habit) -> None:
        self.awkward.habits = deque([habit])
        reported = None
        try:
            answer = self.fetchers[number].fetch(Request(Resource.STATUS, build))
        except TransientError:
            return  # nothing was learned: not worth another connection where all of them fail
        except FetchError as error:
            reported = error.message
        else:
            assert isinstance(answer, BuildStatus)
            reported = answer.account_sid
        assert not [account for account in self.awkward.nameless if account in str(reported)]
        given = [
            sid for account, sid in list(self.awkward.given.items()) if account in str(reported)
        ]
        assert set(given) <= {build}


TestAnAnswerBelongsToTheRequestThatItWasAskedFor = Requests.TestCase
TestAnAnswerBelongsToTheRequestThatItWasAskedFor.settings = settings(
    max_examples=int(os.environ.get("TWBUILD_HISTORIES", "600")) // 10,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
