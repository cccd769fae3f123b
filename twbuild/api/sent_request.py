"""A request as errors describe it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from twbuild.api.models import Request
from twbuild.config.settings import Settings
from twbuild.text import MAX_CHARACTERS, printable

MAX_TEXT = 10_000  # characters of a text from a server that are looked at


class SentRequest(NamedTuple):
    """A request as errors describe it: its path, the account, the proxy.

    `redacted` removes secrets from a text of the server's.
    """

    request: Request
    service: str
    path: str
    settings: Settings
    proxy: str | None
    redacted: Callable[[str], str]

    def text(self, value: object, limit: int = MAX_TEXT) -> str | None:
        """The beginning of a text of the server's, without secrets; None for any other value.

        Four times the limit is looked at: a secret may be escaped twice, as in %2525.
        """
        looked_at = min(4 * limit, MAX_TEXT)
        return self.redacted(value[:looked_at])[:limit] if isinstance(value, str) else None

    def shown(self, text: str, limit: int = MAX_CHARACTERS) -> str:
        """A text of the server's without secrets, to be printed."""
        return printable(self.redacted(text[:MAX_TEXT]), limit)

    @property
    def host(self) -> str:
        """Host and port."""
        return printable(urlsplit(self.settings.base_url).netloc)

    @property
    def hostname(self) -> str:
        """The host's name."""
        return printable(urlsplit(self.settings.base_url).hostname)

    @property
    def host_settings(self) -> str:
        """The settings that the host's name was made from, with their values; "" for none."""
        found = self.settings.credentials
        used = (found.region, found.edge) if self.settings.is_regional else ()
        return " and ".join(f"{place} ({printable(value)})" for value, place in used if value)

    @property
    def resource(self) -> str:
        """What was asked for: a build of a service, or a service."""
        sid = self.request.sid
        return f"build {sid} in service {self.service}" if sid else f"service {self.service}"

    @property
    def place(self) -> str:
        """The host, where its name came from, and the proxy on the way."""
        made_from = f" (from {self.host_settings})" if self.host_settings else ""
        proxy = f", through {self.proxy}" if self.proxy else ""
        return f"{self.host}{made_from}{proxy}"

    @property
    def description(self) -> str:
        """Method, path and host, and the proxy it went through."""
        return f"GET {printable(self.path)} at {self.place}"

    @property
    def api(self) -> str:
        """What answers, as messages name it."""
        return "the API" if self.settings.is_custom else "Twilio"

    @property
    def identity(self) -> str:
        """The account that was used, and where its credentials came from: a sentence."""
        found = self.settings.credentials
        kind = {"AC": "Account ", "SK": "API key "}.get(found.shown_name[:2], "")
        other = found.account and found.account != found.username
        account = f" of account {printable(found.account)}" if other else ""
        name = f"{kind}{found.shown_name}"
        return f"{name[0].upper()}{name[1:]}{account} was used (from {found.source})."
