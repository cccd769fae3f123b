"""Where the API is: only hosts that may be given the credentials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from tests.support.command import ACCOUNT, KEY, SECRET, TOKEN
from twbuild.config import settings
from twbuild.errors import CredentialsError, UsageError

ENVIRON = {"TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": SECRET}


def loaded(**more: str) -> settings.Settings:
    return settings.load_settings({**ENVIRON, **more}, None)


def refusal(**more: str) -> str:
    """All that people get to read where an address is no good: message, then hints."""
    with pytest.raises(UsageError) as raised:
        loaded(**more)

    assert raised.value.exit_code == 2
    return "\n".join([raised.value.message, *raised.value.hints])


class TestRegionAndEdge:
    @pytest.mark.parametrize(
        ("region", "edge", "host"),
        [
            ("", "", "serverless.twilio.com"),
            ("", "sydney", "serverless.sydney.us1.twilio.com"),
            ("us1", "", "serverless.ashburn.us1.twilio.com"),
            ("us2", "", "serverless.umatilla.us2.twilio.com"),
            ("ie1", "", "serverless.dublin.ie1.twilio.com"),
            ("de1", "", "serverless.frankfurt.de1.twilio.com"),
            ("au1", "", "serverless.sydney.au1.twilio.com"),
            ("jp1", "", "serverless.tokyo.jp1.twilio.com"),
            ("jp2", "", "serverless.osaka.jp2.twilio.com"),
            ("sg1", "", "serverless.singapore.sg1.twilio.com"),
            ("br1", "", "serverless.sao-paulo.br1.twilio.com"),
            ("ie1", "ashburn", "serverless.ashburn.ie1.twilio.com"),
            ("xx9", "nowhere", "serverless.nowhere.xx9.twilio.com"),
            (" ie1\n", "dublin ", "serverless.dublin.ie1.twilio.com"),
            ("a" * 32, "b", f"serverless.b.{'a' * 32}.twilio.com"),
        ],
    )
    def test_choose_the_host(self, region: str, edge: str, host: str) -> None:
        found = loaded(TWILIO_REGION=region, TWILIO_EDGE=edge)

        assert found.base_url == f"https://{host}"
        assert found.region == (region.strip() or "us1")
        assert found.is_regional == bool(region or edge)
        assert not found.is_custom

    @pytest.mark.parametrize("name", ["TWILIO_REGION", "TWILIO_EDGE"])
    @pytest.mark.parametrize(
        "value",
        [
            *("evil.example#", "evil.example/", "evil.example?", "x@evil.example", "evil\\"),
            *("a.b", ".", "..", "a:1", "a b", "a\nb", "a\tb", "a%2e"),
            *("-a", "a-", "-", "_", "a_b", "US1", "zürich", "а", "١", "a\u200b"),
            *("a" * 33, "##[x]", "\x1b[2J", '"us1"'),
        ],
    )
    def test_anything_but_one_small_label_is_refused_by_name(self, name: str, value: str) -> None:
        reported = refusal(**{"TWILIO_REGION": "us1", name: value})

        assert reported.startswith(f"{name} is not valid: ")
        assert "lowercase letters, digits and hyphens" in reported
        assert reported.replace("\n", "").isprintable()
        assert "##" not in reported

    @pytest.mark.parametrize("value", ["dublin", "Dublin", " DUBLIN\n"])
    def test_an_edge_in_a_regions_place_is_called_one(self, value: str) -> None:
        refused = refusal(TWILIO_REGION=value)

        assert refused.startswith("TWILIO_REGION is not a region: ")
        assert refused.endswith("is an edge\nSet it to ie1.")

    @pytest.mark.parametrize("blank", ["", " ", "\n", "\t\r\n"])
    def test_one_of_white_space_only_counts_as_unset(self, tmp_path: Path, blank: str) -> None:
        found = loaded(TWILIO_REGION=blank, TWILIO_EDGE=blank)
        assert found.base_url == "https://serverless.twilio.com"

        environ = {**profile_in(tmp_path, {"region": blank, "edge": "tokyo"}), "TWILIO_EDGE": blank}
        assert (
            settings.load_settings(environ, "dev").base_url
            == "https://serverless.tokyo.us1.twilio.com"
        )

    def test_a_region_with_an_unknown_edge_needs_one(self) -> None:
        assert refusal(TWILIO_REGION="xx9") == (
            "region xx9 is not known to twbuild\n"
            "Known regions: us1, us2, ie1, de1, au1, jp1, jp2, sg1, br1.\n"
            "For another one, set TWILIO_EDGE to its edge."
        )

    @pytest.mark.parametrize("name", ["TWILIO_REGION", "TWILIO_EDGE"])
    @pytest.mark.parametrize("form", ["{}", " {}\n", "{}.us1", "['{}']"])
    @pytest.mark.parametrize("token", [TOKEN, "0123456789abcdef" * 2])
    def test_a_secret_in_their_place_is_not_shown(self, name: str, form: str, token: str) -> None:
        environ = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": token}
        with pytest.raises(UsageError) as raised:
            settings.load_settings({**environ, name: form.format(token)}, None)

        assert token not in " ".join([raised.value.message, *raised.value.hints])
        assert name in raised.value.message

    def test_both_in_one_are_distinguished(self) -> None:
        assert refusal(TWILIO_REGION="dublin.ie1") == (
            "TWILIO_REGION is not valid: 'dublin.ie1'\nSet region ie1 and edge dublin separately."
        )

    @pytest.mark.parametrize(
        ("entry", "wanted"),
        [
            ({"region": "ie1"}, "https://serverless.dublin.ie1.twilio.com"),
            ({"region": "ie1", "edge": "ashburn"}, "https://serverless.ashburn.ie1.twilio.com"),
            ({}, "https://serverless.tokyo.us1.twilio.com"),
            ({"region": None, "edge": None}, "https://serverless.tokyo.us1.twilio.com"),
        ],
    )
    def test_of_a_profile(self, tmp_path: Path, entry: dict[str, object], wanted: str) -> None:
        top = "tokyo" if "region" not in entry or entry["region"] is None else None
        environ = profile_in(tmp_path, entry, top)

        assert settings.load_settings({**environ, "TWILIO_REGION": "au1"}, "dev").base_url == wanted

    @pytest.mark.parametrize(
        ("entry", "message", "hint"),
        [
            (
                {"region": "dublin.ie1"},
                "the region of profile dev in {} is not valid: 'dublin.ie1'",
                "Set region ie1 and edge dublin separately.",
            ),
            ({"region": ["ie1"]}, "the region of profile dev in {} is not valid", "Use lowercase"),
            (
                {"region": {"a": 1}},
                "the region of profile dev in {} is not valid",
                "Use lowercase",
            ),
            (
                {"region": True},
                "the region of profile dev in {} is not valid: 'True'",
                "Use lowercase",
            ),
            ({"region": 1.5}, "the region of profile dev in {} is not valid", "Use lowercase"),
            ({"edge": 5}, "the edge of profile dev in {} is not valid: '5'", "Use lowercase"),
            ({"edge": "a/b"}, "the edge of profile dev in {} is not valid", "Use lowercase"),
            ({"edge": {"a": 1}}, "the edge of profile dev in {} is not valid", "Use lowercase"),
        ],
    )
    def test_a_bad_one_of_a_profile_names_profile_and_file(
        self, tmp_path: Path, entry: dict[str, object], message: str, hint: str
    ) -> None:
        with pytest.raises(UsageError) as raised:
            settings.load_settings(profile_in(tmp_path, entry), "dev")

        assert raised.value.message.startswith(message.format(tmp_path / "config.json"))
        assert raised.value.hints[0].startswith(hint)

    def test_a_bad_edge_of_the_file_names_the_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"^the edge in .*config.json is not valid"):
            settings.load_settings(profile_in(tmp_path, {}, "a.b"), "dev")


def profile_in(folder: Path, entry: dict[str, object], edge: object = None) -> dict[str, str]:
    usual = {"accountSid": ACCOUNT, "apiKey": KEY, "apiSecret": SECRET}
    content = {"profiles": {"dev": {**usual, **entry}}, "activeProject": "other", "edge": edge}
    (folder / "config.json").write_text(json.dumps(content))
    return {"TWILIO_CONFIG_DIR": str(folder)}


class TestAddressInTwiliosPlace:
    def test_stays_as_it_is_set_until_the_network_is_made(self) -> None:
        found = loaded(TWBUILD_API_URL="HTTP://[x")

        assert (found.base_url, found.is_custom, found.is_regional) == ("HTTP://[x", True, False)

    def test_an_empty_one_counts_as_unset(self) -> None:
        found = loaded(TWBUILD_API_URL="")

        assert found.base_url == "https://serverless.twilio.com"
        assert not found.is_custom

    def test_region_and_edge_no_longer_choose_the_host(self) -> None:
        found = loaded(TWBUILD_API_URL="http://127.0.0.1:1", TWILIO_REGION="ie1")

        assert (found.base_url, found.region, found.is_regional) == (
            "http://127.0.0.1:1",
            "ie1",
            False,
        )


def test_bad_credentials_are_reported_before_a_bad_address() -> None:
    with pytest.raises(CredentialsError):
        settings.load_settings({"TWILIO_API_KEY": KEY, "TWBUILD_API_URL": "junk"}, None)


def test_no_secret_is_in_repr() -> None:
    found = loaded(TWBUILD_API_URL="http://127.0.0.1:1")

    assert (found.credentials.username, found.credentials.password) == (KEY, SECRET)
    assert SECRET not in repr(found)


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
