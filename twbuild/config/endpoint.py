"""The API's base URL and the credentials for it, all from one source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from twbuild.config import credentials
from twbuild.errors import UsageError
from twbuild.text import quoted

# A region alone would be routed through the US, which Twilio is retiring: give it its own edge.
# Source: https://www.twilio.com/docs/global-infrastructure/understanding-twilio-regions
DEFAULT_EDGES = {
    "us1": "ashburn",
    "us2": "umatilla",
    "ie1": "dublin",
    "de1": "frankfurt",
    "au1": "sydney",
    "jp1": "tokyo",
    "jp2": "osaka",
    "sg1": "singapore",
    "br1": "sao-paulo",
}
DEFAULT_REGION = "us1"

# Region and edge choose the host that is given the credentials: nothing but a DNS label will do.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
_DNS_LABEL = r"[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?"

_SHORTEST_SECRET = 8  # a shorter one, as a test may have, may be a part of a region's name


class Settings(NamedTuple):
    """Credentials, and the API's base URL without a slash at its end.

    `replaced`: the URL is TWBUILD_API_URL's; `routed`: region or edge chose the host.
    """

    credentials: credentials.Credentials
    base_url: str
    region: str
    replaced: bool
    routed: bool


def load(environ: Mapping[str, str], profile: str | None) -> Settings:
    """Settings from the environment and twilio-cli's profiles.

    Raises UsageError for a bad address, region or edge, CredentialsError for bad credentials.
    """
    found = credentials.find(environ, profile)
    region = _label(*found.region, found.password)
    edge = _label(*found.edge, found.password)
    url = environ.get("TWBUILD_API_URL")
    return Settings(
        credentials=found,
        base_url=_checked_url(url) if url else f"https://{_host(region, edge)}",
        region=region or DEFAULT_REGION,
        replaced=bool(url),
        routed=bool(region or edge) and not url,
    )


def _label(value: object, place: str, secret: str) -> str | None:
    if credentials.is_blank(value):
        return None
    text = str(value).strip()
    if len(secret) >= _SHORTEST_SECRET and secret in text:  # DNS would get it in the clear
        raise UsageError(f"{place} contains the secret that belongs to your credentials")
    if isinstance(value, str) and re.fullmatch(_LABEL, text):
        return text
    message = f"{place} is not valid: {quoted(text)}"
    edge, _, region = text.partition(".")
    if region in DEFAULT_EDGES and re.fullmatch(_LABEL, edge):
        raise UsageError(message, f"Set region {region} and edge {edge} separately.")
    raise UsageError(message, "Use lowercase letters, digits and hyphens, like us1 or ashburn.")


def _host(region: str | None, edge: str | None) -> str:
    if not region and not edge:
        return "serverless.twilio.com"
    region = region or DEFAULT_REGION
    edge = edge or DEFAULT_EDGES.get(region)
    if not edge:
        raise UsageError(
            f"twbuild does not know the edge of region {region}",
            "Set TWILIO_EDGE to the region's edge.",
        )
    return f"serverless.{edge}.{region}.twilio.com"


def _checked_url(url: str) -> str:
    """The base URL in `url`, read by the parser that makes the request."""
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    def refused(why: str) -> UsageError:
        return UsageError(
            f"TWBUILD_API_URL {why}",
            "Use https://HOST[:PORT][/PATH], or http:// to this machine.",
        )

    if re.search(r"[^!-~]|[\\\"<>^`{|}]|%(?![0-9a-fA-F]{2})", url):
        raise refused("contains a space, a backslash or a character that is not valid in a URL")
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise refused("is not a valid URL") from None
    if parts.scheme not in ("http", "https") or not parts.host or parts.port == 0:
        raise refused("is not an http or https URL")
    if "@" in url:
        raise refused("contains a user name; credentials have variables of their own")
    if "?" in url or "#" in url:
        raise refused("contains a query or a fragment")
    if re.search(r"/(\.|%2e){1,2}(/|$)", url, re.IGNORECASE):
        raise refused("contains a dot segment (. or ..) in its path")
    if not is_host(parts.host):
        raise refused("has a host that is neither an address nor a valid DNS name")
    if parts.scheme == "http" and not is_loopback(parts.host):
        raise refused("would send credentials unencrypted to another machine")
    # Twilio's pages write the version as a part of the base URL.
    path = (parts.path or "").rstrip("/").removesuffix("/v1").rstrip("/")
    return parts._replace(path=path or None).url


def is_host(host: str) -> bool:
    """Whether `host`, as in a URL, is an address or can be a name in the DNS."""
    labels = host.removesuffix(".").split(".")
    return host.startswith("[") or all(re.fullmatch(_DNS_LABEL, label) for label in labels)


def is_loopback(host: str) -> bool:
    """Whether `host`, as in a URL, is surely this machine."""
    import ipaddress

    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return address in ipaddress.ip_network("127.0.0.0/8") or address == ipaddress.ip_address("::1")
