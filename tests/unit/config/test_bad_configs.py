"""Every fault that a configuration can have: where it is found, and what the remedy says."""

import pytest

from understudy.config import ConfigError, ConfigFault, load

ENV = {"KEY": "sk-secret-1", "EMPTY": "", "TEN": "10s", "FALSE": "false"}

GOOD = """\
relay: {listen: 127.0.0.1:8080}
web: {listen: 127.0.0.1:8081}
callers:
  - {name: app, key: 0123456789abcdefghij}
providers:
  anthropic:
    kind: anthropic
    accounts: {main: {api_key: "${KEY}"}, spare: {api_key: "${KEY}"}}
  openai:
    kind: openai
    accounts: {main: {api_key: "${KEY}"}}
features:
  chat:
    targets: [anthropic/claude, openai/gpt]
tenants:
  acme: {providers: [openai]}
"""


def faults(text: str, env: dict[str, str] = ENV) -> tuple[ConfigFault, ...]:
    with pytest.raises(ConfigError) as caught:
        load(text, env)
    return caught.value.faults


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, f"the fixture must hold {old!r} once"
    return GOOD.replace(old, new)


def test_the_fixture_is_a_good_config():
    assert load(GOOD, ENV).notices == ()


LISTEN = "relay: {listen: 127.0.0.1:8080}"
WEB = "web: {listen: 127.0.0.1:8081}"
CALLER = "- {name: app, key: 0123456789abcdefghij}"
KIND = "kind: anthropic"
TARGETS = "targets: [anthropic/claude, openai/gpt]"
OPENAI_ACCOUNTS = 'accounts: {main: {api_key: "${KEY}"}}'
TENANT = "acme: {providers: [openai]}"
DIGEST = "sha256:" + "ab" * 32

SEAL, WHSEC = "a" * 43, "whsec_" + "b" * 32


def jobs(text: str) -> str:
    return f"{WEB}\njobs: {{{text}}}"


def hook(text: str) -> str:
    return jobs(f"webhooks: {{product: {{{text}}}}}")


# (what is replaced, by what, path of the fault, a part of the problem, a part of the remedy)
BAD = [
    # Jobs
    (WEB, jobs("keep: 1h"), "jobs.keep", "unknown key", "did you mean `kept`"),
    (WEB, jobs("kept: 0s"), "jobs.kept", "is zero", "longer than zero"),
    (WEB, jobs("encryption_key: not!base64"), "jobs.encryption_key", "not base64", "keys encrypt"),
    (WEB, jobs("encryption_key: aaaa"), "jobs.encryption_key", "3 bytes, not of 32", "keys encry"),
    (WEB, jobs('earlier_keys: [""]'), "jobs.earlier_keys[0]", "0 bytes", "keys encryption"),
    (WEB, jobs(f"earlier_keys: {SEAL}"), "jobs.earlier_keys", "is a text", "a list of keys"),
    (WEB, hook(f"secret: {WHSEC}"), "jobs.webhooks.product", "has no `url`", "add `url:`"),
    (WEB, hook("url: 'https://a.b/c'"), "jobs.webhooks.product", "has no `secret`", "add `secret"),
    (
        WEB,
        hook(f"url: 'http://a.b/c', secret: {WHSEC}"),
        "jobs.webhooks.product.url",
        "plain http to another machine, which would show",
        "https://",
    ),
    (
        WEB,
        hook(f"url: 'https://u:p@a.b/c', secret: {WHSEC}"),
        "jobs.webhooks.product.url",
        "signed with `secret`",
        "https://",
    ),
    (
        WEB,
        hook(f"url: 'https://a.b/c?token=t', secret: {WHSEC}"),
        "jobs.webhooks.product.url",
        "a query",
        "https://",
    ),
    (
        WEB,
        hook("url: 'https://a.b/c', secret: bbbb"),
        "jobs.webhooks.product.secret",
        "does not begin with whsec_",
        "keys webhook",
    ),
    (
        WEB,
        hook("url: 'https://a.b/c', secret: '${EMPTY}'"),
        "jobs.webhooks.product.secret",
        "(from EMPTY) is empty",
        "keys webhook",
    ),
    (
        WEB,
        hook("url: 'https://a.b/c', secret: whsec_bbbb"),
        "jobs.webhooks.product.secret",
        "3 bytes, not of 24 to 64",
        "keys webhook",
    ),
    (
        WEB,
        hook(f"url: 'https://a.b/c', secret: [{WHSEC}, whsec_*]"),
        "jobs.webhooks.product.secret[1]",
        "not base64",
        "keys webhook",
    ),
    (
        WEB,
        hook("url: 'https://a.b/c', secret: []"),
        "jobs.webhooks.product.secret",
        "is empty",
        "at least one",
    ),
    # Listeners
    (LISTEN, "relay: {listen: 8080}", "relay.listen", "no host", "127.0.0.1:8080"),
    (LISTEN, "relay: {listen: ':8080'}", "relay.listen", "no host", "HOST:PORT"),
    (LISTEN, "relay: {listen: localhost}", "relay.listen", "no port", "HOST:PORT"),
    (LISTEN, "relay: {listen: 'localhost:'}", "relay.listen", "no port", "HOST:PORT"),
    (LISTEN, "relay: {listen: localhost:99999}", "relay.listen", "65535", "HOST:PORT"),
    (LISTEN, "relay: {listen: '[::g]:80'}", "relay.listen", "IPv6", "[::1]:8080"),
    (LISTEN, "relay: {listen: '::1:80'}", "relay.listen", "no host name", "[::1]:8080"),
    (LISTEN, "relay: {listen: 127.0.1:80}", "relay.listen", "four numbers", "HOST:PORT"),
    (LISTEN, "relay: {listen: [a]}", "relay.listen", "is a list", "HOST:PORT"),
    (LISTEN, "relay: 127.0.0.1:8080", "relay", "is a text", "`listen`"),
    (LISTEN, "relay: {port: 1}", "relay.port", "unknown key", "listen"),
    (LISTEN, "relay:", "relay", "is nothing", "`listen`"),
    (WEB, "web: {listen: 127.0.0.1:8080}", "web.listen", "relay.listen", "a port of its own"),
    (WEB, "web: {listen: 0.0.0.0:8080}", "web.listen", "relay.listen", "a port of its own"),
    (WEB, "wbe: {listen: 127.0.0.1:8081}", "wbe", "unknown key", "did you mean `web`?"),
    (WEB, "console_key: abc", "console_key", "unknown key", "known here: relay, web, store"),
    (WEB, "web: {console_key: short}", "web.console_key", "5 characters", "keys new"),
    (WEB, "web: {console_key: 12345678901234567}", "web.console_key", "not a text", "16 char"),
    (WEB, "web: {console_key_digest: abc}", "web.console_key_digest", "`abc`", "sha256:"),
    (WEB, "web: {console_kee: x}", "web.console_kee", "unknown key", "did you mean `console_key`"),
    (
        WEB,
        f"web: {{console_key: 0123456789abcdefghi2, console_key_digest: '{DIGEST}'}}",
        "web",
        "both",
        "one of them",
    ),
    (
        WEB,
        "web: {console_key: 0123456789abcdefghij}",
        "web",
        "key of the caller `app`",
        "a key of their own",
    ),
    (WEB, "store: redis", "store", "not a store", "`memory`"),
    (WEB, "store: sqlite://jobs.db", "store", "three slashes", "`sqlite:///understudy.db`"),
    (WEB, "store: postgresql://db", "store", "no database", "PASSWORD@HOST/NAME"),
    (WEB, "store: 'postgresql://me:a b@db/x'", "store", "percent-encoded", "`memory`"),
    (WEB, "store: [memory]", "store", "is a list", "`memory`"),
    # Callers
    (CALLER, "- {name: app, key: short}", "callers[0].key", "5 characters", "keys new"),
    (CALLER, "- {name: app}", "callers[0]", "no key", "`key_digest:`"),
    (CALLER, "- {key: 0123456789abcdefghij}", "callers[0]", "no `name`", "add `name:`"),
    (CALLER, "- {name: a b, key: 0123456789abcdefghij}", "callers[0].name", "`a b`", "letters"),
    (CALLER, "- {name: 7, key: 0123456789abcdefghij}", "callers[0].name", '"7"', "letters"),
    (CALLER, "- {name: app, key: 12345678901234567}", "callers[0].key", "quotes", "16 char"),
    (CALLER, "- {name: app, key: 'spaces in between it'}", "callers[0].key", "space", "16 char"),
    (CALLER, "- {name: app, key_digest: abc}", "callers[0].key_digest", "`abc`", "sha256:"),
    (
        CALLER,
        f"- {{name: app, key_digest: '{DIGEST}', keys: x}}",
        "callers[0].keys",
        "unk",
        "`key`",
    ),
    (
        CALLER,
        f"- {{name: app, key: 0123456789abcdefghij, key_digest: '{DIGEST}'}}",
        "callers[0]",
        "both",
        "one of them",
    ),
    (
        CALLER,
        f"{CALLER}\n  - {{name: app, key_digest: '{DIGEST}'}}",
        "callers[1].name",
        "another caller",
        "rename",
    ),
    (
        CALLER,
        f"{CALLER}\n  - {{name: two, key: 0123456789abcdefghij}}",
        "callers[1]",
        "same key as callers[0]",
        "keys new",
    ),
    # Providers
    (KIND, "kind: antropic", "providers.anthropic.kind", "nearest: anthropic", "one of anthropic"),
    (KIND, "kind: gemini", "providers.anthropic.kind", "not supported yet", "openai-compatible"),
    (KIND, "kind: bedrock", "providers.anthropic.kind", "not supported yet", "one of"),
    (KIND, "kind: vertex", "providers.anthropic.kind", "not supported yet", "one of"),
    (KIND, "kind: azure-openai", "providers.anthropic.kind", "not supported yet", "one of"),
    (KIND, "kind: {}", "providers.anthropic.kind", "a table", "one of"),
    (KIND, "dialect: chat", "providers.anthropic", "no `kind`", "add `kind:`"),
    (
        KIND,
        "kind: anthropic\n    dialect: chat",
        "providers.anthropic.dialect",
        "anthropic does not speak `chat`",
        "write `messages`, or leave the key out",
    ),
    (
        KIND,
        "kind: anthropic\n    dialect: responses",
        "providers.anthropic.dialect",
        "anthropic does not speak `responses`",
        "write `messages`",
    ),
    (
        OPENAI_ACCOUNTS,
        f"{OPENAI_ACCOUNTS}\n    dialect: messages",
        "providers.openai.dialect",
        "openai does not speak `messages`",
        "write one of chat, responses, or leave the key out",
    ),
    (
        OPENAI_ACCOUNTS,
        f"{OPENAI_ACCOUNTS}\n    dialect: response",
        "providers.openai.dialect",
        "nearest: responses",
        "write one of chat, responses, messages",
    ),
    (
        KIND,
        "kind: anthropic\n    status_page: status.example.com",
        "providers.anthropic.status_page",
        "not an http or https URL",
        "https://status.example.com",
    ),
    (
        KIND,
        "kind: anthropic\n    status_page: http://status.example.com",
        "providers.anthropic.status_page",
        "anyone on the way could change what it says",
        "https://status.example.com",
    ),
    (
        KIND,
        "kind: anthropic\n    status_page: https://me:secret@status.example.com",
        "providers.anthropic.status_page",
        "a user name or a password",
        "https://status.example.com",
    ),
    (
        KIND,
        "kind: anthropic\n    status_page: https://status.example.com/summary.json?a=b",
        "providers.anthropic.status_page",
        "a query or a fragment",
        "https://status.example.com",
    ),
    (
        KIND,
        "kind: anthropic\n    status_page: true",
        "providers.anthropic.status_page",
        "not an http or https URL",
        "https://status.example.com",
    ),
    (
        KIND,
        "kind: anthropic\n    domain: gcp",
        "providers.anthropic.domain",
        "not supported yet",
        "leave the key out",
    ),
    (OPENAI_ACCOUNTS, "accounts: {}", "providers.openai.accounts", "is empty", "at least one"),
    (OPENAI_ACCOUNTS, "base_url: https://x", "providers.openai.accounts", "missing", "api_key"),
    (OPENAI_ACCOUNTS, "accounts: sk-1", "providers.openai.accounts", "a text", "a table"),
    (
        OPENAI_ACCOUNTS,
        "accounts: {main: sk-1}",
        "providers.openai.accounts.main",
        "a text",
        "`api_key`",
    ),
    (
        OPENAI_ACCOUNTS,
        "accounts: {main: {}}",
        "providers.openai.accounts.main",
        "no `api_key`",
        "${NAME}",
    ),
    (
        OPENAI_ACCOUNTS,
        "accounts: {main: {api_key: x, apikey: y}}",
        "providers.openai.accounts.main.apikey",
        "unknown key",
        "api_key",
    ),
    (
        OPENAI_ACCOUNTS,
        'accounts: {main: {api_key: "a\\nb"}}',
        "providers.openai.accounts.main.api_key",
        "HTTP header",
        "${NAME}",
    ),
    (
        OPENAI_ACCOUNTS,
        'accounts: {main: {api_key: "${KEYS}"}}',
        "providers.openai.accounts.main.api_key",
        "no KEYS",
        "there is KEY",
    ),
    (
        OPENAI_ACCOUNTS,
        'accounts: {main: {api_key: "${NOWHERE_TO_BE_FOUND}"}}',
        "providers.openai.accounts.main.api_key",
        "no NOWHERE_TO_BE_FOUND",
        "set NOWHERE_TO_BE_FOUND",
    ),
    (
        OPENAI_ACCOUNTS,
        'accounts: {main: {api_key: "${A:-${B}}"}}',
        "providers.openai.accounts.main.api_key",
        "begins no variable",
        "$${",
    ),
    (
        "kind: openai\n    " + OPENAI_ACCOUNTS,
        "kind: openai-compatible",
        "providers.openai.base_url",
        "no default",
        "http://127.0.0.1:11434/v1",
    ),
    # Features
    ("  chat:\n", "  Chat Bot:\n", 'features."Chat Bot"', "can't be a name", "small letters"),
    (TARGETS, "title: x", "features.chat", "no `targets`", "order of preference"),
    (TARGETS, "targets: []", "features.chat.targets", "is empty", "at least one"),
    (TARGETS, "targets: anthropic/claude", "features.chat.targets", "a text", "a list"),
    (TARGETS, "targets: [claude]", "features.chat.targets[0]", "no model", "provider/model"),
    (TARGETS, "targets: [openai/]", "features.chat.targets[0]", "no model", "provider/model"),
    (TARGETS, "targets: [/gpt]", "features.chat.targets[0]", "no provider", "provider/model"),
    (TARGETS, "targets: [openai@/gpt]", "features.chat.targets[0]", "no account", "provider@"),
    (TARGETS, "targets: [openai/gpt-*]", "features.chat.targets[0]", "a `*`", "`*` stands"),
    (TARGETS, "targets: [openai/a b]", "features.chat.targets[0]", "a space", "provider/model"),
    (
        TARGETS,
        "targets: [openai/gpt, opnai/gpt]",
        "features.chat.targets[1]",
        "unknown provider",
        "did you mean `openai`?",
    ),
    (
        TARGETS,
        "targets: [anthropic@spar/claude]",
        "features.chat.targets[0]",
        "unknown account of `anthropic`",
        "did you mean `spare`?",
    ),
    (
        TARGETS,
        "targets: [{use: openai/gpt, tier: good}]",
        "features.chat.targets[0].tier",
        "`good`",
        "same, substitute, reduced",
    ),
    (TARGETS, "targets: [{tier: same}]", "features.chat.targets[0]", "no `use`", "add `use:`"),
    (
        TARGETS,
        "targets: [{use: openai/gpt, model: x}]",
        "features.chat.targets[0].model",
        "unknown key",
        "known here: use, tier",
    ),
    (TARGETS, f"{TARGETS}\n    deadline: 10", "features.chat.deadline", "without a unit", "`10s`"),
    (TARGETS, f"{TARGETS}\n    deadline: 1.5s", "features.chat.deadline", "not a dur", "`500ms`"),
    (TARGETS, f"{TARGETS}\n    deadline: -1s", "features.chat.deadline", "not a duration", "`10s`"),
    (TARGETS, f"{TARGETS}\n    deadline: 0s", "features.chat.deadline", "is zero", "longer than"),
    (TARGETS, f"{TARGETS}\n    idle: 0ms", "features.chat.idle", "is zero", "longer than zero"),
    (
        TARGETS,
        f"{TARGETS}\n    first_token: 3m",
        "features.chat.first_token",
        "deadline",
        "shorter",
    ),
    (
        TARGETS,
        f"{TARGETS}\n    first_token: automatic",
        "features.chat.first_token",
        "`automatic` (nearest: auto)",
        "write `auto`, or a duration such as",
    ),
    (TARGETS, f"{TARGETS}\n    first_token: 0s", "features.chat.first_token", "zero", "`auto`"),
    (TARGETS, f"{TARGETS}\n    first_token: 5", "features.chat.first_token", "a unit", "`10s`"),
    (TARGETS, f"{TARGETS}\n    first_token: [auto]", "features.chat.first_token", "list", "auto"),
    (TARGETS, f"{TARGETS}\n    attempts: 0", "features.chat.attempts", "`0`", "from 1 to 10"),
    (TARGETS, f"{TARGETS}\n    attempts: 11", "features.chat.attempts", "`11`", "from 1 to 10"),
    (TARGETS, f"{TARGETS}\n    attempts: '3'", "features.chat.attempts", "a text", "whole number"),
    (TARGETS, f"{TARGETS}\n    attempts: 2.5", "features.chat.attempts", "`2.5`", "whole number"),
    (TARGETS, f"{TARGETS}\n    attempts: true", "features.chat.attempts", "a boolean", "whole"),
    (TARGETS, f"{TARGETS}\n    attempts: ${{TEN}}", "features.chat.attempts", "from TEN", "whole"),
    (TARGETS, f"{TARGETS}\n    title: ''", "features.chat.title", "is empty", "one line"),
    (TARGETS, f"{TARGETS}\n    title: yes", "features.chat.title", "a boolean", "one line"),
    (TARGETS, f'{TARGETS}\n    title: "a\\nb"', "features.chat.title", "a\\nb", "one line"),
    (TARGETS, f"{TARGETS}\n    models: gpt", "features.chat.models", "a text", "a list"),
    (TARGETS, f"{TARGETS}\n    models: [a b]", "features.chat.models[0]", "`a b`", "`*` stands"),
    (TARGETS, f"{TARGETS}\n    atempts: 3", "features.chat.atempts", "unknown", "`attempts`?"),
    (
        TARGETS,
        f"{TARGETS}\n    continue_streams: maybe",
        "features.chat.continue_streams",
        "neither true nor false",
        "`false`",
    ),
    (TARGETS, f"{TARGETS}\n    hedge: often", "features.chat.hedge", "`often`", "off, auto, or"),
    (TARGETS, f"{TARGETS}\n    hedge: atuo", "features.chat.hedge", "nearest: auto", "off, auto"),
    (TARGETS, f"{TARGETS}\n    hedge: true", "features.chat.hedge", "`true`", "off, auto"),
    (TARGETS, f"{TARGETS}\n    hedge: 2", "features.chat.hedge", "without a unit", "`10s`"),
    (TARGETS, f"{TARGETS}\n    hedge: 0s", "features.chat.hedge", "is zero", "`500ms`"),
    (TARGETS, f"{TARGETS}\n    hedge: 2 s", "features.chat.hedge", "not a duration", "`500ms`"),
    (
        TARGETS,
        f"{TARGETS}\n    hedge: 10s",
        "features.chat.hedge",
        "no shorter than `first_token`",
        "a shorter one",
    ),
    (
        TARGETS,
        f"{TARGETS}\n    hedge: 2s\n    deadline: 1s",
        "features.chat.hedge",
        "no shorter than `first_token`",
        "a shorter one",
    ),
    (
        TARGETS,
        f"{TARGETS}\n    hedge: 2m\n    first_token: auto",
        "features.chat.hedge",
        "no shorter than `deadline`",
        "or `auto`",
    ),
    (
        TARGETS,
        f"{TARGETS}\n    hedge: auto\n    attempts: 1",
        "features.chat.hedge",
        "`attempts` allows one",
        "write `off`",
    ),
    (TARGETS, f"{TARGETS}\n    hold: soon", "features.chat.hold", "duration", "`500ms`"),
    (
        TARGETS,
        f"{TARGETS}\n    defer: true",
        "features.chat.defer",
        "forgets",
        "add `store: sqlite:///understudy.db`",
    ),
    (
        TARGETS,
        f"{TARGETS}\n    priority: backround",
        "features.chat.priority",
        "`backround`",
        "background",
    ),
    # Tenants
    (TENANT, "acme: {providers: [opena]}", "tenants.acme.providers[0]", "no provider", "`openai`?"),
    (TENANT, "acme: {providers: []}", "tenants.acme.providers", "is empty", "at least one"),
    (TENANT, "acme: {substitutes: maybe}", "tenants.acme.substitutes", "neither", "`false`"),
    (TENANT, "a b: {}", 'tenants."a b"', "can't be a name", "letters"),
    (TENANT, "'a*': {}", 'tenants."a*"', "can't be a name", "`*` for all others"),
    (
        TENANT,
        "acme: {limits: {requests_per_minute: 0}}",
        "tenants.acme.limits.requests_per_minute",
        "`0`",
        "from 1 to",
    ),
    (
        TENANT,
        "acme: {limits: {request_per_minute: 5}}",
        "tenants.acme.limits.request_per_minute",
        "unknown key",
        "`requests_per_minute`?",
    ),
    (
        CALLER,
        "- {name: app, key: 0123456789abcdefghij, limits: {concurrency: 1.5}}",
        "callers[0].limits.concurrency",
        "`1.5`",
        "from 1 to",
    ),
    (
        CALLER,
        "- {name: app, key: 0123456789abcdefghij, limits: 5}",
        "callers[0].limits",
        "is a number",
        "requests_per_minute",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "path", "problem", "remedy"), BAD, ids=[f"{row[2]}: {row[3]}" for row in BAD]
)
def test_a_fault_is_found_at_its_path_with_a_remedy(old, new, path, problem, remedy):
    (fault,) = faults(changed(old, new))
    assert fault.path == path
    assert problem in fault.problem
    assert remedy in fault.remedy
    assert fault.line is not None


BAD_URLS = [
    ("http://api.example.com", "plain http"),
    ("http://10.0.0.7:8000/v1", "plain http"),
    ("http://127.example.com/v1", "plain http"),
    ("http://localhost.example.com/v1", "plain http"),
    ("https://user:pass@api.example.com", "a password"),
    ("https://api.example.com/v1?x=1", "a query"),
    ("https://api.example.com/v1#x", "a query or a fragment"),
    ("https://api.example.com/v1?", "a query"),
    ("ftp://api.example.com", "not an http"),
    ("api.example.com/v1", "not an http"),
    ("https://", "not an http"),
    ("https://api.example.com:99999", "not a URL"),
    ("https://api.example.com:0", "port 0"),
    ("https://[::1/v1", "not a URL"),
    ("https://api example.com", "a space"),
    ("https://bücher.example", "percent-encoded"),
    ("https://api.example.com\\r\\nx: y", "percent-encoded"),
    ("https://1.2.3/v1", "four numbers"),
]


@pytest.mark.parametrize(("url", "problem"), BAD_URLS)
def test_a_base_url_that_is_unsafe_or_no_url_is_refused_without_showing_it(url, problem):
    (fault,) = faults(changed(KIND, f'{KIND}\n    base_url: "{url}"'))
    assert fault.path == "providers.anthropic.base_url"
    assert problem in fault.problem
    assert "pass@" not in fault.problem + fault.remedy


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "'[::]", "192.0.2.1", "relay.internal", "127.evil.com"]
)
def test_without_callers_only_this_machine_may_call(host):
    text = GOOD.replace(LISTEN, f"relay: {{listen: {host}:8080}}".replace("]:8080", "]:8080'"))
    assert load(text, ENV).callers
    (fault,) = faults(text.replace(f"callers:\n  {CALLER}\n", ""))
    assert fault.path == "relay.listen"
    assert "keys new" in fault.remedy
    (empty,) = faults(text.replace(f"callers:\n  {CALLER}", "callers: []"))
    assert empty.path == "relay.listen"


def test_a_faulty_caller_is_not_told_as_an_open_door():
    text = changed(CALLER, "- {name: app, key: short}").replace(
        LISTEN, "relay: {listen: 0.0.0.0:1}"
    )
    assert [fault.path for fault in faults(text)] == ["callers[0].key"]


def test_every_fault_is_told_at_once_in_the_order_of_the_file():
    text = (
        GOOD.replace(KIND, "kind: gemini")
        .replace("127.0.0.1:8081", "x")
        .replace("openai/gpt", "opnai/gpt")
        .replace("[openai]", "[nobody]")
        + "extra: 1\n"
    )
    found = [(fault.path, fault.line) for fault in faults(text)]
    assert found == [
        ("web.listen", 2),
        ("providers.anthropic.kind", 7),
        ("features.chat.targets[1]", 14),
        ("tenants.acme.providers[0]", 16),
        ("extra", 17),
    ]


def test_a_fault_in_a_provider_is_not_told_again_where_the_provider_is_named():
    text = GOOD.replace("[anthropic/claude, openai/gpt]", "[anthropic@main/claude]")
    for broken in ("accounts: 5", "accounts: {main: {api_key: 5}}"):
        one = text.replace(
            'accounts: {main: {api_key: "${KEY}"}, spare: {api_key: "${KEY}"}}', broken
        )
        assert len(faults(one)) == 1
    assert [fault.path for fault in faults(text.replace(KIND, "kind: vertex"))] == [
        "providers.anthropic.kind"
    ]


def test_a_feature_that_no_key_can_serve_names_the_accounts_that_could():
    (fault,) = faults(GOOD.replace("${KEY}", "${EMPTY}"))
    assert fault.path == "features.chat.targets"
    assert "anthropic@main, anthropic@spare, openai@main" in fault.remedy


def test_a_file_without_providers_and_features_is_refused():
    assert [(fault.path, fault.problem) for fault in faults("tenants: {}")] == [
        ("", "has no `providers`"),
        ("", "has no `features`"),
    ]


def test_an_error_reads_as_file_line_path_problem_remedy():
    with pytest.raises(ConfigError) as caught:
        load(changed(KIND, "kind: antropic"), ENV, source="conf/x.yaml")
    assert str(caught.value) == (
        "conf/x.yaml:7: providers.anthropic.kind: can't be `antropic` (nearest: anthropic); "
        "write one of anthropic, openai, openai-compatible"
    )
