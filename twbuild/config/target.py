"""The service and the builds: arguments, $TWBUILD_SERVICE, .twiliodeployinfo."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from twbuild import strict_json
from twbuild.config import sids
from twbuild.config.settings import Settings
from twbuild.errors import CommandHint, UsageError
from twbuild.text import is_placeholder, listed, named, pasteable, quoted, stray

PROJECT_FILE = ".twiliodeployinfo"

_OTHER_SID = f"[A-Z]{{2}}{sids.DIGITS}"
_SMALL_SID = f"[zZ][sSbB]{sids.DIGITS}"
# What a URL or a list of SIDs names: services and builds.
_NAMED = (
    f"(?<![A-Za-z0-9])(?:{sids.SERVICE}|{sids.BUILD})(?![A-Za-z0-9])"
    f"|(?<=/Services/){sids.SERVICE_NAME}(?=/|$)"
)


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


def parse(
    arguments: Sequence[str], command: str = "wait", options: Sequence[str] = ()
) -> Arguments:
    """Separate the service from the builds; a build named twice counts once.

    Raises UsageError that names the mistake, and how to type `command` with its `options` and the
    SIDs that the arguments contain.
    """
    try:
        parsed = _parse(arguments)
    except UsageError as error:
        words = _named_in(arguments)
        if not words:
            raise
        several = sum(word.startswith("ZB") for word in words) > 1
        dashes = ["--"] if words[0].startswith("-") else []
        command = "wait" if several else command
        typed = pasteable(["twbuild", command, *options, *dashes, *words])
        meant = CommandHint("Did you mean: ", typed)
        raise UsageError(error.message, *error.hints, meant) from None
    if command == "status" and len(parsed.builds) > 1:
        typed = pasteable(["twbuild", "wait", *options, *arguments])
        raise UsageError("status checks one build", CommandHint("To wait for several: ", typed))
    return parsed


def _parse(arguments: Sequence[str]) -> Arguments:
    service: str | None = None
    builds: dict[str, str] = {}
    for position, argument in enumerate(arguments):
        if position == 0 and not argument.startswith("ZB"):
            service = _service(argument, "SERVICE")
        else:
            builds.setdefault(_build(argument).lower(), argument)
    return Arguments(service, tuple(builds.values()))


def _named_in(arguments: Sequence[str]) -> list[str]:
    """The service and the builds that the arguments contain; none where one contains no more."""
    found: dict[str, str] = {}
    for position, argument in enumerate(arguments):
        names = re.findall(_NAMED, argument)
        if position == 0 and not names:
            names = [argument]
        new = {name.lower(): name for name in names if name.lower() not in found}
        if not new:
            return []
        found.update(new)
    builds = [name for name in found.values() if name.startswith("ZB")]
    services = [name for name in found.values() if name not in builds]
    words = [*services, *builds]
    try:
        _parse(words)
    except UsageError:
        return []
    return words


def locate(arguments: Arguments, environ: Mapping[str, str], settings: Settings) -> Target:
    """The target, its service from where it was named first.

    Raises UsageError where no service is named anywhere, or the project file does not help.
    """
    if arguments.service:
        return Target(arguments.service, arguments.builds)
    value = environ.get("TWBUILD_SERVICE")
    if value:
        return Target(_service(value, "TWBUILD_SERVICE"), arguments.builds, "TWBUILD_SERVICE")
    for path in _project_files():
        try:
            entries = strict_json.read(path)
        except strict_json.NotAnObjectError as error:
            raise UsageError(f"{named(path)} cannot be used: {error}") from None
        if entries is not None:
            service = _entry(path, entries, settings)
            return Target(service, arguments.builds, named(path))
    empty = "TWBUILD_SERVICE is set but empty. Does CI lack the variable?"
    raise UsageError(
        "no service given. Do one of these:",
        "pass   SERVICE, a Service SID (ZS...) or a unique name",
        "set    TWBUILD_SERVICE",
        f"run    in a project with {PROJECT_FILE}, which twilio serverless:deploy writes",
        *([empty] if value == "" else []),
    )


def _project_files() -> list[str]:
    """Where to look: here, and upwards as far as the nearest `.git`, a folder or a file.

    Without a `.git` above, only here: a file in a shared parent may belong to another user.
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
    by_key = {key.lower(): entry for key, entry in entries.items()}
    account = settings.credentials.account
    owners = {account.lower()} if account else {key.partition(":")[0] for key in by_key}
    found = None
    if len(owners) == 1:
        owner = owners.pop()
        found = by_key.get(f"{owner}:{settings.region}", by_key.get(owner))
    if found is None:
        whose = f"for account {named(account)}" if account else "that is surely yours"
        raise UsageError(
            f"{named(path)} has no entry {whose} in region {settings.region}",
            f"Its entries: {listed(list(map(named, entries))) or 'none'}",
            f"The credentials are from {settings.credentials.source}.",
        )
    service = found.get("serviceSid") if isinstance(found, dict) else None
    if not isinstance(service, str) or not service.startswith("ZS"):
        raise UsageError(f"{named(path)} cannot be used: its entry has no serviceSid")
    return _service(service, f"serviceSid in {named(path)}")


def _service(value: str, name: str) -> str:
    _check(value, name, _SERVICE_FORMS)
    if value.startswith("ZB"):
        raise UsageError(f"{name} is a Build SID: {quoted(value)}", "A Service SID begins with ZS.")
    if value.startswith("ZS"):
        return _sid(value, name, "Service")
    if re.fullmatch(_OTHER_SID, value):
        raise UsageError(f"{name} is another kind of SID: {quoted(value)}", _SERVICE_FORMS)
    if re.fullmatch(_SMALL_SID, value) or not re.fullmatch(sids.UNIQUE_NAME, value):
        raise UsageError(
            f"{name} is not a Service SID or unique name: {_shown(value)}",
            _SERVICE_FORMS,
            *_hints(value),
        )
    return value


def _build(value: str) -> str:
    _check(value, "BUILD", _BUILD_FORM)
    if value.startswith("ZS"):
        raise UsageError(
            f"BUILD is a Service SID: {quoted(value)}",
            "Write the service first, then the Build SIDs.",
        )
    if not value.startswith("ZB"):
        raise UsageError(f"BUILD is not a Build SID: {_shown(value)}", _BUILD_FORM, *_hints(value))
    return _sid(value, "BUILD", "Build")


_SERVICE_FORMS = "Use ZS and 32 hex digits, or 1 to 50 letters, digits, - and _."
_BUILD_FORM = "Use ZB and 32 hex digits."


def _check(value: str, name: str, forms: str) -> None:
    """Refuse what names nothing; a URL is not repeated, because it may contain a password."""
    if not value:
        raise UsageError(f"{name} is empty: is the variable set?")
    if "://" in value:
        raise UsageError(f"{name} is a URL, not a SID", forms)
    if is_placeholder(value):
        raise UsageError(
            f"{name} is {quoted(value)}, a placeholder that was not replaced with its value"
        )


def _sid(value: str, name: str, kind: str) -> str:
    prefix, digits = value[:2], value[2:]
    if found := re.search(r"[^0-9a-fA-F]", digits):
        raise UsageError(
            f"{name} contains {stray(found[0])}, which is not a hex digit: {quoted(value)}"
        )
    if len(digits) != sids.HEX_DIGITS:
        raise UsageError(
            f"{name} {quoted(value)} is not a {kind} SID:"
            f" it has {len(digits)} hex digits after {prefix}, not {sids.HEX_DIGITS}"
        )
    return value


def _shown(value: str) -> str:
    found = re.search(r"[^A-Za-z0-9_-]", value)
    return f"{quoted(value)} contains {stray(found[0])}" if found else quoted(value)


def _hints(value: str) -> list[str]:
    if re.search(r"[/\\.]", value):
        return [
            "It looks like a file name.",
            "A pre-commit hook needs pass_filenames: false, or it gets the changed files.",
        ]
    if re.fullmatch(_SMALL_SID, value):
        return [f"Write {value[:2].upper()} in capitals."]
    if re.fullmatch(sids.UNIQUE_NAME, value):
        return ["Write the service first, then the Build SIDs."]
    return []
