"""The newest build of a service, chosen from all pages of its Builds list."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from twbuild.api.models import Build, Page, Status
from twbuild.errors import FatalError, NotFoundError
from twbuild.text import age, printable
from twbuild.watch.events import Picked

MOST_PAGES = 50


class Listing:
    """Gathers pages, in whatever order the API lists them, until the last one is there."""

    def __init__(self) -> None:
        self._builds: dict[str, Build] = {}
        self._pages = 0

    def add(self, page: Page) -> None:
        """Take one page. Raises FatalError after too many: a part never yields a newest build."""
        self._pages += 1
        self._builds.update((build.sid.lower(), build) for build in page.builds)
        if page.next_query is not None and self._pages >= MOST_PAGES:
            raise _incomplete(f"the list of builds goes on after {MOST_PAGES} pages")

    def pick(self, asked: datetime, *, in_progress: bool) -> Picked:
        """The newest build, or the newest still building; its age as of `asked`.

        Raises NotFoundError where there is none, FatalError where the list does not tell.
        """
        if not self._builds:
            raise NotFoundError("no builds", "the service has no builds")
        building = [b for b in self._builds.values() if b.status == Status.BUILDING]
        newest, created = _newest(self._builds.values())
        if in_progress and not building:
            when = age((asked - created).total_seconds())
            told = f"{printable(newest.sid)}, is {printable(newest.status)}, created {when}"
            raise NotFoundError(
                "none in progress",
                f"no build in progress: the newest, {told}",
                "a build just created may not be listed yet: name it to wait for it",
            )
        picked, created = _newest(building) if in_progress else (newest, created)
        others = sum(build is not picked for build in building)
        seconds = (asked - created).total_seconds()
        return Picked(picked.sid, picked.status, created, seconds, others)


def _newest(builds: Collection[Build]) -> tuple[Build, datetime]:
    """The newest of these, and its time."""
    dated = [(build, build.created) for build in builds if build.created is not None]
    if len(dated) < len(builds):
        raise _incomplete("the list has a build without its time")
    return max(dated, key=lambda pair: pair[1])


def _incomplete(why: str) -> FatalError:
    return FatalError(why, f"which build is the newest cannot be told: {why}", "name one")
