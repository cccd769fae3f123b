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

_SHORTEST_SECRET = 8  # a shorter one, as a test may have, may be a part of a region's name


class Settings(NamedTuple):
    """Credentials, and the API's base URL.

    `is_custom`: the URL is TWBUILD_API_URL's, as set: `network_for` checks it, with the parser
    that makes the request. `is_regional`: region or edge chose the host.
    """

    credentials: credentials.Credentials
    base_url: str
    region: str
    is_custom: bool
    is_regional: bool


def api_name(environ: Mapping[str, str]) -> str:
    """What answers: Twilio, or whatever is behind TWBUILD_API_URL."""
    return "the API" if environ.get("TWBUILD_API_URL") else "Twilio"


def load_settings(environ: Mapping[str, str], profile: str | None) -> Settings:
    """Settings from the environment and twilio-cli's profiles.

    Raises UsageError for a bad region or edge, CredentialsError for bad credentials.
    """
    found = credentials.find(environ, profile)
    region = _label(*found.region, found.password, is_region=True)
    edge = _label(*found.edge, found.password)
    url = environ.get("TWBUILD_API_URL")
    return Settings(
        credentials=found,
        base_url=url or f"https://{_host(region, edge, found.region[1])}",
        region=region or DEFAULT_REGION,
        is_custom=bool(url),
        is_regional=bool(region or edge) and not url,
    )


def _label(value: object, place: str, secret: str, *, is_region: bool = False) -> str | None:
    if credentials.is_blank(value):
        return None
    text = str(value).strip()
    regions = {edge: region for region, edge in DEFAULT_EDGES.items()}
    if is_region and text.lower() in regions:
        right = regions[text.lower()]
        raise UsageError(f"{place} is not a region: {text} is an edge", f"Set it to {right}.")
    if not is_region and text in DEFAULT_EDGES:
        hint = f"Set the region to {text} in its place."
        raise UsageError(f"{place} is not an edge: {text} is a region", hint)
    if len(secret) >= _SHORTEST_SECRET and secret in text:  # DNS would get it in the clear
        raise UsageError(f"{place} contains the secret that belongs to your credentials")
    if isinstance(value, str) and re.fullmatch(_LABEL, text):
        return text
    message = f"{place} is not valid: {quoted(text)}"
    edge, _, region = text.partition(".")
    if region in DEFAULT_EDGES and re.fullmatch(_LABEL, edge):
        raise UsageError(message, f"Set region {region} and edge {edge} separately.")
    raise UsageError(
        message, "Use lowercase letters, digits and hyphens.", *(_known() if is_region else ())
    )


def _known() -> tuple[str]:
    return (f"Known regions: {', '.join(DEFAULT_EDGES)}.",)


def _host(region: str | None, edge: str | None, place: str) -> str:
    if not region and not edge:
        return "serverless.twilio.com"
    region = region or DEFAULT_REGION
    edge = edge or DEFAULT_EDGES.get(region)
    if not edge:
        message = f"region {region} (from {place}) is not known to twbuild"
        raise UsageError(message, *_known(), "For another one, set TWILIO_EDGE to its edge.")
    return f"serverless.{edge}.{region}.twilio.com"
