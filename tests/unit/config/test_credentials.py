"""One source gives the whole set of credentials, broken ones are named, none is ever shown."""

from __future__ import annotations

import json
import re
import shlex
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.command import ACCOUNT, KEY, SECRET, TOKEN
from twbuild.config import credentials, profiles
from twbuild.config.credentials import Credentials
from twbuild.errors import CredentialsError

ACCOUNT_SID, AUTH_TOKEN = "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"
API_KEY, API_SECRET = "TWILIO_API_KEY", "TWILIO_API_SECRET"
PROFILE_KEY, PROFILE_SECRET = "SK" + "e5" * 16, "pr0f1l" * 5 + "33"
USUAL = {"accountSid": ACCOUNT, "apiKey": PROFILE_KEY, "apiSecret": PROFILE_SECRET}

PAIR = {API_KEY: KEY, API_SECRET: SECRET}
TOKENS = {ACCOUNT_SID: ACCOUNT, AUTH_TOKEN: TOKEN}
NO_TOKENS, NO_PAIR = dict.fromkeys(TOKENS, ""), dict.fromkeys(PAIR, "")
EMPTY = "is empty: does the CI job have this secret?"
BOTH_OF_PAIR = "Set both TWILIO_API_KEY and TWILIO_API_SECRET."
BOTH_TOKENS = "Set both TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN."
NO_SECRET = f"{API_SECRET} is not set. {BOTH_OF_PAIR}"
NO_ACCOUNT = f"{ACCOUNT_SID} is not set. {BOTH_TOKENS}"
MISNAMED = "is set, but its name should be"
NEAR_MISS = f"{NO_SECRET}\nTWILIO_API_KEY_SECRET {MISNAMED} {API_SECRET}."
# User name, password, where they came from, and whose entry of a project file is meant.
FROM_PAIR = (KEY, SECRET, "TWILIO_API_KEY and TWILIO_API_SECRET", None)
FROM_TOKENS = (ACCOUNT, TOKEN, "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN", ACCOUNT)
FROM_ACTIVE = (PROFILE_KEY, PROFILE_SECRET, "the active profile dev in {path}", ACCOUNT)
FROM_NAMED = (PROFILE_KEY, PROFILE_SECRET, "profile dev in {path}", ACCOUNT)


class Config:
    """The file of twilio-cli, and an environment that leads to it."""

    def __init__(self, home: Path) -> None:
        self.path = home / ".twilio-cli" / "config.json"
        self.path.parent.mkdir()
        self.home = {"HOME": str(home)}

    def write(self, active: object = "dev", entries: object = None, **more: object) -> None:
        entries = {"dev": USUAL} if entries is None else entries
        self.path.write_text(json.dumps({"profiles": entries, "activeProject": active, **more}))

    def find(self, name: str | None = None, **environ: str) -> Credentials:
        return credentials.find({**self.home, **environ}, name)

    def refusal(self, name: str | None = None, **environ: str) -> str:
        """The message without credentials, in which the file is `{path}`."""
        return refusal({**self.home, **environ}, name).replace(str(self.path), "{path}")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path)


def refusal(environ: Mapping[str, str], name: str | None = None) -> str:
    """All that a user reads where the credentials cannot be used: message, then hints."""
    with pytest.raises(CredentialsError) as raised:
        credentials.find(environ, name)

    reported = "\n".join([raised.value.message, *raised.value.hints])
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + reported
    assert not [secret for secret in (SECRET, TOKEN, PROFILE_SECRET) if secret in shown]
    assert raised.value.exit_code == 4
    return reported


@pytest.mark.parametrize(
    ("environ", "name", "found"),
    [
        (PAIR, None, FROM_PAIR),
        (TOKENS, None, FROM_TOKENS),
        (TOKENS | PAIR, None, (*FROM_PAIR[:3], ACCOUNT)),
        (PAIR | {ACCOUNT_SID: f"{ACCOUNT.lower()}\n"}, None, (*FROM_PAIR[:3], ACCOUNT.lower())),
        (TOKENS | {ACCOUNT_SID: KEY}, None, (KEY, *FROM_TOKENS[1:3], None)),
        (TOKENS | NO_PAIR, None, FROM_TOKENS),
        (TOKENS | {API_KEY: " \n"}, None, FROM_TOKENS),
        (PAIR | NO_TOKENS, None, FROM_PAIR),
        (TOKENS | PAIR, "dev", FROM_NAMED),
        ({}, None, FROM_ACTIVE),
        (NO_TOKENS | NO_PAIR | {ACCOUNT_SID: ACCOUNT}, None, FROM_ACTIVE),
    ],
)
def test_profile_then_key_then_token_then_active_profile(
    config: Config, environ: dict[str, str], name: str | None, found: tuple[str, ...]
) -> None:
    config.write()

    username, password, source, account, *_ = config.find(name, **environ)
    assert (username, password, source.replace(str(config.path), "{path}"), account) == found


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        (TOKENS | {API_KEY: KEY}, NO_SECRET),
        ({API_SECRET: SECRET}, f"{API_KEY} is not set. {BOTH_OF_PAIR}"),
        (PAIR | {API_SECRET: " \r\n"}, f"{API_SECRET} {EMPTY} {BOTH_OF_PAIR}"),
        (TOKENS | {ACCOUNT_SID: ""}, f"{ACCOUNT_SID} {EMPTY} {BOTH_TOKENS}"),
        ({API_KEY: KEY, "TWILIO_API_KEY_SECRET": "x", "AUTH_TOKEN": "x"}, NEAR_MISS),
        ({AUTH_TOKEN: "x", "TWILIO_TOKEN": "x", "ACCOUNT_SID": ""}, NO_ACCOUNT),
    ],
)
def test_half_a_pair_names_the_missing_variable(
    config: Config, environ: dict[str, str], wanted: str
) -> None:
    config.write()

    assert config.refusal(**environ) == wanted


def test_without_any_the_ways_to_have_some_are_listed(config: Config) -> None:
    login = "run    twilio login, then this command again\n"
    without_login = (
        "no credentials found. Do one of these:\n"
        f"set    {API_KEY} and {API_SECRET}, or {ACCOUNT_SID} and {AUTH_TOKEN}\n"
        "try    twbuild sandbox, which needs no account\n"
        "There is no file {path}."
    )

    assert config.refusal() == without_login.replace("try  ", f"{login}try  ")
    assert config.refusal(CI="false") == config.refusal(AUTH_TOKEN="") == config.refusal()
    assert config.refusal(CI="true") == without_login


@pytest.mark.parametrize(
    ("environ", "causes"),
    [
        *(({name: ""}, [f"{name} {EMPTY}"]) for name in (API_KEY, API_SECRET)),
        (NO_TOKENS, [f"{ACCOUNT_SID} {EMPTY}", f"{AUTH_TOKEN} {EMPTY}"]),
        ({ACCOUNT_SID: ACCOUNT}, [f"{ACCOUNT_SID} is set, but {AUTH_TOKEN} is not. Set both."]),
        ({"ACCOUNT_SID": ACCOUNT}, [f"ACCOUNT_SID {MISNAMED} {ACCOUNT_SID}."]),
        ({ACCOUNT_SID: "AC", "TWILIO_TOKEN": "x"}, [f"TWILIO_TOKEN {MISNAMED} {AUTH_TOKEN}."]),
    ],
)
def test_where_the_cause_is_known_it_comes_first(
    config: Config, environ: dict[str, str], causes: list[str]
) -> None:
    wanted = "\n".join([*causes, "There is no file {path}."])

    assert config.refusal(**environ) == f"no credentials found: {wanted}"


class TestValues:
    @pytest.mark.parametrize("spaced", ["{}\r\n", " {}", "\t{} ", "\u00a0{}", "{}\u2028"])
    def test_white_space_at_both_ends_is_stripped(self, config: Config, spaced: str) -> None:
        config.write(entries={"dev": {key: spaced.format(value) for key, value in USUAL.items()}})

        found = config.find(**{name: spaced.format(value) for name, value in TOKENS.items()})
        of_profile = config.find()
        assert (found.username, found.password, found.account) == (ACCOUNT, TOKEN, ACCOUNT)
        assert (*of_profile[:2], of_profile.account) == (PROFILE_KEY, PROFILE_SECRET, ACCOUNT)

    @pytest.mark.parametrize(
        ("form", "wanted"),
        [
            ('"{}"', 'begins with a quotation mark (")\nRemove it.'),
            ("{}'", "ends with a quotation mark (')\nRemove it."),
            (" `{} ", "begins with a quotation mark (`)\nRemove it."),
            ("{}€", "contains '€' (U+20AC), which is not printable ASCII\nCopy it again from"),
            ("{0}\n{0}", r"contains '\n' (U+000A)"),
            ("\ufeff{}", r"contains '\ufeff' (U+FEFF)"),
            ("{}\udcff", r"contains '\udcff' (U+DCFF)"),
        ],
    )
    def test_a_value_unlike_a_credential_is_named_not_shown(
        self, config: Config, form: str, wanted: str
    ) -> None:
        for pair in (PAIR | {ACCOUNT_SID: ACCOUNT}, TOKENS):
            for name, value in pair.items():
                reported = refusal(pair | {name: form.format(value)})
                assert reported.startswith(f"{name} {wanted}")
                assert value not in reported
        for key, usual in USUAL.items():
            config.write(entries={"dev": USUAL | {key: form.format(usual)}})
            assert config.refusal().startswith(f"{key} of profile dev {wanted}")

    @pytest.mark.parametrize(
        "value",
        [
            *("$TOKEN", "${TOKEN}", "$(TOKEN)", "${{ secrets.TOKEN }}", "{{ token }}", "{{token}}"),
            *("$env:TOKEN", "AC${TOKEN}", "#{Token}", "%TOKEN%", "<token>", "<your auth token>"),
            *("***", "*", "op://vault/item", "OP://vault/item/field", "ref+vault://a/b"),
            *("null", "undefined", "None", "nil", "SK...", "AC\u2026", "your_auth_token", "ACXXXX"),
        ],
    )
    def test_an_unreplaced_placeholder_is_refused_and_not_repeated(self, value: str) -> None:
        why = "is a placeholder that was not replaced with its value"

        assert refusal(PAIR | {API_SECRET: f" {value}\n"}) == f"{API_SECRET} {why}"

    def test_an_account_in_an_api_keys_place_is_refused(self, config: Config) -> None:
        wrong = (
            "is an Account SID (AC...), not an API key (SK...)\n"
            f"An account's token belongs in {AUTH_TOKEN}, beside {ACCOUNT_SID}."
        )
        config.write(entries={"dev": USUAL | {"apiKey": ACCOUNT}})

        assert config.refusal(**PAIR | {API_KEY: ACCOUNT}) == f"{API_KEY} {wrong}"
        assert config.refusal() == f"apiKey of profile dev {wrong}"

    @pytest.mark.parametrize("value", ["a b", "XaX", "a'b", "~!@#$%^&*()_+{}|<>?:"])
    def test_printable_ascii_inside_is_let_through(self, value: str) -> None:
        assert credentials.find(TOKENS | {AUTH_TOKEN: value}, None).password == value

    @pytest.mark.parametrize("environ", [PAIR, TOKENS])
    def test_no_secret_is_in_repr_or_str(self, environ: dict[str, str]) -> None:
        found = credentials.find(environ, None)

        assert repr(found) == f"Credentials({found.username}, from '{found.source}')"
        assert found.password not in f"{found} {found.source} {found.hint}"
        assert found.hint is None

    def test_user_name_and_secret_swapped_work_with_a_hint(self) -> None:
        key = credentials.find({ACCOUNT_SID: KEY, AUTH_TOKEN: SECRET}, None)
        swapped = credentials.find({API_KEY: SECRET, API_SECRET: KEY}, None)

        use = f"Set {API_KEY} and {API_SECRET} instead."
        assert key[:2] == (KEY, SECRET)
        assert key.hint == f"{ACCOUNT_SID} contains an API key (SK...). {use}"
        assert (swapped.hint or "").endswith("are user name and secret swapped?")
        assert swapped.shown_name == "a user name that is not a SID"

    @pytest.mark.parametrize("sid", [f"{ACCOUNT}:{TOKEN}", None, KEY, "", [ACCOUNT]])
    def test_what_is_no_account_is_no_profiles_account(self, config: Config, sid: object) -> None:
        config.write(entries={"dev": USUAL | {"accountSid": sid}})

        assert config.find(**{ACCOUNT_SID: ACCOUNT}).account is None


class TestProfiles:
    def test_a_missing_profile_lists_others_and_how_to_make_it(self, config: Config) -> None:
        config.write(entries={"dev": USUAL, "prod": USUAL})
        assert config.refusal("new") == (
            "no profile new in {path}\n"
            "It has 2 profiles: dev, prod\n"
            "Create it with: twilio profiles:create -p new"
        )
        for entries in ({}, 5, {"dev": 5}):
            config.write(entries=entries, active="")
            assert config.refusal("dev").splitlines()[1] == "It has no profiles."
            assert config.refusal().endswith("\n{path} has no profiles.")

    @pytest.mark.parametrize("active", [None, "", ["dev"]])
    def test_where_none_is_active_there_is_no_guess(self, config: Config, active: object) -> None:
        config.write(active)

        assert config.refusal() == (
            "no profile is active in {path}\n"
            "It has 1 profile: dev\n"
            "Make one active with: twilio profiles:use dev\n"
            "Or use one once with: twbuild wait -p dev"
        )

    def test_an_old_twilio_clis_entry_has_no_secret(self, config: Config) -> None:
        config.write("old", {}, projects=["junk", {}, {"id": "old", "accountSid": ACCOUNT}])

        assert (
            config.refusal()
            == config.refusal("old")
            == (
                "profile old in {path} has no secret: an old twilio-cli wrote it\n"
                "Recreate it with: twilio profiles:create -p old"
            )
        )

    @pytest.mark.parametrize("value", [None, "  ", ["x"]])
    @pytest.mark.parametrize("key", ["apiKey", "apiSecret"])
    def test_a_profile_without_its_secret_says_which_is_missing(
        self, config: Config, key: str, value: object
    ) -> None:
        config.write(entries={"dev": USUAL | {key: value}})

        recreate = "Recreate it with: twilio profiles:create -p dev"
        assert config.refusal() == f"profile dev in {{path}} has no {key}\n{recreate}"


def commands(reported: str) -> list[list[str]]:
    """The words that a shell makes of each command in a message."""
    return [shlex.split(command) for command in re.findall("with: (.+)$", reported, re.MULTILINE)]


@pytest.mark.parametrize("name", ["a space", "it's", "-n", "$(touch x)"])
def test_every_command_in_a_message_can_be_pasted(config: Config, name: str) -> None:
    create = ["twilio", "profiles:create", "-p", name]
    use = ["twilio", "profiles:use", *(["--"] if name == "-n" else []), name]

    config.write(None, {name: USUAL})
    assert commands(config.refusal()) == [use, ["twbuild", "wait", "-p", name]]
    config.write(name, {name: {}})
    assert commands(config.refusal()) == [create]
    config.write(entries={}, projects=[{"id": name}])
    assert commands(config.refusal(name)) == [create]
    config.write()
    assert commands(config.refusal(name)) == [create]


@pytest.mark.parametrize("end", [r"\r", " ", r"\ufe0f", r"\x1b"])
def test_what_is_invisible_in_a_name_is_shown(config: Config, end: str) -> None:
    typed = f"dev{end.encode().decode('unicode_escape')}"
    config.write()
    assert config.refusal(typed).splitlines() == [
        f"no profile 'dev{end}' in {{path}}",
        "It has 1 profile: dev",
        "Profile dev exists: write its name without invisible characters.",
    ]
    config.write(entries={"other": USUAL})
    assert config.refusal(typed).splitlines()[1:] == ["It has 1 profile: other"]
    config.write(None, {typed: USUAL})
    assert config.refusal().splitlines()[1] == f"It has 1 profile: 'dev{end}'"


class TestFile:
    def test_no_active_profile_is_used_where_one_must_be_named(self, config: Config) -> None:
        config.write(requireProfileInput=True)

        assert config.refusal() == (
            "no profile named: {path} has requireProfileInput. Pass -p NAME\n"
            "It has 1 profile: dev\n"
            "For example: twbuild wait -p dev"
        )
        assert config.find("dev").username == PROFILE_KEY
        assert config.find(**PAIR).username == KEY
        config.write("old", {}, requireProfileInput=True)
        assert config.refusal().endswith("It has no profiles.\nFor example: twbuild wait -p NAME")

    def test_many_and_hostile_profiles_are_shown_and_do_nothing(self, config: Config) -> None:
        hostile = "\x1b[2J##[error]\n::error::x\u202e\ud800"
        config.write(None, dict.fromkeys([hostile, *map(str, range(3_000))], USUAL))

        for reported in (config.refusal(), config.refusal("\x1b##")):
            assert "It has 3001 profiles: " in reported
            assert ", 8, and 2991 more" in reported
            assert reported.replace("\n", "").isprintable()
            assert not re.search("##|^::", reported, re.MULTILINE)

    def test_the_names_for_completion(self, config: Config) -> None:
        assert profiles.names(config.home) == []
        config.write(entries={"dev": USUAL, "prod": USUAL, "broken": None})
        assert profiles.names(config.home) == ["dev", "prod"]
        config.path.write_text("{")
        assert profiles.names(config.home) == profiles.names({"HOME": "relative"}) == []

    def test_a_broken_file_matters_only_where_it_is_needed(self, config: Config) -> None:
        config.path.write_text("")

        wanted = "{path} cannot be read: empty\nTo write it again, run twilio login"
        assert config.find(**TOKENS).username == ACCOUNT
        assert config.refusal() == config.refusal("dev", **TOKENS) == wanted
        config.path.unlink()
        config.path.mkdir()  # which no login would write
        assert config.refusal() == "{path} cannot be read: not a regular file"

    def test_twilio_config_dir_comes_before_home(self, config: Config, tmp_path: Path) -> None:
        config.write(entries={"dev": USUAL | {"apiKey": KEY}})
        (tmp_path / "config.json").write_bytes(config.path.read_bytes())
        config.write()

        assert config.find(TWILIO_CONFIG_DIR=str(tmp_path)).username == KEY
        assert config.find(TWILIO_CONFIG_DIR="").username == PROFILE_KEY

    @pytest.mark.parametrize(
        ("folder", "hints"),
        [
            ("~", ["begins with ~, which was not expanded. Write $HOME in its place."]),
            (__file__, ["is a file. Set it to the folder that contains config.json."]),
            ("/x", []),
        ],
    )
    def test_without_a_file_its_path_is_named(self, folder: str, hints: list[str]) -> None:
        for name, missing in ((None, f"file {folder}/"), ("dev", "such file.")):
            reported = refusal({"TWILIO_CONFIG_DIR": folder}, name)
            assert f"{folder}/config.json" in reported
            assert f"There is no {missing}" in reported
            assert re.findall("^TWILIO_CONFIG_DIR (.*)", reported, re.MULTILINE) == hints

    @pytest.mark.parametrize("home", ["", "relative"])
    def test_the_working_directory_never_becomes_the_home_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
    ) -> None:
        def no_user(_: int) -> Any:
            raise KeyError

        (tmp_path / home).mkdir(exist_ok=True)
        Config(tmp_path / home).write()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("pwd.getpwuid", no_user)

        no_profile = (
            "no profile dev in twilio-cli's config.json\nNeither HOME nor TWILIO_CONFIG_DIR"
        )
        assert refusal({"HOME": home}, "dev").startswith(no_profile)
        assert refusal({"HOME": home}).startswith("no credentials found")


NAMES = st.sampled_from(["dev", "id", "apiKey", "apiSecret", "accountSid", "region", "edge"])
JUNK = st.recursive(
    st.sampled_from([None, True, 7, 1.5, "", "dev", KEY, ACCOUNT, '"', "\x1b", "##", "é"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner),
    max_leaves=4,
)
PARTS = dict.fromkeys(("projects", "activeProject", "requireProfileInput", "edge"), JUNK)
PROFILES = JUNK | st.fixed_dictionaries({"dev": JUNK | st.dictionaries(NAMES, JUNK)})
CONTENTS = st.fixed_dictionaries({}, optional={**PARTS, "profiles": PROFILES})


@given(CONTENTS, st.sampled_from([None, "dev"]))
def test_a_file_of_whatever_shape_gives_credentials_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object], name: str | None
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "config.json").write_text(json.dumps(content))
    try:
        found = credentials.find({"TWILIO_CONFIG_DIR": str(folder)}, name)
    except CredentialsError as refused:
        reported = "".join([refused.message, *refused.hints])
    else:
        reported = found.username + found.password + found.source
    assert reported.isprintable()


@given(st.text(st.characters(exclude_characters="\0"), min_size=1))
def test_junk_is_a_credential_for_http_or_is_refused(value: str) -> None:
    try:
        found = credentials.find(TOKENS | {AUTH_TOKEN: value}, None)
    except CredentialsError as refused:
        shown = "\n".join([refused.message, *refused.hints])
        assert shown.replace("\n", "").isprintable()
        assert len(value.strip()) < 6 or value.strip() not in shown
    else:
        assert re.fullmatch("[ -~]+", found.password)
        assert found.password == value.strip()
