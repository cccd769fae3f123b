"""Where the API is: only hosts that may be given the credentials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from tests.support.command import ACCOUNT, KEY, SECRET, TOKEN
from twbuild.config import settings
from twbuild.errors import CredentialsError, UsageError

ENVIRON = {"TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": SECRET}
TOKENS = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
KNOWN = "Known regions: us1, us2, ie1, de1, au1, jp1, jp2, sg1, br1."
USE = "Use lowercase letters, digits and hyphens."
NEEDS_EDGE = "For another one, set TWILIO_EDGE to its edge."
SEPARATELY = "Set region ie1 and edge dublin separately."
UNKNOWN = "region xx9 (from TWILIO_REGION) is not known to twbuild"
NO_EDGE = "TWILIO_EDGE is not an edge: ie1 is a region"
# Source: https://www.twilio.com/docs/global-infrastructure/understanding-twilio-regions
EDGES = {
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


def loaded(**more: str) -> settings.Settings:
    return settings.load_settings({**ENVIRON, **more}, None)


def refusal(environ: Mapping[str, str], profile: str | None = None) -> str:
    """All that a user reads where an address cannot be used: message, then hints."""
    with pytest.raises(UsageError) as raised:
        settings.load_settings({**ENVIRON, **environ}, profile)

    assert raised.value.exit_code == 2
    return "\n".join([raised.value.message, *raised.value.hints])


def profile_in(folder: Path, entry: Mapping[str, object], edge: object = None) -> dict[str, str]:
    """An environment that leads to a profile `dev`; `edge` is the file's own."""
    usual = {"accountSid": ACCOUNT, "apiKey": KEY, "apiSecret": SECRET}
    content = {"profiles": {"dev": {**usual, **entry}}, "activeProject": "other", "edge": edge}
    (folder / "config.json").write_text(json.dumps(content))
    return {"TWILIO_CONFIG_DIR": str(folder)}


@pytest.mark.parametrize(
    ("region", "edge", "host"),
    [
        *((region, "", f"{edge}.{region}") for region, edge in EDGES.items()),
        ("", "sydney", "sydney.us1"),
        ("xx9", "nowhere", "nowhere.xx9"),
        (" ie1\n", "dublin ", "dublin.ie1"),
        ("a" * 32, "b", f"b.{'a' * 32}"),
    ],
)
def test_region_and_edge_choose_the_host(region: str, edge: str, host: str) -> None:
    found = loaded(TWILIO_REGION=region, TWILIO_EDGE=edge)

    assert found[1:] == (f"https://serverless.{host}.twilio.com", host.split(".")[1], False, True)


@pytest.mark.parametrize("name", ["TWILIO_REGION", "TWILIO_EDGE"])
@pytest.mark.parametrize(
    "value",
    [
        *("evil.example#", "evil.example/", "evil.example?", "x@evil.example", "evil\\"),
        *("a.b", ".", "a:1", "a b", "a\nb", "a%2e", "-a", "a-", "-", "a_b", "US1"),
        *("zürich", "а", "١", "a\u200b", "a" * 33, "##[x]", "\x1b[2J", '"us1"'),
    ],
)
def test_anything_but_a_lowercase_label_is_refused(name: str, value: str) -> None:
    reported = refusal({"TWILIO_REGION": "us1", name: value})

    assert reported.startswith(f"{name} is not valid: ")
    assert reported.partition("\n")[2] == (USE if name == "TWILIO_EDGE" else f"{USE}\n{KNOWN}")
    assert reported.replace("\n", "").isprintable()
    assert "##" not in reported


@pytest.mark.parametrize(
    ("region", "edge", "wanted"),
    [
        (" DUBLIN\n", "", "TWILIO_REGION is not a region: DUBLIN is an edge\nSet it to ie1."),
        ("dublin.ie1", "", f"TWILIO_REGION is not valid: 'dublin.ie1'\n{SEPARATELY}"),
        ("", "ie1", f"{NO_EDGE}\nSet the region to ie1 in its place."),
        ("xx9", "", f"{UNKNOWN}\n{KNOWN}\n{NEEDS_EDGE}"),
    ],
)
def test_what_may_be_meant_is_suggested(region: str, edge: str, wanted: str) -> None:
    assert refusal({"TWILIO_REGION": region, "TWILIO_EDGE": edge}) == wanted


@pytest.mark.parametrize("name", ["TWILIO_REGION", "TWILIO_EDGE"])
@pytest.mark.parametrize("form", [" {}\n", "{}.us1"])
@pytest.mark.parametrize("token", [TOKEN, "8letters"])
def test_a_secret_in_their_place_is_not_shown(name: str, form: str, token: str) -> None:
    environ = {**TOKENS, "TWILIO_AUTH_TOKEN": token, name: form.format(token)}
    with pytest.raises(UsageError, match=f"^{name} ") as raised:
        settings.load_settings(environ, None)

    assert token not in " ".join([raised.value.message, *raised.value.hints])


@pytest.mark.parametrize(
    ("variable", "entry", "edge", "host"),
    [
        ("", {"region": "ie1"}, None, "dublin.ie1"),
        ("", {"region": "ie1", "edge": "own"}, "top", "own.ie1"),
        ("variable", {"region": "ie1", "edge": "own"}, "top", "variable.ie1"),
        (" ", {"region": " ", "edge": None}, "top", "top.us1"),
        ("variable", {}, "top", "variable.us1"),
    ],
)
def test_a_profile_has_its_own_region_and_the_nearest_edge(
    tmp_path: Path, variable: str, entry: dict[str, object], edge: object, host: str
) -> None:
    """That of the variable, its own, or the file's."""
    more = {"TWILIO_REGION": "au1", "TWILIO_EDGE": variable}
    environ = {**ENVIRON, **profile_in(tmp_path, entry, edge), **more}

    url = settings.load_settings(environ, "dev").base_url
    assert url == f"https://serverless.{host}.twilio.com"


@pytest.mark.parametrize(
    ("entry", "edge", "wanted"),
    [
        ({"region": "dublin.ie1"}, None, "the region of profile dev in {}: 'dublin.ie1'\nSet"),
        ({"region": ["ie1"]}, None, "the region of profile dev in {}: "),
        ({"region": True}, None, "the region of profile dev in {}: 'True'\nUse"),
        ({"edge": 5}, "top", "the edge of profile dev in {}: '5'\nUse lowercase"),
        ({}, "a.b", "the edge in {}: 'a.b'\nUse lowercase"),
    ],
)
def test_a_bad_one_of_a_profile_names_profile_and_file(
    tmp_path: Path, entry: dict[str, object], edge: object, wanted: str
) -> None:
    place = f"{tmp_path / 'config.json'} is not valid"

    assert refusal(profile_in(tmp_path, entry, edge), "dev").startswith(wanted.format(place))


@pytest.mark.parametrize("url", ["HTTP://[x", "http://127.0.0.1:1"])
def test_an_address_in_twilios_place_stays_as_it_is_set(url: str) -> None:
    """`network_for` checks it. Region and edge no longer choose the host."""
    found = loaded(TWBUILD_API_URL=url, TWILIO_REGION="ie1")

    assert found[1:] == (url, "ie1", True, False)
    assert SECRET not in repr(found)
    assert settings.api_name({"TWBUILD_API_URL": url}) == "the API"


def test_empty_settings_and_an_unused_profile_count_for_nothing(tmp_path: Path) -> None:
    more = {"TWBUILD_API_URL": "", "TWILIO_REGION": " ", "TWILIO_EDGE": "\t\n"}
    found = loaded(**profile_in(tmp_path, {"region": "ie1", "edge": "own"}, "top"), **more)

    assert found[1:] == ("https://serverless.twilio.com", "us1", False, False)
    assert settings.api_name({"TWBUILD_API_URL": ""}) == "Twilio"


def test_bad_credentials_are_reported_before_a_bad_region() -> None:
    with pytest.raises(CredentialsError):
        settings.load_settings({"TWILIO_API_KEY": KEY, "TWILIO_REGION": "##"}, None)


@given(st.text(max_size=40), st.text("abz019-.#/@\\ ", max_size=40))
def test_no_text_leads_the_credentials_away(region: str, edge: str) -> None:
    try:
        found = loaded(TWILIO_REGION=region, TWILIO_EDGE=edge)
    except UsageError:
        return
    parts = parse_url(found.base_url)
    assert parts.scheme == "https"
    assert f".{parts.host}".endswith(".twilio.com")
    assert (parts.auth, parts.port, parts.path, parts.query) == (None, None, None, None)
