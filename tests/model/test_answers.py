"""An answer belongs to the request that it was sent for, whatever the server's habits.

That holds for statuses, and for errors that end the watch of a build. Random requests about several
builds go over kept connections to a server that says 1xx at any moment, answers late, frames and
closes in every way, names no build, and sends answers to no request. Each answer is
unique, and the server notes which build it was given for, and which ones were for no request.
"""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.command import SIDS
from tests.support.fasttime import close_fetchers, fetcher
from tests.support.sockets import Connection, Server, chunked, http
from twbuild.api.models import BuildStatus, Request, Resource
from twbuild.errors import FetchError, TransientError

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

CONNECTION = ["keep-alive", "close", "Keep-Alive, Close", "x", "keep-alive\r\nConnection: close"]
BEHIND = ["at once", "half at once", "soon", "with the next", "before the next"]


# How the server answers one request; `extra` is when it sends an answer to none.
USUAL = SimpleNamespace(interim=0, pause=0.0, framing="", header=None, named="sid", extra="")
USUAL.status, USUAL.extra_named = 200, "sid"
HABITS = st.builds(
    SimpleNamespace,
    interim=st.integers(0, 3),
    pause=st.sampled_from([0.0, 0.0, 0.004]),
    framing=st.sampled_from(["", "", "chunked", "end of connection"]),
    header=st.sampled_from([None, None, *CONNECTION]),
    named=st.sampled_from(["sid", "url", "escaped", "nothing", "nothing"]),
    extra=st.sampled_from([*[""] * 3, *BEHIND, "in the next one's place"]),
    extra_named=st.sampled_from(["sid", "nothing"]),
    status=st.sampled_from([200, 200, 200, 200, 400, 401, 404, 503]),
)


class Awkward(Server):
    """Answers one request with `habit`, and others without any.

    `given` says for which build each answer was; `nameless` are those for no request that do not
    say what they answer.
    """

    def __init__(self) -> None:
        self.habit = USUAL
        self.nameless: set[str] = set()
        self.given: dict[str, str] = {}
        super().__init__(self._follow)

    def _follow(self, connection: Connection) -> None:
        late = b""
        while True:
            sid = connection.request().split(b"/Builds/")[1].split(b"/")[0].decode()
            habit, self.habit = self.habit, USUAL
            answer = self._answered(sid, habit, habit.named, habit.status)
            extra = self._extra(sid, habit)
            size = {"at once": len(extra), "half at once": 25}.get(habit.extra, 0)
            connection.play([late, INTERIM * habit.interim, habit.pause, answer + extra[:size]])
            late = extra[size:] if habit.extra in ("half at once", "before the next") else b""
            if habit.extra == "soon":
                connection.play([0.002, extra])
            if habit.framing == "end of connection":
                return
            if habit.extra in ("with the next", "in the next one's place"):
                connection.request()
                connection.send(extra)

    def _extra(self, sid: str, habit: SimpleNamespace) -> bytes:
        """An answer to no request."""
        if habit.extra_named == "nothing" or habit.status != 200:
            self.nameless.add(f"AC{len(self.given):032x}")
        return self._answered(sid, habit, habit.extra_named, min(habit.status, 404))

    def _answered(self, sid: str, habit: SimpleNamespace, naming: str, status: int) -> bytes:
        """One of a kind, which its account tells."""
        account = f"AC{len(self.given):032x}"
        self.given[account] = sid
        named = {"url": sid.lower(), "escaped": f"%5a%42{sid[2:]}"}.get(naming)
        found: dict[str, object] = {
            "status": "completed",
            "account_sid": account,
            "code": 20000,
            "message": account,
        }
        found["sid"] = sid if naming == "sid" else None
        found["url"] = f"https://x/v1/Services/y/Builds/{named}/Status" if named else None
        body = json.dumps(found).encode()
        headers = [f"Connection: {habit.header}"] if habit.header else []
        if habit.framing == "chunked":
            return http(
                chunked(body[:9], body[9:]),
                f"{status} Whatever",
                "Transfer-Encoding: chunked",
                *headers,
            )
        whole = http(body, f"{status} Whatever", *headers)
        length = f"Content-Length: {len(body)}\r\n".encode()
        return whole.replace(length, b"") if habit.framing == "end of connection" else whole


@settings(
    max_examples=int(os.environ.get("TWBUILD_HISTORIES", "600")) // 10,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.reuse, Phase.generate),  # what is over sockets shrinks for minutes
)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from(SIDS[:3]), HABITS), min_size=10, max_size=20
    )
)
def test_an_answer_belongs_to_its_request(requests: list[tuple[int, str, SimpleNamespace]]) -> None:
    """Over two connections, in any order."""
    with Awkward() as server:
        fetchers = [fetcher(server.url) for _ in range(2)]
        for number, build, server.habit in requests:
            try:
                answer = fetchers[number].fetch(Request(Resource.STATUS, build))
            except TransientError:
                continue  # nothing was learned: not worth another connection where all of them fail
            except FetchError as error:
                reported = error.message
            else:
                assert isinstance(answer, BuildStatus)
                reported = str(answer.account_sid)
            assert not [account for account in server.nameless if account in reported]
            assert {server.given[a] for a in list(server.given) if a in reported} <= {build}
        close_fetchers()
