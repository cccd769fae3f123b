"""The newest build of a service, selected from all pages of its Builds list."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from twbuild.api.models import Build, BuildPage, Status
from twbuild.errors import NotFoundError, PermanentError
from twbuild.text import age, printable
from twbuild.watch.events import Selected

MAX_PAGES = 50


class BuildList:
    """Collects pages, in whatever order the API sends them, until the last one is there."""

    def __init__(self) -> None:
        self._builds: dict[str, Build] = {}
        self._pages = 0

    def add(self, page: BuildPage) -> None:
        """Add one page. Raises PermanentError after too many: no newest build from a part."""
        self._pages += 1
        self._builds.update((build.sid.lower(), build) for build in page.builds)
        if page.next_query is not None and self._pages >= MAX_PAGES:
            raise _undecided(f"the list of builds has more than {MAX_PAGES} pages")

    def newest(self, now: datetime, *, in_progress: bool) -> Selected:
        """The newest build, or the newest still building; `now` is the server's time.

        Raises NotFoundError where there is none, PermanentError where a date is missing.
        """
        if not self._builds:
            raise NotFoundError("no builds", "the service has no builds")
        building = [b for b in self._builds.values() if b.status == Status.BUILDING]
        newest, created = _newest(self._builds.values())
        if in_progress and not building:
            when = age((now - created).total_seconds())
            state = f"{printable(newest.status)}, created {when}"
            raise NotFoundError(
                "none in progress",
                f"no build in progress: the newest is {printable(newest.sid)} ({state})",
                "A build just created may not be listed yet. To wait for it, pass its Build SID.",
            )
        selected, created = _newest(building) if in_progress else (newest, created)
        others = sum(build is not selected for build in building)
        seconds = (now - created).total_seconds()
        return Selected(selected.sid, selected.status, created, seconds, others)


def _newest(builds: Collection[Build]) -> tuple[Build, datetime]:
    """The newest of these, and when it was created."""
    dated = [(build, build.created) for build in builds if build.created is not None]
    if len(dated) < len(builds):
        raise _undecided("a build in the list has no date")
    return max(dated, key=lambda pair: pair[1])


def _undecided(why: str) -> PermanentError:
    return PermanentError(why, f"cannot tell which build is the newest: {why}", "Pass a Build SID.")
