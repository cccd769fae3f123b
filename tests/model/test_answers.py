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

CONNECTION = ["keep-alive", "close", "Keep-Alive, Close", "x", "keep-alive\r\nConnection: close"]
BEHIND = ["at once", "half at once", "soon", "with the next", "before the next"]


class Habit(NamedTuple):
    """How the server answers one request; `extra` is when it sends an answer to none."""

    interim: int = 0
    pause: float = 0.0
    framing: str = "length"
    header: str | None = None
    named: str = "sid"
    extra: str = "none"
    status: int = 200


HABITS = st.builds(
    Habit,
    interim=st.integers(0, 3),
    pause=st.sampled_from([0.0, 0.0, 0.004]),
    framing=st.sampled_from(["length", "length", "chunked", "end of connection"]),
    header=st.sampled_from([None, None, *CONNECTION]),
    named=st.sampled_from(["sid", "url", "escaped", "nothing", "nothing"]),
    extra=st.sampled_from([*["none"] * 3, *BEHIND, "in the next one's place"]),
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

    def handle(self, connection: Connection) -> None:
        late, in_place = b"", b""
        while True:
            sid = connection.request().split(b"/Builds/")[1].split(b"/")[0].decode()
            if in_place:
                connection.send(in_place)
                in_place = b""
                continue
            habit = self.habits.popleft() if self.habits else Habit()
            answer, extra = self._answer(sid, habit), self._extra(sid, habit)
            connection.send(late + INTERIM * habit.interim)
            connection.pause(habit.pause)
            size = {"at once": len(extra), "half at once": 25}.get(habit.extra, 0)
            connection.send(answer + extra[:size])
            is_late = habit.extra in ("half at once", "before the next")
            late = extra[size:] if is_late else b""
            in_place = extra if "place" in habit.extra else b""
            if habit.extra == "soon":
                connection.pause(0.002)
                connection.send(extra)
            if habit.framing == "end of connection":
                raise Gone
            if habit.extra == "with the next":
                connection.request()
                connection.send(extra)

    def _extra(self, sid: str, habit: Habit) -> bytes:
        """An answer to no request."""
        before = set(self.given)
        answer = self._answer(sid, habit._replace(status=min(habit.status, 404)))
        if habit.named == "nothing" or habit.status != 200:
            self.nameless |= set(self.given) - before
        return answer

    def _answer(self, sid: str, habit: Habit) -> bytes:
        """One of a kind, which its account tells."""
        account = f"AC{next(self._numbers):032x}"
        self.given[account] = sid
        named = {"url": sid.lower(), "escaped": f"%5a%42{sid[2:]}"}.get(habit.named)
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
        whole = http(body, status, *headers)
        length = f"Content-Length: {len(body)}\r\n".encode()
        return whole.replace(length, b"") if habit.framing == "end of connection" else whole


class Requests(RuleBasedStateMachine):
    """Two connections' worth of requests, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.awkward = Awkward()
        self.server = Server(self.awkward.handle)
        self.fetchers = [fetcher(self.server.url) for _ in range(2)]

    def teardown(self) -> None:
        for each in self.fetchers:
            each._session.drop()
        self.server.ending.set()

    @rule(number=st.integers(0, 1), build=st.sampled_from(BUILDS), habit=HABITS)
    def ask(self, number: int, build: str, habit: Habit) -> None:
        self.awkward.habits = deque([habit])
        try:
            answer = self.fetchers[number].fetch(Request(Resource.STATUS, build))
        except TransientError:
            return  # nothing was learned: not worth another connection where all of them fail
        except FetchError as error:
            reported = error.message
        else:
            assert isinstance(answer, BuildStatus)
            reported = str(answer.account_sid)
        assert not [account for account in self.awkward.nameless if account in reported]
        given = {sid for account, sid in list(self.awkward.given.items()) if account in reported}
        assert given <= {build}


TestAnAnswerBelongsToTheRequestThatItWasAskedFor = Requests.TestCase
TestAnAnswerBelongsToTheRequestThatItWasAskedFor.settings = settings(
    max_examples=int(os.environ.get("TWBUILD_HISTORIES", "600")) // 10,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
