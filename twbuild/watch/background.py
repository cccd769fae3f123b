"""What a run asks for beside its polls: details of failed builds, and the service's earlier builds.

Best effort: each request is sent once, changes no outcome, and is given up after some seconds,
or where a poll needs its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from twbuild.api.models import Answer, Build, BuildPage, Request, Resource
from twbuild.outcome import Outcome
from twbuild.watch import earlier
from twbuild.watch.events import BuildEvent, Building, Details, Finished, Selected, Usual

BACKGROUND_SECONDS = 5.0  # for one request, also while it waits for polls

PAGE = Request(Resource.PAGE)


class BackgroundRequest(NamedTuple):
    """Send this request where polls do not need its place, and give it up at `until`."""

    request: Request
    until: float


class Background:
    """Decides which requests a run sends beside its polls, and what their answers tell.

    `details`: what failed builds were made of; `earlier`: the first page of the service's Builds,
    at most once. `waiting` are the requests to send; times are in the watches' seconds.
    """

    def __init__(self, *, details: bool, earlier: bool, deadline: float) -> None:
        self.waiting: list[BackgroundRequest] = []
        self._wants_details = details
        self._wants_earlier = earlier
        self._deadline = deadline
        self._earlier: Collection[Build] = ()
        self._pending: set[Request] = set()
        self._described: list[tuple[str, Build | None]] = []  # failed builds that wait for the page

    @property
    def holds_end(self) -> bool:
        """Whether details of a failed build are still to come."""
        return bool(self._described) or any(r.resource is Resource.BUILD for r in self._pending)

    def on(self, event: BuildEvent, now: float) -> Iterator[BuildEvent]:
        """What an event of a watch calls for."""
        if isinstance(event, Selected) and self._wants_earlier:
            self._wants_earlier = False
            yield from self._take_builds(event.builds)
        elif isinstance(event, Building):
            self._request_page(now)
        elif isinstance(event, Finished) and self._wants_details_of(event):
            self._request(Request(Resource.BUILD, event.sid or ""), now)
            self._request_page(now)

    def take(self, request: Request, answer: Answer | None) -> Iterator[BuildEvent]:
        """What the answer to `request` tells; None where none came."""
        self._pending.remove(request)
        if isinstance(answer, BuildPage):
            yield from self._take_builds(answer.builds)
        if request.resource is Resource.BUILD:
            build = answer if isinstance(answer, Build) else None
            self._described.append((request.sid, build))
        if PAGE not in self._pending:
            for sid, build in self._described:
                yield self._details(sid, build)
            self._described.clear()

    def _wants_details_of(self, finished: Finished) -> bool:
        return self._wants_details and finished.outcome is Outcome.FAILED

    def _request_page(self, now: float) -> None:
        if self._wants_earlier:
            self._wants_earlier = False
            self._request(PAGE, now)

    def _request(self, request: Request, now: float) -> None:
        self._pending.add(request)
        until = min(now + BACKGROUND_SECONDS, self._deadline)
        self.waiting.append(BackgroundRequest(request, until))

    def _take_builds(self, builds: Collection[Build]) -> Iterator[Usual]:
        self._earlier = builds
        seconds = earlier.usual_seconds(builds)
        if seconds is not None:
            yield Usual(seconds)

    def _details(self, sid: str, build: Build | None) -> Details:
        last = earlier.last_completed(sid, self._earlier)
        return Details(sid, build, earlier.changes(build, last) if build and last else None)
