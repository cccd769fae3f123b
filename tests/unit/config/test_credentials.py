"""One source gives the whole set of credentials, broken ones are named, none is ever shown."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.command import ACCOUNT, KEY, SECRET, TOKEN
from twbuild.config import credentials
from twbuild.config import profiles as profiles_file
from twbuild.config.credentials import Credentials
from twbuild.errors import CredentialsError

ACCOUNT_SID, AUTH_TOKEN = "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"
API_KEY, API_SECRET = "TWILIO_API_KEY", "TWILIO_API_SECRET"

PROFILE_KEY = "SK" + "e5" * 16
PROFILE_SECRET = "pr0f1l" * 5 + "33"
OTHER_SECRET = "0ther5" * 5 + "11"

PAIR = {API_KEY: KEY, API_SECRET: SECRET}
TOKENS = {ACCOUNT_SID: ACCOUNT, AUTH_TOKEN: TOKEN}

PLACEHOLDERS = [
    *("$TOKEN", "${TOKEN}", "$(TOKEN)", "${{ secrets.TOKEN }}", "{{ token }}", "{{token}}"),
    *("$env:TOKEN", "AC${TOKEN}", "#{Token}", "%TOKEN%", "<token>", "<your auth token>"),
    *("***", "*", "op://vault/item", "OP://vault/item/field", "ref+vault://a/b"),
    *("null", "undefined", "None", "nil"),
]

NAMES = [
    "Sample CLI Example",
    "it's",
    'say "x"',
    "-n",
    "$(touch x)",
    "a##b",
    "two\nlines",
    "\x1b",
    "ü",
]

SECRETS = (SECRET, TOKEN, PROFILE_SECRET, OTHER_SECRET)


class Config:
    """The folder of twilio-cli, and an environment that leads to it."""

    def __init__(self, home: Path) -> None:
        self.path = home / ".twilio-cli" / "config.json"
        self.path.parent.mkdir()
        self.environ = {"HOME": str(home)}

    def write(self, content: object) -> None:
        self.path.write_text(json.dumps(content))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path)


def profile(**more: object) -> dict[str, object]:
    usual = {"accountSid": ACCOUNT, "apiKey": PROFILE_KEY, "apiSecret": PROFILE_SECRET}
    return {**usual, **more}


def profiles(active: object = "dev", **entries: object) -> dict[str, object]:
    return {"profiles": entries or {"dev": profile()}, "activeProject": active}


def refusal(environ: Mapping[str, str], name: str | None = None) -> str:
    """All that people get to read where the credentials are no good: message, then hints."""
    with pytest.raises(CredentialsError) as raised:
        credentials.find(environ, name)

    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert not [secret for secret in SECRETS if secret in shown + "".join(raised.value.hints)]
    assert raised.value.exit_code == 4
    return "\n".join([raised.value.message, *raised.value.hints])


def commands(reported: str) -> list[list[str]]:
    """The words that bash makes of each command in a message."""
    found = re.findall("with: (.+)$", reported, re.MULTILINE)
    script = "".join(f"printf '%s\\0' {command}; printf '\\0'; " for command in found)
    shell = ["bash", "--norc", "-c", script]
    done = subprocess.run(shell, stdout=subprocess.PIPE, check=True, timeout=30)
    return [words.split("\0") for words in done.stdout.decode().split("\0\0")[:-1]]


class TestSources:
    @pytest.mark.parametrize(
        ("environ", "username", "password", "source"),
        [
            (PAIR, KEY, SECRET, "TWILIO_API_KEY and TWILIO_API_SECRET"),
            (TOKENS, ACCOUNT, TOKEN, "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"),
            ({**TOKENS, **PAIR}, KEY, SECRET, "TWILIO_API_KEY and TWILIO_API_SECRET"),
            (
                {**TOKENS, API_KEY: "", API_SECRET: ""},
                ACCOUNT,
                TOKEN,
                "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN",
            ),
            (
                {**PAIR, ACCOUNT_SID: "", AUTH_TOKEN: ""},
                KEY,
                SECRET,
                "TWILIO_API_KEY and TWILIO_API_SECRET",
            ),
        ],
    )
    def test_the_environment_and_in_it_the_key_before_the_token(
        self, config: Config, environ: dict[str, str], username: str, password: str, source: str
    ) -> None:
        config.write(profiles())

        found = credentials.find({**config.environ, **environ}, None)

        assert (found.username, found.password, found.source) == (username, password, source)

    def test_a_named_profile_comes_before_the_environment(self, config: Config) -> None:
        config.write(profiles(active="other"))

        found = credentials.find({**config.environ, **PAIR, **TOKENS}, "dev")

        assert (found.username, found.password) == (PROFILE_KEY, PROFILE_SECRET)
        assert found.source == f"profile dev in {config.path}"

    @pytest.mark.parametrize(
        "environ",
        [
            {},
            {ACCOUNT_SID: ACCOUNT},
            {ACCOUNT_SID: ACCOUNT, AUTH_TOKEN: "", API_KEY: "", API_SECRET: ""},
        ],
        ids=["nothing", "a lone account", "the rest is empty"],
    )
    def test_the_active_profile_where_the_environment_is_no_source(
        self, config: Config, environ: dict[str, str]
    ) -> None:
        config.write(profiles())

        found = credentials.find({**config.environ, **environ}, None)

        assert (found.username, found.password) == (PROFILE_KEY, PROFILE_SECRET)
        assert found.source == f"the active profile dev in {config.path}"

    @pytest.mark.parametrize(
        ("environ", "wanted"),
        [
            ({API_KEY: KEY}, "TWILIO_API_SECRET is not set. .*TWILIO_API_KEY"),
            ({API_SECRET: SECRET}, "TWILIO_API_KEY is not set. .*TWILIO_API_SECRET"),
            ({AUTH_TOKEN: TOKEN}, "TWILIO_ACCOUNT_SID is not set. .*TWILIO_AUTH_TOKEN"),
            ({**TOKENS, API_KEY: KEY}, "TWILIO_API_SECRET is not set"),
            ({**PAIR, API_SECRET: ""}, "TWILIO_API_SECRET is empty. .*TWILIO_API_KEY"),
            ({**PAIR, API_SECRET: " \r\n"}, "TWILIO_API_SECRET is empty"),
            ({**TOKENS, ACCOUNT_SID: ""}, "TWILIO_ACCOUNT_SID is empty"),
        ],
    )
    def test_half_a_pair_names_the_missing_variable(
        self, config: Config, environ: dict[str, str], wanted: str
    ) -> None:
        config.write(profiles())

        assert re.match(wanted, refusal({**config.environ, **environ}))

    def test_without_any_the_ways_to_have_some_are_listed(self, config: Config) -> None:
        assert refusal(config.environ) == (
            "no credentials found. Do one of these:\n"
            "set    TWILIO_API_KEY and TWILIO_API_SECRET,"
            " or TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN\n"
            "run    twilio login, then this command again\n"
            "try    twbuild sandbox, which needs no account\n"
            f"There is no file {config.path}."
        )

    @pytest.mark.parametrize("name", [API_KEY, API_SECRET, ACCOUNT_SID, AUTH_TOKEN])
    def test_an_empty_variable_is_named_where_there_are_none(
        self, config: Config, name: str
    ) -> None:
        lines = refusal({**config.environ, name: ""}).splitlines()

        assert lines == [
            f"no credentials found: {name} is empty: does the CI job have this secret?",
            f"There is no file {config.path}.",
        ]

    def test_of_two_empty_variables_both_are_named(self, config: Config) -> None:
        lines = refusal({**config.environ, ACCOUNT_SID: "", AUTH_TOKEN: ""}).splitlines()

        assert [line.partition(" is empty")[0].split()[-1] for line in lines[:2]] == [
            ACCOUNT_SID,
            AUTH_TOKEN,
        ]

    def test_a_lone_account_lacks_its_token(self, config: Config) -> None:
        assert refusal({**config.environ, ACCOUNT_SID: ACCOUNT}).startswith(
            f"no credentials found: {ACCOUNT_SID} is set, but {AUTH_TOKEN} is not."
        )

    @pytest.mark.parametrize(("value", "logs_in"), [("true", False), ("false", True), ("", True)])
    def test_under_ci_the_message_does_not_offer_to_log_in(
        self, config: Config, value: str, logs_in: bool
    ) -> None:
        assert ("twilio login" in refusal({**config.environ, "CI": value})) == logs_in

    @pytest.mark.parametrize(
        ("name", "right"),
        [
            ("AUTH_TOKEN", AUTH_TOKEN),
            ("TWILIO_API_KEY_SECRET", API_SECRET),
            ("TWILIO_API_KEY_SID", API_KEY),
        ],
    )
    def test_a_variable_of_nearly_the_right_name_is_pointed_out(
        self, config: Config, name: str, right: str
    ) -> None:
        hint = f"{name} is set, but its name should be {right}."
        other = {**PAIR, **TOKENS}[right]

        assert refusal({**config.environ, name: other}).startswith(f"no credentials found: {hint}")
        assert hint not in refusal({**config.environ, name: ""})
        assert hint not in refusal({**config.environ, name: other, right: " "})

    def test_so_it_is_where_half_a_pair_is_missing(self, config: Config) -> None:
        half = {API_KEY: KEY, "TWILIO_API_KEY_SECRET": SECRET, "AUTH_TOKEN": TOKEN}

        assert refusal({**config.environ, **half}).splitlines() == [
            f"{API_SECRET} is not set. Set both {API_KEY} and {API_SECRET}.",
            f"TWILIO_API_KEY_SECRET is set, but its name should be {API_SECRET}.",
        ]


class TestValues:
    @pytest.mark.parametrize("blanks", ["{}\n", "{}\r\n", " {}", "\t{} ", "\u00a0{}", "{}\u2028"])
    def test_white_space_at_both_ends_is_stripped(self, config: Config, blanks: str) -> None:
        environ = {name: blanks.format(value) for name, value in TOKENS.items()}
        config.write(profiles(dev=profile(apiKey=blanks.format(KEY), apiSecret=f"{SECRET}\n")))

        found = credentials.find(environ, None)
        assert (found.username, found.password, found.account) == (ACCOUNT, TOKEN, ACCOUNT)
        found = credentials.find(config.environ, None)
        assert (found.username, found.password) == (KEY, SECRET)

    @pytest.mark.parametrize("name", [API_KEY, API_SECRET, ACCOUNT_SID, AUTH_TOKEN])
    @pytest.mark.parametrize(
        ("form", "wanted"),
        [
            ('"{}"', r'begins with a quotation mark \("\)'),
            ("'{}'", r"begins with a quotation mark \('\)"),
            ('{}"', r'ends with a quotation mark \("\)'),
            (' "{}" ', r'begins with a quotation mark \("\)'),
            ("{}€", r"contains .*U\+20AC"),
            ("{}\n{}", r"contains .*U\+000A"),
            ("\x1b{}", r"contains .*U\+001B"),
            ("\ufeff{}", r"contains .*U\+FEFF"),
            ("{}\udcff", r"contains .*U\+DCFF"),
        ],
    )
    def test_a_value_unlike_a_credential_is_named_not_shown(
        self, name: str, form: str, wanted: str
    ) -> None:
        pair = PAIR if name in PAIR else TOKENS
        value = pair[name]

        reported = refusal({**pair, name: form.format(value, value)})

        assert re.match(f"{name} {wanted}", reported), reported
        assert value not in reported

    @pytest.mark.parametrize(
        ("entry", "wanted"),
        [
            ({"apiKey": f'"{PROFILE_KEY}"'}, "apiKey of profile dev begins with a quotation"),
            ({"apiSecret": f"{PROFILE_SECRET}'"}, "apiSecret of profile dev ends with a quotation"),
            ({"apiSecret": f"{PROFILE_SECRET}ü"}, r"apiSecret of profile dev contains .*U\+00FC"),
        ],
    )
    def test_a_profiles_value_is_held_to_the_same(
        self, config: Config, entry: dict[str, object], wanted: str
    ) -> None:
        config.write(profiles(dev=profile(**entry)))

        assert re.match(wanted, refusal(config.environ))

    @pytest.mark.parametrize("name", [API_KEY, API_SECRET, ACCOUNT_SID, AUTH_TOKEN])
    @pytest.mark.parametrize("value", PLACEHOLDERS)
    def test_an_unreplaced_placeholder_is_refused_and_not_repeated(
        self, config: Config, name: str, value: str
    ) -> None:
        pair = PAIR if name in PAIR else TOKENS
        assert refusal({**pair, name: f" {value}\n"}) == (
            f"{name} is a placeholder that was not replaced with its value"
        )
        key = {API_KEY: "apiKey", API_SECRET: "apiSecret"}.get(name, "accountSid")
        config.write(profiles(dev=profile(**{key: value})))
        assert refusal(config.environ) == (
            f"{key} of profile dev is a placeholder that was not replaced with its value"
        )

    def test_an_account_in_an_api_keys_place_is_refused(self, config: Config) -> None:
        wrong = "is an Account SID (AC...), not an API key (SK...)\n"
        assert refusal({**PAIR, API_KEY: ACCOUNT}).startswith(f"{API_KEY} {wrong}")
        config.write(profiles(dev=profile(apiKey=ACCOUNT)))
        assert refusal(config.environ).startswith(f"apiKey of profile dev {wrong}")

    @pytest.mark.parametrize("value", ["a b", "a:b", "XaX", "a'b", 'a"b', "~!@#$%^&*()_+{}|<>?"])
    def test_printable_ascii_inside_is_let_through(self, value: str) -> None:
        assert credentials.find({**TOKENS, AUTH_TOKEN: value}, None).password == value


class TestSecrets:
    @pytest.mark.parametrize(
        "found",
        [
            credentials.find(PAIR, None),
            credentials.find(TOKENS, None),
            Credentials(KEY, SECRET, source="x"),
        ],
    )
    def test_none_is_in_repr_or_str(self, found: Credentials) -> None:
        assert found.password in SECRETS
        assert found.password not in f"{found!r} {found} {found.source} {found.hint}"


class TestAccount:
    """Whose entry of a project file is meant."""

    @pytest.mark.parametrize(
        ("environ", "account"),
        [
            (TOKENS, ACCOUNT),
            (PAIR, None),
            ({**PAIR, ACCOUNT_SID: ACCOUNT}, ACCOUNT),
            ({**PAIR, ACCOUNT_SID: f"{ACCOUNT}\n"}, ACCOUNT),
            ({**PAIR, ACCOUNT_SID: ""}, None),
            ({ACCOUNT_SID: KEY, AUTH_TOKEN: SECRET}, None),
        ],
    )
    def test_of_the_environment(self, environ: dict[str, str], account: str | None) -> None:
        assert credentials.find(environ, None).account == account

    @pytest.mark.parametrize(
        ("sid", "account"),
        [(ACCOUNT, ACCOUNT), (None, None), (KEY, None), ("", None), (5, None), ([ACCOUNT], None)],
    )
    def test_of_a_profile(self, config: Config, sid: object, account: str | None) -> None:
        config.write(profiles(dev=profile(accountSid=sid)))

        assert credentials.find({**config.environ, ACCOUNT_SID: "AC1"}, None).account == account

    def test_an_api_key_in_its_place_works_with_notice(self) -> None:
        found = credentials.find({ACCOUNT_SID: KEY, AUTH_TOKEN: SECRET}, None)

        assert (found.username, found.password) == (KEY, SECRET)
        assert found.hint is not None
        assert "TWILIO_ACCOUNT_SID" in found.hint


class TestRegionAndEdge:
    def test_of_the_environment_go_with_its_credentials(self, config: Config) -> None:
        config.write({**profiles(dev=profile(region="au1", edge="sydney")), "edge": "tokyo"})
        environ = {**config.environ, **PAIR}

        found = credentials.find({**environ, "TWILIO_REGION": "ie1", "TWILIO_EDGE": "e"}, None)

        assert found.region == ("ie1", "TWILIO_REGION")
        assert found.edge == ("e", "TWILIO_EDGE")
        assert credentials.find(environ, None).region[0] is None
        assert credentials.find(environ, None).edge[0] is None

    def test_a_profiles_region_is_its_own(self, config: Config) -> None:
        config.write(profiles(dev=profile(region="au1"), bare=profile()))
        environ = {**config.environ, "TWILIO_REGION": "ie1"}

        assert credentials.find(environ, None).region[0] == "au1"
        assert credentials.find(environ, "bare").region[0] is None
        assert (
            f"the region of profile dev in {config.path}" in credentials.find(environ, None).region
        )

    @pytest.mark.parametrize(
        ("variable", "own", "top", "edge", "place"),
        [
            ("v", "p", "t", "v", "TWILIO_EDGE"),
            ("", "p", "t", "p", "the edge of profile dev in "),
            ("", "", "t", "t", "the edge in "),
            ("", None, "t", "t", "the edge in "),
        ],
    )
    def test_a_profiles_edge_is_variable_own_or_the_files(
        self, config: Config, variable: str, own: object, top: object, edge: str, place: str
    ) -> None:
        config.write({**profiles(dev=profile(edge=own)), "edge": top})

        found = credentials.find({**config.environ, "TWILIO_EDGE": variable}, None)

        assert found.edge[0] == edge
        assert found.edge[1].startswith(place)


class TestProfiles:
    def test_a_missing_profile_lists_others_and_how_to_make_it(self, config: Config) -> None:
        config.write(profiles(dev=profile(), prod=profile()))

        assert refusal(config.environ, "new") == (
            f"no profile new in {config.path}\n"
            "It has 2 profiles: dev, prod\n"
            "Create it with: twilio profiles:create -p new"
        )

    @pytest.mark.parametrize("content", [{}, {"profiles": {}}, {"profiles": {}, "projects": []}])
    def test_no_profile_at_all(self, config: Config, content: object) -> None:
        config.write(content)

        assert refusal(config.environ, "dev") == (
            f"no profile dev in {config.path}\n"
            "It has no profiles.\n"
            "Create it with: twilio profiles:create -p dev"
        )
        assert refusal(config.environ).startswith("no credentials found")

    @pytest.mark.parametrize("active", [None, "", 0, False, ["dev"], {"dev": 1}])
    def test_none_active_names_the_commands_and_makes_no_guess(
        self, config: Config, active: object
    ) -> None:
        config.write(profiles(active=active))

        assert refusal(config.environ) == (
            f"no profile is active in {config.path}\n"
            "It has 1 profile: dev\n"
            "Make one active with: twilio profiles:use dev\n"
            "Or use one once with: twbuild wait -p dev"
        )

    @pytest.mark.parametrize("name", ["old", None])
    def test_an_entry_of_an_old_twilio_cli_holds_no_secret(
        self, config: Config, name: str | None
    ) -> None:
        entry = {"id": "old", "accountSid": ACCOUNT, "region": "us1"}
        config.write({"projects": ["junk", {}, entry], "profiles": {}, "activeProject": "old"})

        assert refusal(config.environ, name) == (
            f"profile old in {config.path} has no secret: an old twilio-cli wrote it\n"
            "Recreate it with: twilio profiles:create -p old"
        )

    @pytest.mark.parametrize("value", [None, "", "  ", 5, ["x"], {"x": 1}, True])
    @pytest.mark.parametrize("key", ["apiKey", "apiSecret"])
    def test_a_profile_without_its_secret_says_which_is_missing(
        self, config: Config, key: str, value: object
    ) -> None:
        config.write(profiles(dev=profile(**{key: value})))

        assert refusal(config.environ) == (
            f"profile dev in {config.path} has no {key}\n"
            "Recreate it with: twilio profiles:create -p dev"
        )

    @pytest.mark.parametrize("name", NAMES)
    def test_every_command_in_a_message_can_be_pasted(self, config: Config, name: str) -> None:
        create = ["twilio", "profiles:create", "-p", name]
        dashes = ["--"] if name.startswith("-") else []

        config.write(profiles(active=None, **{name: profile()}))
        assert commands(refusal(config.environ)) == [
            ["twilio", "profiles:use", *dashes, name],
            ["twbuild", "wait", "-p", name],
        ]
        config.write(profiles(active=name, **{name: {}}))
        assert commands(refusal(config.environ)) == [create]
        config.write({"projects": [{"id": name}]})
        assert commands(refusal(config.environ, name)) == [create]
        config.write(profiles())
        is_seen = name.isprintable()
        assert commands(refusal(config.environ, name)) == ([create] if is_seen else [])

    @pytest.mark.parametrize(
        ("typed", "shown"),
        [
            ("dev\r", r"'dev\r'"),
            ("dev ", "'dev '"),
            ("\ufeffdev", r"'\ufeffdev'"),
            ("dev\ufe0f", r"'dev\ufe0f'"),
        ],
    )
    def test_invisible_characters_in_a_name_are_shown(
        self, config: Config, typed: str, shown: str
    ) -> None:
        """What cannot be seen in a name is shown and never offered as a new profile."""
        config.write(profiles(dev=profile()))
        meant = "Profile dev exists: write its name without invisible characters."
        assert refusal(config.environ, typed).splitlines() == [
            f"no profile {shown} in {config.path}",
            "It has 1 profile: dev",
            meant,
        ]
        config.write(profiles(other=profile()))
        assert refusal(config.environ, typed).splitlines()[1:] == ["It has 1 profile: other"]
        config.write(profiles(active=None, **{typed: profile()}))
        assert f"It has 1 profile: {shown}\n" in refusal(config.environ)

    @pytest.mark.parametrize(("encoding", "name"), [("latin-1", "本番"), ("latin-1", "é")])
    def test_a_command_is_in_the_bytes_that_a_shell_reads(
        self, config: Config, monkeypatch: pytest.MonkeyPatch, encoding: str, name: str
    ) -> None:
        create = ["twilio", "profiles:create", "-p", name]
        config.write(profiles(dev=profile()))
        assert refusal(config.environ, name).endswith(f"-p '{name}'")
        with monkeypatch.context() as patch:
            patch.setattr("sys.stderr", io.TextIOWrapper(io.BytesIO(), encoding))
            reported = refusal(config.environ, name)

        assert reported.splitlines()[-1].isascii()
        assert commands(reported) == [create]

    def test_no_active_profile_is_used_where_one_must_be_named(self, config: Config) -> None:
        config.write({**profiles(dev=profile(), prod=profile()), "requireProfileInput": True})
        assert refusal(config.environ) == (
            f"no profile named: {config.path} has requireProfileInput. Pass -p NAME\n"
            "It has 2 profiles: dev, prod\n"
            "For example: twbuild wait -p dev"
        )
        assert credentials.find(config.environ, "dev").username == PROFILE_KEY
        assert credentials.find({**config.environ, **PAIR}, None).username == KEY

    def test_of_many_profiles_ten_are_listed(self, config: Config) -> None:
        config.write(profiles(active=None, **{f"p{n}": {} for n in range(3_000)}))

        for reported in (refusal(config.environ), refusal(config.environ, "none")):
            assert "It has 3000 profiles: p0, p1, " in reported
            assert ", p9, and 2990 more\n" in reported
            assert len(reported) < 1000

    def test_a_hostile_profile_is_shown_and_does_nothing(self, config: Config) -> None:
        hostile = "\x1b[2J##[error]\n::error::x\u202e\ud800"
        config.write(profiles(active=None, **{hostile: profile()}))

        for reported in (refusal(config.environ), refusal(config.environ, "\x1b##")):
            assert reported.replace("\n", "").isprintable()
            assert not re.search("##|^::", reported, re.MULTILINE)

    def test_the_names_for_completion(self, config: Config) -> None:
        assert profiles_file.names(config.environ) == []
        config.write(profiles(dev=profile(), prod=profile(), broken=None))
        assert profiles_file.names(config.environ) == ["dev", "prod"]
        config.path.write_text("{")
        assert profiles_file.names(config.environ) == []
        assert profiles_file.names({"HOME": "relative"}) == []


class TestConfigFile:
    def test_bom_and_windows_line_ends(self, config: Config) -> None:
        text = json.dumps(profiles(), indent=2).replace("\n", "\r\n")
        config.path.write_bytes(b"\xef\xbb\xbf" + text.encode())

        assert credentials.find(config.environ, None).password == PROFILE_SECRET

    @pytest.mark.parametrize(
        ("kind", "why"),
        [
            ("empty", "empty"),
            ("no JSON", "not JSON"),
            ("UTF-16", "not UTF-8"),
            ("too deep", "JSON nested too deep"),
            ("too large", "larger than 1 MiB"),
            ("a folder", "not a regular file"),
            ("a FIFO", "not a regular file"),
        ],
    )
    def test_a_broken_one_matters_only_where_it_is_needed(
        self, config: Config, kind: str, why: str
    ) -> None:
        contents = {
            "empty": b"",
            "no JSON": b"{",
            "a list": b"[]",
            "null": b"null",
            "UTF-16": b"\xff\xfe{\0}\0",
            "too deep": b"[" * 100_000,
            "too large": b"{}".ljust((1 << 20) + 1),
        }
        if kind in contents:
            config.path.write_bytes(contents[kind])
        elif kind == "a folder":
            config.path.mkdir()
        else:
            os.mkfifo(config.path)

        assert credentials.find({**config.environ, **TOKENS}, None).username == ACCOUNT
        assert refusal(config.environ) == (
            f"{config.path} cannot be read: {why}\nTo write it again, run twilio login"
        )
        assert why in refusal({**config.environ, **TOKENS}, "dev")

    def test_one_that_may_not_be_read_says_permission_denied(
        self, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config.write(profiles())

        def refuse(path: str, *_: object) -> int:
            raise PermissionError(errno.EACCES, "said by the system", path)

        monkeypatch.setattr(os, "open", refuse)

        assert credentials.find({**config.environ, **TOKENS}, None).username == ACCOUNT
        assert f"{config.path} cannot be read: permission denied" in refusal(config.environ)

    def test_twilio_config_dir_comes_before_home(self, config: Config, tmp_path: Path) -> None:
        config.write(profiles(dev=profile(apiKey=KEY)))
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "config.json").write_text(json.dumps(profiles()))

        environ = {**config.environ, "TWILIO_CONFIG_DIR": str(elsewhere)}
        assert credentials.find(environ, None).username == PROFILE_KEY
        environ = {**config.environ, "TWILIO_CONFIG_DIR": ""}
        assert credentials.find(environ, None).username == KEY

    @pytest.mark.parametrize("name", [None, "dev"])
    def test_without_a_file_its_path_is_named(self, config: Config, name: str | None) -> None:
        """Where there is no file its path and a wrong config dir are named."""
        config.write(profiles())
        tilde = {**config.environ, "TWILIO_CONFIG_DIR": "~/.twilio-cli"}
        itself = {**config.environ, "TWILIO_CONFIG_DIR": str(config.path)}
        elsewhere = {**config.environ, "TWILIO_CONFIG_DIR": str(config.path.parent / "x")}

        assert "~/.twilio-cli/config.json" in refusal(tilde, name)
        assert "TWILIO_CONFIG_DIR begins with ~, which was not expanded" in refusal(tilde, name)
        assert f"{config.path}/config.json" in refusal(itself, name)
        assert "TWILIO_CONFIG_DIR is a file. Set it to the folder" in refusal(itself, name)
        assert f"{config.path.parent}/x/config.json" in refusal(elsewhere, name)
        assert "TWILIO_CONFIG_DIR" not in refusal(elsewhere, name)

    @pytest.mark.parametrize("home", ["", "relative", "."])
    def test_the_working_directory_never_becomes_the_home_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
    ) -> None:
        (tmp_path / home).mkdir(exist_ok=True)
        Config(tmp_path / home).write(profiles())
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("pwd.getpwuid", _no_user)

        assert refusal({"HOME": home}).startswith("no credentials found")
        assert refusal({"HOME": home}, "dev").startswith(
            "no profile dev in a folder that HOME or TWILIO_CONFIG_DIR names\n"
        )


def _no_user(_: int) -> Any:
    raise KeyError


JSON_JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["dev", "", '"', KEY, "\x1b", "##", "é", ACCOUNT, "us1"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["dev", "id", "apiKey", "apiSecret", "accountSid", "region", "edge"]),
            inner,
        )
    ),
    max_leaves=4,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "profiles": JSON_JUNK | st.fixed_dictionaries({"dev": JSON_JUNK}),
            "projects": JSON_JUNK,
            "activeProject": JSON_JUNK | st.just("dev"),
            "edge": JSON_JUNK,
        },
    ),
    st.sampled_from([None, "dev"]),
)
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
        found = credentials.find({ACCOUNT_SID: ACCOUNT, AUTH_TOKEN: value}, None)
    except CredentialsError as refused:
        shown = "\n".join([refused.message, *refused.hints])
    else:
        assert re.fullmatch("[ -~]+", found.password)
        assert found.password == value.strip()
        return
    assert shown.replace("\n", "").isprintable()
    assert len(value.strip()) < 6 or value.strip() not in shown
