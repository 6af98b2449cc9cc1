"""What a good configuration becomes."""

import hashlib
import pathlib
import re

import pytest

from understudy.config import ConfigError, load
from understudy.core.settings import Caller, Listen, Provider, TargetRule, Tenant

ROOT = pathlib.Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
ENV = {
    "WEB_APP_KEY": "a-key-of-the-web-app",
    "ANTHROPIC_API_KEY": "sk-ant-1",
    "ANTHROPIC_API_KEY_2": "sk-ant-2",
    "OPENAI_API_KEY": "sk-oai-1",
    "UNDERSTUDY_JOBS_KEY": "a" * 43,
    "PRODUCT_WEBHOOK_SECRET": "whsec_" + "b" * 32,
}
PROVIDERS = """\
providers:
  a: {kind: anthropic, accounts: {main: {api_key: "${A:-}"}, spare: {api_key: "${B:-}"}}}
  l: {kind: openai-compatible, base_url: "http://localhost:8000/v1/"}
"""


def features(lines: str) -> str:
    return f"{PROVIDERS}features:\n  f:\n    targets: [a/m, l/n]\n{lines}"


def keys(provider: Provider) -> dict[str, str | None]:
    return {
        account.name: account.api_key.reveal() if account.api_key else None
        for account in provider.accounts
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_loads(path):
    assert load(path.read_text(), ENV).features


def test_the_full_example_becomes_settings():
    settings = load((ROOT / "examples/understudy.yaml").read_text(), ENV)
    assert settings.relay == Listen(host="0.0.0.0", port=8080)
    assert settings.web == Listen(host="127.0.0.1", port=8081)
    digest = hashlib.sha256(b"a-key-of-the-web-app").hexdigest()
    assert settings.callers[0] == Caller(name="web-app", key_digest=digest, tenant="acme")
    assert re.fullmatch("[0-9a-f]{64}", settings.callers[1].key_digest)
    anthropic, openai, local = settings.providers.values()
    assert keys(anthropic) == {"main": "sk-ant-1", "backup": "sk-ant-2"}
    assert anthropic.base_url == "https://api.anthropic.com"
    assert anthropic.status_page == "https://status.claude.com"
    assert local.status_page is None
    assert (openai.base_url, openai.dialect) == ("https://api.openai.com/v1", "chat_completions")
    assert (local.base_url, keys(local)) == ("http://127.0.0.1:11434/v1", {"default": None})
    assistant = settings.features["assistant"]
    assert assistant.title == "AI assistant"
    assert assistant.models == ("claude-*", "gpt-*")
    assert (assistant.deadline, assistant.first_token, assistant.idle) == (120, 10, 30)
    assert [(rule.account, rule.tier) for rule in assistant.targets] == [
        (None, "same"),
        ("backup", "same"),
        (None, "substitute"),
        (None, "reduced"),
    ]
    assert settings.features["pass-through"].targets == (
        TargetRule(provider="anthropic", model="*", tier="same"),
    )
    assert settings.tenants == {
        "acme": Tenant(name="acme", providers=("anthropic",), substitutes=False)
    }
    assert settings.notices == ()


def test_what_the_file_leaves_out_has_a_default():
    settings = load(features(""), {"A": "sk"})
    assert settings.relay == Listen(host="127.0.0.1", port=8080)
    assert settings.web == Listen(host="127.0.0.1", port=8081)
    feature = settings.features["f"]
    assert (feature.title, feature.models, feature.attempts) == ("F", (), 3)
    assert (feature.deadline, feature.first_token, feature.idle) == (120, 10, 30)
    assert [rule.tier for rule in feature.targets] == ["same", "substitute"]


def test_a_deadline_shorter_than_the_default_first_token_bounds_it():
    assert load(features("    deadline: 5s"), {"A": "sk"}).features["f"].first_token == 5


def hurry(lines: str) -> tuple[float, bool, float | None]:
    feature = load(features(lines), {"A": "sk", "D": "auto"}).features["f"]
    return feature.first_token, feature.first_token_auto, feature.hedge


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", (10.0, False, None)),
        ("    hedge: off", (10.0, False, None)),
        ("    hedge: auto", (10.0, False, 0.0)),
        ("    hedge: 1500ms", (10.0, False, 1.5)),
        ("    first_token: auto", (30.0, True, None)),
        ("    first_token: auto\n    deadline: 20s", (20.0, True, None)),
        ("    first_token: auto\n    hedge: 45s", (30.0, True, 45.0)),
        ("    first_token: ${D}\n    hedge: ${D}", (30.0, True, 0.0)),
        ("    first_token: 25s\n    hedge: 20s", (25.0, False, 20.0)),
    ],
)
def test_first_token_and_hedge_are_fixed_or_learned(lines, expected):
    assert hurry(lines) == expected


def test_streams_are_continued_unless_the_file_says_otherwise():
    def continues(lines: str) -> bool:
        return load(features(lines), {"A": "sk"}).features["f"].continue_streams

    assert continues("")
    assert continues("    continue_streams: yes")
    assert not continues("    continue_streams: false")


@pytest.mark.parametrize(
    ("provider", "word", "dialect"),
    [
        ("kind: anthropic", "messages", "messages"),
        ("kind: openai", "chat", "chat_completions"),
        ("kind: openai", "responses", "responses"),
        ("kind: openai-compatible, base_url: https://x", "chat", "chat_completions"),
        ("kind: openai-compatible, base_url: https://x", "responses", "responses"),
    ],
)
def test_a_provider_is_held_to_a_dialect_that_its_kind_speaks(provider, word, dialect):
    account = "accounts: {main: {api_key: sk}}"
    text = f"providers: {{p: {{{provider}, {account}, dialect: {word}}}}}\n"
    settings = load(text + "features: {f: {targets: [p/m]}}", {})
    assert settings.providers["p"].dialect == dialect
    free = load(text.replace(f", dialect: {word}", "") + "features: {f: {targets: [p/m]}}", {})
    assert free.providers["p"].dialect is None


def test_an_account_without_a_key_is_left_out_and_said_so():
    settings = load(features(""), {"A": "sk", "B": ""})
    assert keys(settings.providers["a"]) == {"main": "sk"}
    assert settings.notices == (
        "providers.a.accounts.spare: left out, because its `api_key` is empty",
    )


def test_a_provider_without_a_key_is_left_out_with_its_targets_and_said_so():
    settings = load(features(""), {})
    assert list(settings.providers) == ["l"]
    (rule,) = settings.features["f"].targets
    assert (rule.provider, rule.tier) == ("l", "substitute"), "the second does not become the first"
    assert [notice.partition(":")[0] for notice in settings.notices] == [
        "providers.a.accounts.main",
        "providers.a.accounts.spare",
        "providers.a",
        "features.f.targets[0]",
    ]


def test_a_target_whose_account_has_no_key_is_left_out():
    text = features("").replace("a/m, l/n", "a@spare/m, a/m")
    (rule,) = load(text, {"A": "sk"}).features["f"].targets
    assert rule.account is None


def test_a_local_server_may_have_accounts_and_an_empty_key_there_is_no_key():
    text = features("").replace('8000/v1/"}', '8000", accounts: {x: {api_key: "${X:-}"}, y: {}}}')
    settings = load(text, {"A": "sk", "B": "sk"})
    assert keys(settings.providers["l"]) == {"x": None, "y": None}
    assert settings.notices == ()


def test_a_model_may_hold_slashes_at_signs_and_colons():
    text = features("").replace("a/m", "l@default/meta-llama/Llama-3.1:free@2025")
    rule = load(text, {"A": "sk"}).features["f"].targets[0]
    assert (rule.provider, rule.account) == ("l", "default")
    assert rule.model == "meta-llama/Llama-3.1:free@2025"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("'[::1]:8080'", "::1", 8080),
        ("localhost:0", "localhost", 0),
        ("127.0.0.1:65535", "127.0.0.1", 65535),
    ],
)
def test_an_address_is_a_host_and_a_port(text, host, port):
    settings = load(f"relay: {{listen: {text}}}\n{features('')}", {"A": "sk"})
    assert settings.relay == Listen(host=host, port=port)


def test_both_listeners_may_take_any_free_port():
    text = "relay: {listen: 127.0.0.1:0}\nweb: {listen: 127.0.0.1:0}\n"
    assert load(text + features(""), {"A": "sk"}).web.port == 0


def test_the_web_may_be_open_without_callers():
    assert load("web: {listen: 0.0.0.0:80}\n" + features(""), {"A": "sk"}).web.host == "0.0.0.0"


CONSOLE_KEY = "a-key-of-the-operators"


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('{console_key: "${CONSOLE_KEY}"}', CONSOLE_KEY),
        (
            f"{{console_key_digest: sha256:{hashlib.sha256(CONSOLE_KEY.encode()).hexdigest()}}}",
            None,
        ),
    ],
    ids=["key", "digest"],
)
def test_the_console_opens_to_a_key_of_which_the_digest_is_enough(lines, key):
    env = {"A": "sk", "CONSOLE_KEY": CONSOLE_KEY}
    console = load(f"web: {lines}\n{features('')}", env).console
    assert console.key_digest == hashlib.sha256(CONSOLE_KEY.encode()).hexdigest()
    assert (console.key and console.key.reveal()) == key
    assert CONSOLE_KEY not in repr(console)


def test_the_console_is_closed_unless_a_key_opens_it():
    assert load("web: {listen: 127.0.0.1:9}\n" + features(""), {"A": "sk"}).console is None


def test_an_empty_console_key_is_refused_rather_than_taken_for_none():
    with pytest.raises(ConfigError, match=r"web\.console_key: .*could be guessed"):
        load('web: {console_key: "${CONSOLE_KEY:-}"}\n' + features(""), {"A": "sk"})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "http://127.9.9.9", "http://[::1]:9", "https://x.example/a/b"]
)
def test_a_base_url_keeps_its_path_without_a_slash_at_its_end(url):
    text = features("").replace("http://localhost:8000/v1", url)
    assert load(text, {"A": "sk"}).providers["l"].base_url == url


class TestVariables:
    """`${NAME}`, `${NAME:-default}` and `$$`."""

    def title(self, text: str, env: dict[str, str] | None = None) -> str:
        settings = load(features(f"    title: {text}"), {"A": "sk", **(env or {})})
        return settings.features["f"].title

    @pytest.mark.parametrize(
        ("text", "env", "filled"),
        [
            ('"${T}"', {"T": "Chat"}, "Chat"),
            ("${T}", {"T": "Chat"}, "Chat"),
            ('"The ${T}, ${U}"', {"T": "a", "U": "b"}, "The a, b"),
            ('"${T:-Chat}"', {}, "Chat"),
            ('"${T:-Chat}"', {"T": ""}, "Chat"),
            ('"${T:-a:-b}"', {}, "a:-b"),
            ('"$${T} costs $5, $T"', {"T": "x"}, "${T} costs $5, $T"),
            ('"${T}"', {"T": "${U}"}, "${U}"),
            ('"${T}"', {"T": "x, targets: [l/evil] # &a *b"}, "x, targets: [l/evil] # &a *b"),
        ],
    )
    def test_are_filled_once_and_never_read_as_yaml(self, text, env, filled):
        assert self.title(text, env) == filled

    def test_stand_for_numbers_durations_and_switches_as_well(self):
        text = features("    attempts: ${N}\n    deadline: ${D}\n    defer: ${F}")
        feature = load(text, {"A": "sk", "N": "7", "D": "9s", "F": "false"}).features["f"]
        assert (feature.attempts, feature.deadline) == (7, 9)

    def test_never_show_their_values_in_a_fault_or_a_notice(self):
        example = (ROOT / "examples/understudy.yaml").read_text()
        scalars = re.compile(r"(?<=[:\[{,-] )[^\s\[\]{},#\"']+(?=[\s\[\]{},])")
        places = list(scalars.finditer(example))
        assert len(places) > 30
        for value in ("SENTINEL", "SENTINEL/SENTINEL", "sk SENTINEL", "https://SENTINEL@x"):
            for place in places:
                text = f'{example[: place.start()]}"${{S}}"{example[place.end() :]}'
                try:
                    said = "\n".join(load(text, {**ENV, "S": value}).notices)
                except ConfigError as error:
                    said = f"{error} {error!r}"
                assert "SENTINEL" not in said

    def test_an_unset_one_is_a_fault_that_names_it(self):
        with pytest.raises(ConfigError) as caught:
            load((ROOT / "examples/minimal.yaml").read_text(), {"OPENAI_API_KEY": "sk"})
        (fault,) = caught.value.faults
        assert fault.path == "providers.anthropic.accounts.main.api_key"
        assert "ANTHROPIC_API_KEY" in fault.problem


LATER = {
    "providers.anthropic.domain": "    domain: gcp",
}
NOW = {
    "store": "store: sqlite:///understudy.db",
    "features.assistant.hold": "    hold: 5s",
    "features.assistant.defer": "    defer: true",
}


class TestTheWholeAgreedFile:
    """All keys that are agreed upon: what does nothing yet is refused by name, the rest loads."""

    def text(self, lines: dict[str, str]) -> str:
        return f"""\
relay: {{listen: 127.0.0.1:8080}}
web:   {{listen: 127.0.0.1:8081}}
{lines.get("store", "")}
callers:
  - {{name: web-app, key: "${{WEB_APP_KEY}}", tenant: acme}}
providers:
  anthropic:
    kind: anthropic
    base_url: https://api.anthropic.com
    accounts:
      main:   {{api_key: "${{ANTHROPIC_API_KEY}}"}}
      backup: {{api_key: "${{ANTHROPIC_API_KEY_2:-}}"}}
    status_page: https://status.claude.com
{lines.get("providers.anthropic.domain", "")}
  openai:
    kind: openai
    accounts: {{main: {{api_key: "${{OPENAI_API_KEY}}"}}}}
features:
  assistant:
    title: AI assistant
    models: ["claude-*", "gpt-*"]
    targets:
      - anthropic/claude-sonnet-5
      - {{use: anthropic@backup/claude-sonnet-5, tier: same}}
      - {{use: openai/gpt-5.2, tier: substitute}}
    deadline: 120s
    first_token: 10s
    idle: 30s
    attempts: 3
    continue_streams: true
    hedge: off
{lines.get("features.assistant.hold", "")}
{lines.get("features.assistant.defer", "")}
    priority: background
tenants:
  acme: {{providers: [anthropic], substitutes: false}}
"""

    def test_what_does_nothing_yet_is_refused_by_name_all_of_it_and_nothing_else(self):
        with pytest.raises(ConfigError) as caught:
            load(self.text(LATER), ENV)
        assert [fault.path for fault in caught.value.faults] == list(LATER)
        assert all("not supported yet" in fault.problem for fault in caught.value.faults)

    @pytest.mark.parametrize("path", LATER)
    def test_each_alone_is_refused(self, path):
        with pytest.raises(ConfigError) as caught:
            load(self.text({**NOW, path: LATER[path]}), ENV)
        assert [fault.path for fault in caught.value.faults] == [path]

    @pytest.mark.parametrize("lines", [{}, NOW])
    def test_it_loads_without_them_and_with_the_values_that_they_have_now(self, lines):
        assert load(self.text(lines), ENV).features["assistant"].priority == "background"
