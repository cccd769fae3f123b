"""The newest build of a service, selected from all pages of its Builds list."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timezone

from twbuild.api.models import Build, BuildPage, Status
from twbuild.durations import age
from twbuild.errors import NotFoundError, PermanentError
from twbuild.text import printable
from twbuild.watch.events import Selected

MAX_PAGES = 50
KEPT = 20  # builds of which all is kept: as many as a page has, so that memory has a limit


class BuildList:
    """Collects pages, in whatever order the API sends them, until the last one is there."""

    def __init__(self) -> None:
        self._builds: dict[str, Build] = {}
        self._pages = 0
        self._service = self._identity = ""

    def add(self, page: BuildPage) -> None:
        """Add one page. Raises PermanentError where the list cannot be relied on.

        That is after too many pages, as a part has no newest build, and where a build has two
        dates.
        """
        self._pages += 1
        self._service, self._identity = page.service, page.identity
        for build in page.builds:
            known = self._builds.setdefault(build.sid.lower(), build)
            if known.created != build.created:
                raise _undecided(f"{printable(build.sid)} is listed with two dates")
            self._builds[build.sid.lower()] = build
        for build in self._newest_first()[KEPT:]:
            self._builds[build.sid.lower()] = build._replace(
                functions=None, assets=None, dependencies=None
            )
        if page.next_query is not None and self._pages >= MAX_PAGES:
            raise _undecided(f"the list of builds has more than {MAX_PAGES} pages")

    def newest(self, now: datetime, *, in_progress: bool) -> Selected:
        """The newest build, or the newest still building; `now` is the server's time.

        Raises NotFoundError where there is none, PermanentError where a date is missing or two
        builds were created at the newest moment.
        """
        if not self._builds:
            raise NotFoundError(
                "no builds",
                f"service {self._service} has no builds",
                "Create a build, or check that this is the service.",
                details=[self._identity],
            )
        if any(build.created is None for build in self._builds.values()):
            raise _undecided("a build in the list has no date")
        building = [b for b in self._builds.values() if b.status == Status.BUILDING]
        candidates = building if in_progress and building else self._builds.values()
        selected, created = _newest(candidates)
        if in_progress and not building:
            when = age((now - created).total_seconds())
            state = f"{printable(selected.status)}, created {when}"
            raise NotFoundError(
                "none in progress",
                f"no build in progress in service {self._service}:"
                f" the newest is {printable(selected.sid)} ({state})",
                "A build just created may not be listed yet. To wait for it, pass its Build SID.",
                details=[self._identity],
            )
        others = sum(build is not selected for build in building)
        seconds = (now - created).total_seconds()
        kept = tuple(self._newest_first()[:KEPT])
        return Selected(selected.sid, selected.status, created, seconds, others, kept)

    def _newest_first(self) -> list[Build]:
        dateless = datetime.min.replace(tzinfo=timezone.utc)
        return sorted(self._builds.values(), key=lambda b: b.created or dateless, reverse=True)


def _newest(builds: Collection[Build]) -> tuple[Build, datetime]:
    """The newest of these, and when it was created."""
    created = max(build.created for build in builds if build.created is not None)
    newest, *others = [build for build in builds if build.created == created]
    if others:
        raise _undecided(f"two builds were created at {created:%Y-%m-%d %H:%M:%S} UTC")
    return newest, created


def _undecided(why: str) -> PermanentError:
    return PermanentError(why, f"cannot tell which build is the newest: {why}", "Pass a Build SID.")
