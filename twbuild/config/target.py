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
from twbuild.invocation import program
from twbuild.text import counted, is_placeholder, listed, named, pasteable, quoted, stray

PROJECT_FILE = ".twiliodeployinfo"
_INSTEAD = "Pass SERVICE, or set TWBUILD_SERVICE."

_OTHER_SID = f"[A-Z]{{2}}{sids.DIGITS}"
_SMALL_SID = f"[zZ][sSbB]{sids.DIGITS}"
# What a URL or a list of SIDs names: services and builds.
_NAMED = (
    f"(?<![A-Za-z0-9])(?:{sids.SERVICE}|{sids.BUILD})(?![A-Za-z0-9])"
    f"|(?<=/Services/){sids.SERVICE_NAME}(?=/|$)"
    f"|^(?!Builds/|(?i:sid|build)[:=]){sids.SERVICE_NAME}(?=[/:, ]+(?:Builds/)?{sids.BUILD})"
)
# Words beside a build that name no service.
_LABELS = {"sid", "build", "builds", "status", "v1"}


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
        meant = _typed("wait" if several else command, options, words)
        hints = (*error.hints, CommandHint("Did you mean: ", meant))
        raise UsageError(error.message, *hints) from None
    if command == "status" and len(parsed.builds) > 1:
        meant = _typed("wait", options, arguments)
        raise UsageError("status checks one build", CommandHint("For several: ", meant))
    return parsed


def lacks_service(arguments: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether neither the arguments, nor a variable, nor a project file name a service."""
    is_named = not arguments[0].startswith("ZB") or environ.get("TWBUILD_SERVICE")
    return not is_named and not any(map(os.path.lexists, _project_files()))


def _typed(command: str, options: Sequence[str], words: Sequence[str]) -> str:
    """The command to paste, with a word where the service is to be typed."""
    service = ["SERVICE"] if lacks_service(words, os.environ) else []
    dashes = ["--"] if words[0].startswith("-") else []
    return pasteable([*program(), command, *options, *dashes, *service, *words])


def _parse(arguments: Sequence[str]) -> Arguments:
    service: str | None = None
    builds: dict[str, str] = {}
    for position, argument in enumerate(arguments):
        if position == 0 and not argument.startswith("ZB"):
            service = _service(argument, "SERVICE")
        else:
            builds.setdefault(_build(argument, arguments[0]).lower(), argument)
    return Arguments(service, tuple(builds.values()))


def _named_in(arguments: Sequence[str]) -> list[str]:
    """The service and the builds that the arguments contain; none where one contains no more."""
    found: dict[str, str] = {}
    for argument in arguments:
        names = _names(argument, arguments[0])
        new = [name for name in names if name.lower() not in found]
        if not new or (names[0].startswith("ZB") and _may_name_service(argument)):
            return []
        found.update((name.lower(), name) for name in new)
    builds = [name for name in found.values() if name.startswith("ZB")]
    services = [name for name in found.values() if name not in builds]
    words = [*services, *builds]
    try:
        _parse(words)
    except UsageError:
        return []
    return words


def _may_name_service(argument: str) -> bool:
    """Whether a service may be named beside the builds, in a form that is not known."""
    beside = re.sub(rf"^[a-zA-Z]+://[^/]*|{_NAMED}|^{sids.DIGITS}$", " ", argument)
    return bool(set(re.findall(r"\w+", beside.lower())) - _LABELS)


def _names(argument: str, first: str) -> list[str]:
    """The services and builds that an argument names; `first` is the first argument."""
    if names := re.findall(_NAMED, argument):
        return names
    if re.fullmatch(sids.DIGITS, argument) and argument != first:
        return [f"ZB{argument}"]
    return [argument]  # a service, or a mistake that `_parse` finds


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
            raise UsageError(f"{named(path)} cannot be used: {error}", _INSTEAD) from None
        if entries is not None:
            service = _entry(path, entries, settings)
            return Target(service, arguments.builds, named(path))
    raise UsageError(
        "no service given: TWBUILD_SERVICE is empty. Does the CI job have this variable?"
        if value == ""
        else "no service given. Do one of these:",
        "pass   SERVICE, a Service SID (ZS...) or a unique name",
        "set    TWBUILD_SERVICE",
        f"run    in a project with {PROJECT_FILE}, which twilio serverless:deploy writes",
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
    keys = [f"{owner}:{settings.region}" for owner in owners] + list(owners)
    key = next((key for key in keys if key in by_key), None)
    if key is None or len(owners) != 1:
        whose = f"for account {named(account)}" if account else "that is surely yours"
        raise UsageError(
            f"{named(path)} has no entry {whose} in region {settings.region}",
            f"Its entries: {listed(list(map(named, entries))) or 'none'}",
            f"The credentials are from {settings.credentials.source}.",
            _INSTEAD,
        )
    found = by_key[key]
    service = found.get("serviceSid") if isinstance(found, dict) else None
    if not isinstance(service, str):
        raise UsageError(f"{named(path)} cannot be used: its entry has no serviceSid", _INSTEAD)
    name = f"serviceSid in {named(path)}"
    if not service.startswith("ZS"):
        typed = _Value(service, name, "Service SID", _INSTEAD)
        raise typed.mistake("it does not begin with ZS", _INSTEAD)
    return _service(service, name)


class _Value(NamedTuple):
    """A service or a build as typed, and what names it in messages."""

    value: str
    name: str
    kind: str
    form: str

    def mistake(self, why: str, *hints: str) -> UsageError:
        """The error that says why it is not valid."""
        return UsageError(f"{self.name} {quoted(self.value)} is not a {self.kind}: {why}", *hints)

    def check(self) -> None:
        """Refuse what names nothing; a URL is not repeated, because it may contain a password."""
        if not self.value:
            raise UsageError(f"{self.name} is empty: is the variable set?")
        if "://" in self.value:
            raise UsageError(f"{self.name} is not a {self.kind}: it is a URL", self.form)
        if is_placeholder(self.value):
            raise self.mistake("it is a placeholder that was not replaced with its value")

    def check_sid(self) -> None:
        """Refuse what begins as a SID does and is none."""
        prefix, digits = self.value[:2], self.value[2:]
        if found := re.search(r"[^0-9a-fA-F]", digits):
            raise self.mistake(f"it contains {stray(found[0])}, which is not a hex digit")
        if len(digits) != sids.HEX_DIGITS:
            count = counted(len(digits), "hex digit")
            raise self.mistake(f"it has {count} after {prefix}, not {sids.HEX_DIGITS}")

    def mistake_in_name(self, otherwise: str, *hints: str) -> UsageError:
        """The error for what does not begin as a SID does."""
        value = self.value
        found = re.search(r"[^A-Za-z0-9_-]", value)
        why = f"it contains {stray(found[0])}" if found else otherwise
        if re.fullmatch(_SMALL_SID, value):
            hints = (*hints, f"Write {value[:2].upper()} in capitals.")
        elif re.search(r"[/\\.]", value) and not re.search(_NAMED, value):
            hook = "A pre-commit hook needs pass_filenames: false, or it gets the changed files."
            hints = (*hints, "It looks like a file name.", hook)
        return self.mistake(why, self.form, *hints)


def _service(value: str, name: str) -> str:
    form = "Use ZS and 32 hex digits, or 1 to 50 letters, digits, - and _."
    typed = _Value(value, name, "Service SID or unique name", form)
    typed.check()
    if value.startswith("ZS"):
        typed._replace(kind="Service SID").check_sid()
    elif value.startswith("ZB"):
        raise typed.mistake("it is a Build SID", "A Service SID begins with ZS.")
    elif re.fullmatch(_OTHER_SID, value):
        raise typed.mistake("it is another kind of SID", form)
    elif re.fullmatch(_SMALL_SID, value):
        raise typed.mistake_in_name(f"it begins with {value[:2]}, not ZS")
    elif not re.fullmatch(sids.UNIQUE_NAME, value):
        raise typed.mistake_in_name(f"it has {len(value)} characters")
    return value


def _build(value: str, first: str) -> str:
    """A Build SID; `first` is the first argument."""
    typed = _Value(value, "BUILD", "Build SID", "Use ZB and 32 hex digits.")
    typed.check()
    order = ["Write the service first, then the Build SIDs."] if first.startswith("ZB") else []
    if value.startswith("ZS"):
        raise typed.mistake("it is a Service SID", *order)
    if not value.startswith("ZB"):
        raise typed.mistake_in_name("it does not begin with ZB", *order)
    typed.check_sid()
    return value
