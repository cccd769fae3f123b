"""Whose credentials are used: a named profile, the environment, or the active profile.

One source gives the whole set; sources never mix.
Source: https://www.twilio.com/docs/twilio-cli/general-usage
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from twbuild import jsonobject
from twbuild.errors import CredentialsError
from twbuild.text import counted, printable

KEY, SECRET = "TWILIO_API_KEY", "TWILIO_API_SECRET"
ACCOUNT, TOKEN = "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"
REGION, EDGE = "TWILIO_REGION", "TWILIO_EDGE"


class Credentials(NamedTuple):
    """A name and password for HTTP Basic, and where they came from.

    `account` is the account they surely belong to. `region` and `edge` go with the same source:
    each a value as read, and the name of the place where it stands.
    """

    username: str
    password: str
    source: str
    account: str | None = None
    region: tuple[Any, str] = (None, "")
    edge: tuple[Any, str] = (None, "")

    def __repr__(self) -> str:
        """Everything but the password."""
        return f"Credentials({self.username!r}, from {self.source!r})"

    def hide(self, text: str) -> str:
        """`text` without them: a gateway's error may repeat what it was sent."""
        basic = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return text.replace(self.password, "[secret]").replace(basic, "[secret]")

    @property
    def remark(self) -> str | None:
        """What is odd about them and worth a word once Twilio refused them."""
        if self.source.startswith(ACCOUNT) and self.username.startswith("SK"):
            return f"an API key (SK...) stands in {ACCOUNT}; its secret belongs in {SECRET}"
        return None


def find(environ: Mapping[str, str], profile: str | None) -> Credentials:
    """The first source that applies. Raises CredentialsError where none does, or it is broken."""
    if profile is None and any(environ.get(name) for name in (KEY, SECRET, TOKEN)):
        return _from_environment(environ)
    path = _config_path(environ)
    try:
        config = jsonobject.read(path) if path else None
    except jsonobject.NotAnObjectError as error:
        raise CredentialsError(
            f"{printable(path)} cannot be read: {error}", "twilio login writes it anew"
        ) from None
    if config is None and profile is None:
        raise _none_found(environ)
    place = printable(path) if path else "a folder that HOME or TWILIO_CONFIG_DIR names"
    if config is None:
        raise _no_profile(printable(profile), place, "there is no such file")
    return _from_profile(environ, config, profile, place)


def _none_found(environ: Mapping[str, str]) -> CredentialsError:
    lone = f"{ACCOUNT} is set; {TOKEN}, or {KEY} and {SECRET}, is missing"
    empty = [name for name in (KEY, SECRET, ACCOUNT, TOKEN) if environ.get(name) == ""]
    return CredentialsError(
        "no credentials found",
        f"set    {KEY} and {SECRET}, or {ACCOUNT} and {TOKEN}",
        "or     twilio login, then twbuild -p NAME",
        "or     twbuild sandbox, to see it work without an account",
        *([lone] if environ.get(ACCOUNT) else []),
        *(f"{name} is set but empty: does CI lack the secret?" for name in empty),
    )


def _from_environment(environ: Mapping[str, str]) -> Credentials:
    pair = (KEY, SECRET) if environ.get(KEY) or environ.get(SECRET) else (ACCOUNT, TOKEN)
    values = []
    for name in pair:
        if not (value := environ.get(name, "").strip()):
            state = "empty" if name in environ else "not set"
            raise CredentialsError(f"{name} is {state}; {pair[0]} and {pair[1]} go together")
        values.append(_checked(value, name))
    return Credentials(
        values[0],
        values[1],
        source=f"{pair[0]} and {pair[1]}",
        account=_account(environ.get(ACCOUNT), ACCOUNT),
        region=(environ.get(REGION), REGION),
        edge=(environ.get(EDGE), EDGE),
    )


def _from_profile(
    environ: Mapping[str, str], config: Mapping[str, Any], name: str | None, path: str
) -> Credentials:
    profiles = profile_entries(config)
    active = name is None
    if name is None:
        name = config.get("activeProject")
        if not isinstance(name, str) or not name:
            raise _none_active(environ, profiles, path)
    shown = printable(name)
    entry = profiles.get(name)
    if entry is None:
        if name in _old_names(config):
            raise CredentialsError(
                f"profile {shown} in {path} holds no secret: it is of an old twilio-cli",
                f"twilio profiles:create -p {shown} makes it anew",
            )
        raise _no_profile(shown, path, _listed(profiles))
    values = []
    for key in ("apiKey", "apiSecret"):
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            raise CredentialsError(
                f"profile {shown} in {path} has no {key}",
                f"twilio profiles:create -p {shown} makes it anew",
            )
        values.append(_checked(value.strip(), f"{key} of profile {shown}"))
    edges = [
        (environ.get(EDGE), EDGE),
        (entry.get("edge"), f"the edge of profile {shown} in {path}"),
        (config.get("edge"), f"the edge in {path}"),
    ]
    return Credentials(
        values[0],
        values[1],
        source=f"{'the active ' if active else ''}profile {shown} in {path}",
        account=_account(entry.get("accountSid"), f"accountSid of profile {shown}"),
        region=(entry.get("region"), f"the region of profile {shown} in {path}"),
        edge=next((edge for edge in edges if edge[0]), edges[-1]),
    )


def _no_profile(name: str, path: str, there: str) -> CredentialsError:
    make = f"twilio profiles:create -p {name} makes it"
    return CredentialsError(f"no profile {name} in {path}", there, make)


def _old_names(config: Mapping[str, Any]) -> list[Any]:
    projects = config.get("projects")
    entries = projects if isinstance(projects, list) else []
    return [entry.get("id") for entry in entries if isinstance(entry, dict)]


def _none_active(
    environ: Mapping[str, str], profiles: Mapping[str, Any], path: str
) -> CredentialsError:
    if not profiles:
        return _none_found(environ)
    first = printable(next(iter(profiles)))
    return CredentialsError(
        f"no profile is active in {path}",
        _listed(profiles),
        f"twilio profiles:use {first} makes one active",
        f"or -p {first}, on the same command, uses it for once",
    )


def _listed(profiles: Mapping[str, Any]) -> str:
    if not profiles:
        return "it has no profiles"
    return f"it has {counted(len(profiles), 'profile')}: {', '.join(map(printable, profiles))}"


def profile_names(environ: Mapping[str, str]) -> list[str]:
    """The names that `--profile` takes; none where the file cannot be read."""
    try:
        path = _config_path(environ)
        return list(profile_entries((path and jsonobject.read(path)) or {}))
    except jsonobject.NotAnObjectError:
        return []


def profile_entries(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The profiles of a config file that are written as twilio-cli writes them."""
    profiles = config.get("profiles")
    if not isinstance(profiles, dict):
        return {}
    return {name: entry for name, entry in profiles.items() if isinstance(entry, dict)}


def _config_path(environ: Mapping[str, str]) -> str | None:
    if folder := environ.get("TWILIO_CONFIG_DIR"):
        return os.path.join(folder, "config.json")
    home = environ.get("HOME") or _home_of_user()
    return os.path.join(home, ".twilio-cli", "config.json") if os.path.isabs(home) else None


def _home_of_user() -> str:
    """The home folder that the system knows; an empty HOME is not the working directory."""
    if os.name == "nt":
        return os.path.expanduser("~")
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def _account(value: object, name: str) -> str | None:
    """The account that decides whose entry of a project file is meant."""
    account = value.strip() if isinstance(value, str) else ""
    return account if account and _checked(account, name).startswith("AC") else None


def _checked(value: str, name: str) -> str:
    """`value`, if it can be what Twilio gave out. The value itself is never named."""
    for where, character in (("begins", value[0]), ("ends", value[-1])):
        if character in "\"'`":
            raise CredentialsError(f"{name} {where} with a quotation mark ({character})")
    if stray := re.search(r"[^ -~]", value):
        raise CredentialsError(f"{name} holds U+{ord(stray[0]):04X}, which no credential does")
    return value
