"""Which credentials are used: a named profile, the environment, or the active profile.

One source gives the whole set; sources never mix.
Source: https://www.twilio.com/docs/twilio-cli/general-usage
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from twbuild import strict_json
from twbuild.config import profiles, sids
from twbuild.errors import CommandHint, CredentialsError
from twbuild.invocation import program
from twbuild.text import is_placeholder, is_switched_on, named, pasteable, stray

KEY, SECRET = "TWILIO_API_KEY", "TWILIO_API_SECRET"
ACCOUNT, TOKEN = "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"
REGION, EDGE = "TWILIO_REGION", "TWILIO_EDGE"

# Names in common use, and the ones that Twilio's own tools read.
NEAR_MISSES = {
    "TWILIO_API_KEY_SID": KEY,
    "TWILIO_API_KEY_SECRET": SECRET,
    "TWILIO_API_SECRET_KEY": SECRET,
    "TWILIO_SID": ACCOUNT,
    "TWILIO_ACCOUNT": ACCOUNT,
    "ACCOUNT_SID": ACCOUNT,
    "TWILIO_TOKEN": TOKEN,
    "TWILIO_AUTHTOKEN": TOKEN,
    "TWILIO_ACCOUNT_TOKEN": TOKEN,
    "AUTH_TOKEN": TOKEN,
}

_SID = re.compile(f"(AC|SK){sids.DIGITS}")
_ACCOUNT = f"[aA][cC]{sids.DIGITS}"


class Credentials(NamedTuple):
    """A user name and password for HTTP Basic, and where they came from.

    `account` is the account they belong to, None where that is not certain. `region` and `edge` go
    with the same source: each a value as read, and the name of its variable or setting.
    """

    username: str
    password: str
    source: str
    account: str | None = None
    region: tuple[Any, str] = (None, "")
    edge: tuple[Any, str] = (None, "")

    def __repr__(self) -> str:
        """Everything but the password."""
        return f"Credentials({self.shown_name}, from {self.source!r})"

    @property
    def shown_name(self) -> str:
        """The user name; what is not a SID may be the secret in the wrong place."""
        return self.username if _SID.fullmatch(self.username) else "a user name that is not a SID"

    @property
    def hint(self) -> str | None:
        """What looks wrong in them, for when Twilio has refused them."""
        if self.source.startswith(ACCOUNT) and self.username.startswith("SK"):
            return f"{ACCOUNT} contains an API key (SK...). Set {KEY} and {SECRET} instead."
        if not _SID.fullmatch(self.username):
            return "The user name is neither AC... nor SK...: are user name and secret swapped?"
        return None


def find(environ: Mapping[str, str], profile: str | None) -> Credentials:
    """The first source that applies. Raises CredentialsError where none does, or it is broken."""
    names = (KEY, SECRET, ACCOUNT, TOKEN)
    environ = {**environ, **{name: environ[name].strip() for name in names if name in environ}}
    if profile is None and any(environ.get(name) for name in (KEY, SECRET, TOKEN)):
        return _from_environment(environ)
    path = profiles.path(environ)
    place = named(path) if path else "twilio-cli's config.json"
    try:
        config = strict_json.read(path) if path else None
    except strict_json.NotAnObjectError as error:
        rewrite = CommandHint("To write it again, run ", "twilio login")
        rewrites = [] if isinstance(error, strict_json.UnreadableError) else [rewrite]
        raise CredentialsError(f"{place} cannot be read: {error}", *rewrites) from None
    if config is not None:
        return _from_profile(environ, config, profile, place)
    missing = f"There is no {'such file' if profile else f'file {place}'}."
    hints = [missing if path else profiles.NO_FOLDER, *profiles.folder_hints(environ)]
    raise profiles.not_found(profile, place, *hints) if profile else _none_found(environ, *hints)


def _none_found(environ: Mapping[str, str], *hints: str) -> CredentialsError:
    """The cause where one is known, else the ways to have credentials."""
    wanted = (KEY, SECRET, ACCOUNT, TOKEN)
    causes = [_empty(name) for name in wanted if environ.get(name) == ""]
    causes += _near_misses(environ, wanted)
    if environ.get(ACCOUNT) and not causes:
        causes = [f"{ACCOUNT} is set, but {TOKEN} is not. Set both."]
    if causes:
        return CredentialsError(f"no credentials found: {causes[0]}", *causes[1:], *hints)
    login = CommandHint("run    ", "twilio login", ", then this command again")
    sandbox = pasteable([*program(), "sandbox"])
    return CredentialsError(
        "no credentials found. Do one of these:",
        f"set    {KEY} and {SECRET}, or {ACCOUNT} and {TOKEN}",
        *([] if is_switched_on(environ.get("CI")) else [login]),
        CommandHint("try    ", sandbox, ", which needs no account"),
        *hints,
    )


def _empty(name: str) -> str:
    return f"{name} is empty: does the CI job have this secret?"


def _near_misses(environ: Mapping[str, str], wanted: Sequence[str]) -> list[str]:
    """Variables that are set under a name that is not read, in place of one of `wanted`."""
    return [
        f"{name} is set, but its name should be {right}."
        for name, right in NEAR_MISSES.items()
        if right in wanted and environ.get(name) and not environ.get(right)
    ]


def _from_environment(environ: Mapping[str, str]) -> Credentials:
    pair = (KEY, SECRET) if environ.get(KEY) or environ.get(SECRET) else (ACCOUNT, TOKEN)
    values = []
    for name in pair:
        if not (value := environ.get(name)):
            why = _empty(name) if name in environ else f"{name} is not set."
            both = f"Set both {pair[0]} and {pair[1]}."
            raise CredentialsError(f"{why} {both}", *_near_misses(environ, pair))
        values.append(_checked(value, name))
    if pair[0] == KEY:
        _check_key(values[0], KEY)
    return Credentials(
        values[0],
        values[1],
        source=f"{pair[0]} and {pair[1]}",
        account=_account(environ.get(ACCOUNT), ACCOUNT),
        region=(environ.get(REGION), REGION),
        edge=(environ.get(EDGE), EDGE),
    )


def _from_profile(
    environ: Mapping[str, str], config: Mapping[str, Any], profile: str | None, path: str
) -> Credentials:
    if not (profile or config.get("activeProject") or profiles.entries(config)):
        raise _none_found(environ, f"{path} has no profiles.")
    name = profile or profiles.active(config, path)
    entry = profiles.entry(config, name, path)
    shown = named(name)
    values = []
    for key in ("apiKey", "apiSecret"):
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            message = f"profile {shown} in {path} has no {key}"
            raise CredentialsError(message, profiles.recreate(name))
        values.append(_checked(value.strip(), f"{key} of profile {shown}"))
    _check_key(values[0], f"apiKey of profile {shown}")
    edges = [
        (environ.get(EDGE), EDGE),
        (entry.get("edge"), f"the edge of profile {shown} in {path}"),
        (config.get("edge"), f"the edge in {path}"),
    ]
    return Credentials(
        values[0],
        values[1],
        source=f"{'' if profile else 'the active '}profile {shown} in {path}",
        account=_account(entry.get("accountSid"), f"accountSid of profile {shown}"),
        region=(entry.get("region"), f"the region of profile {shown} in {path}"),
        edge=next((edge for edge in edges if not is_blank(edge[0])), edges[-1]),
    )


def is_blank(value: object) -> bool:
    """Whether a setting counts as not set: null, empty, or nothing but white space."""
    return value is None or (isinstance(value, str) and not value.strip())


def _account(value: object, name: str) -> str | None:
    """The account that decides whose entry of a project file is meant."""
    account = value.strip() if isinstance(value, str) else ""
    return account if account and re.fullmatch(_ACCOUNT, _checked(account, name)) else None


def _checked(value: str, name: str) -> str:
    """`value`, if it can be what Twilio gave out. The value itself is never named."""
    for where, character in (("begins", value[0]), ("ends", value[-1])):
        if character in "\"'`":
            message = f"{name} {where} with a quotation mark ({character})"
            raise CredentialsError(message, "Remove it.")
    if is_placeholder(value):
        raise CredentialsError(f"{name} is a placeholder that was not replaced with its value")
    if found := re.search(r"[^ -~]", value):
        raise CredentialsError(
            f"{name} contains {stray(found[0])}, which is not printable ASCII",
            "Copy it again from the Twilio Console.",
        )
    return value


def _check_key(value: str, name: str) -> None:
    """Refuse an account in an API key's place."""
    if value.startswith("AC"):
        raise CredentialsError(
            f"{name} is an Account SID (AC...), not an API key (SK...)",
            f"An account's token belongs in {TOKEN}, beside {ACCOUNT}.",
        )
