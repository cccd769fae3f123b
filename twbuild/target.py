"""Which service and which builds are meant: arguments, $TWBUILD_SERVICE, .twiliodeployinfo."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from twbuild import jsonobject
from twbuild.errors import UsageError
from twbuild.settings import Settings
from twbuild.text import printable, quoted

PROJECT_FILE = ".twiliodeployinfo"

_HEX_DIGITS = 32
_UNIQUE_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}")
_OTHER_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_SMALL_SID = re.compile(r"[zZ][sSbB][0-9a-fA-F]{32}")


class Target(NamedTuple):
    """A service, by SID or unique name, and Build SIDs as typed; no builds: the newest one.

    `source` says where a service that was not an argument came from.
    """

    service: str
    builds: tuple[str, ...]
    source: str | None = None


class Arguments(NamedTuple):
    """The command's arguments, each well formed."""

    service: str | None
    builds: tuple[str, ...]


def parse(arguments: Sequence[str]) -> Arguments:
    """Tell the service from the builds; a build named twice counts once.

    Raises UsageError that names the mistake.
    """
    service: str | None = None
    builds: dict[str, str] = {}
    for position, argument in enumerate(arguments):
        if position == 0 and not argument.startswith("ZB"):
            service = _service(argument, "SERVICE")
        else:
            builds.setdefault(_build(argument).upper(), argument)
    return Arguments(service, tuple(builds.values()))


def locate(arguments: Arguments, environ: Mapping[str, str], settings: Settings) -> Target:
    """The target, its service from where it was named first.

    Raises UsageError where no service is named anywhere, or the project file is no help.
    """
    if arguments.service:
        return Target(arguments.service, arguments.builds)
    if value := environ.get("TWBUILD_SERVICE"):
        return Target(_service(value, "TWBUILD_SERVICE"), arguments.builds, "TWBUILD_SERVICE")
    for path in _project_files():
        try:
            entries = jsonobject.read(path)
        except jsonobject.NotAnObjectError as error:
            raise UsageError(f"{printable(path)} cannot be used: {error}") from None
        if entries is not None:
            service = _entry(path, entries, settings)
            return Target(service, arguments.builds, printable(path))
    raise UsageError(
        "no service named; one of these names it:",
        "the argument SERVICE: a Service SID (ZS...) or its unique name",
        "the environment variable TWBUILD_SERVICE",
        f"{PROJECT_FILE}, written by twilio serverless:deploy, in the project's folder",
    )


def _project_files() -> list[str]:
    """Where to look: here, and upwards as far as the nearest `.git`, a folder or a file.

    Without a `.git` above, only here: a file in a shared parent is somebody else's.
    """
    try:
        folder = here = os.getcwd()
    except OSError:
        return []
    paths = []
    while True:
        paths.append(os.path.join(folder, PROJECT_FILE))
        if os.path.lexists(os.path.join(folder, ".git")):
            return paths
        parent = os.path.dirname(folder)
        if parent == folder:
            return [os.path.join(here, PROJECT_FILE)]
        folder = parent


def _entry(path: str, entries: Mapping[str, object], settings: Settings) -> str:
    """The service of the account and region in force."""
    folded = {key.casefold(): entry for key, entry in entries.items()}
    account = settings.credentials.account
    owners = {account.casefold()} if account else {key.partition(":")[0] for key in folded}
    found = None
    if len(owners) == 1:
        owner = owners.pop()
        found = folded.get(f"{owner}:{settings.region}", folded.get(owner))
    if found is None:
        whose = f"of account {printable(account)}" if account else "that is surely yours"
        raise UsageError(
            f"{printable(path)} has no entry {whose} in region {settings.region}",
            "its entries: " + (", ".join(map(printable, entries)) or "none"),
            f"the credentials are from {settings.credentials.source}",
        )
    service = found.get("serviceSid") if isinstance(found, dict) else None
    if not isinstance(service, str) or not service.startswith("ZS"):
        raise UsageError(f"{printable(path)} cannot be used: its entry has no serviceSid")
    return _service(service, f"serviceSid in {printable(path)}")


def _service(value: str, name: str) -> str:
    _check_filled(value, name)
    if value.startswith("ZB"):
        raise UsageError(f"{name} is a Build SID: {quoted(value)}; a Service SID begins with ZS")
    if value.startswith("ZS"):
        return _sid(value, name)
    if _OTHER_SID.fullmatch(value):
        raise UsageError(f"{name} is another kind of SID: {quoted(value)}", _SERVICE_FORMS)
    if _SMALL_SID.fullmatch(value) or not _UNIQUE_NAME.fullmatch(value):
        raise UsageError(
            f"{name} is no Service SID and no unique name: {_shown(value)}",
            _SERVICE_FORMS,
            *_hints(value),
        )
    return value


def _build(value: str) -> str:
    _check_filled(value, "BUILD")
    if value.startswith("ZS"):
        raise UsageError(
            f"BUILD is a Service SID: {quoted(value)}",
            "the service comes first, once: SERVICE BUILD",
        )
    if not value.startswith("ZB"):
        raise UsageError(
            f"BUILD is no Build SID (ZB and {_HEX_DIGITS} hex digits): {_shown(value)}",
            *_hints(value),
        )
    return _sid(value, "BUILD")


_SERVICE_FORMS = "expected ZS and 32 hex digits, or 1 to 50 letters, digits, - and _"


def _check_filled(value: str, name: str) -> None:
    if not value:
        raise UsageError(f"{name} is empty: is the variable set?")


def _sid(value: str, name: str) -> str:
    prefix, digits = value[:2], value[2:]
    if stray := re.search(r"[^0-9a-fA-F]", digits):
        raise UsageError(f"{name} holds {quoted(stray[0])}, which is no hex digit: {quoted(value)}")
    if len(digits) != _HEX_DIGITS:
        raise UsageError(
            f"{name}: {len(digits)} hex digits after {prefix}, {_HEX_DIGITS} expected",
            f"it is {quoted(value)}",
        )
    return value


def _shown(value: str) -> str:
    stray = re.search(r"[^A-Za-z0-9_-]", value)
    return f"{quoted(value)} holds {quoted(stray[0])}" if stray else quoted(value)


def _hints(value: str) -> list[str]:
    if re.search(r"[/\\.]", value):
        return [
            "it looks like a file name",
            "a pre-commit hook needs pass_filenames: false, or it is handed the changed files",
        ]
    if _UNIQUE_NAME.fullmatch(value) and not _SMALL_SID.fullmatch(value):
        return ["the service comes first, then Build SIDs"]
    if _SMALL_SID.fullmatch(value):
        return [f"{value[:2].upper()} is written in capitals"]
    return []
