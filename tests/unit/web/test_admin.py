"""The operator's API: closed unless a key opens it, exact about what is wrong, and kept on disk."""

import asyncio
import json

import httpx
import pytest

from understudy.config import load
from understudy.policy.board import Board
from understudy.policy.breaker import SLOW_START_SHARE
from understudy.policy.budget import RetryBudget
from understudy.policy.gates import Gates
from understudy.policy.probing import Probing
from understudy.policy.pulls import Pull, Pulls
from understudy.policy.quality import Quality, Sign
from understudy.relay.fleet import Fleet, Hand
from understudy.relay.runtime import Runtime
from understudy.services import pulls_file
from understudy.services.journal import Journal
from understudy.services.pulls_file import read_pulls
from understudy.web.page import page_app
from unit.policy.policy_world import fault

KEY = "console-key-of-the-test"
CONFIG = """
web: {listen: "127.0.0.1:0", console_key: "%s"}
providers:
  anthropic: {kind: anthropic, accounts: {main: {api_key: sk-1}, spare: {api_key: sk-2}}}
  openai: {kind: openai, accounts: {main: {api_key: sk-3}}}
  local: {kind: openai-compatible, base_url: "http://127.0.0.1:9/v1"}
features:
  chat:
    targets: [anthropic/claude-sonnet-5, {use: "openai/ft:gpt-5.2?a/b", tier: substitute}]
  any: {targets: ["local/*"]}
"""
NODES = [
    *("anthropic", "openai", "local"),
    *("anthropic@main", "anthropic@spare", "openai@main", "local@default"),
    *("anthropic/claude-sonnet-5", "openai/ft:gpt-5.2?a/b"),
    *("anthropic@main/claude-sonnet-5", "anthropic@spare/claude-sonnet-5"),
    "openai@main/ft:gpt-5.2?a/b",
]


class House:
    """What the API asks of a relay, with real health and real settings."""

    wall = 1_800_000_000.0

    def __init__(self, config: str) -> None:
        self.runtime = Runtime(load(config, {}))
        self.pulls = Pulls()
        self.board = Board(lambda: 0.5, self.pulls)
        self.probing = Probing(self.board, lambda: 0.5)
        self.budget = RetryBudget()
        self.gates = Gates()
        self.quality = Quality()
        self.journal = Journal()
        self.notes = []
        self.log = self
        self.fleet = Fleet()
        self.tidings = self
        self.limiter = self
        self.hand = Hand(self)

    def told_by(self, node):
        return None

    def limited(self, now):
        return []

    def note(self, event, **fields):
        self.notes.append((event, fields))

    def now(self):
        return 1000.0

    def targets(self):
        found = {t.key: t for route in self.runtime.routes.values() for t in route.targets}
        return list(found.values())

    def causes(self, now):
        return []

    def testimonies(self, now):
        return []


@pytest.fixture
def house():
    return House(CONFIG % KEY)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "understudy.state.json"


def caller_of(house, state, key=KEY):
    house.hand.keep_in(state)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(page_app(house)),
        base_url="http://web",
        headers={"authorization": f"Bearer {key}"} if key else {},
    )


@pytest.fixture
async def client(house, state):
    async with caller_of(house, state) as client:
        yield client


def obstacles(house):
    now = house.now()
    return {t.key for t in house.targets() if house.board.obstacle(t, now) is not None}


PATHS = [
    ("GET", "/admin/api/health"),
    ("GET", "/admin/api/targets"),
    ("POST", "/admin/api/targets/anthropic/pull"),
    ("POST", "/admin/api/targets/anthropic/restore"),
    ("GET", "/admin/api/nothing"),
]


class TestTheDoor:
    @pytest.mark.parametrize(("method", "path"), PATHS)
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"authorization": "Bearer"},
            {"authorization": "Bearer wrong"},
            {"authorization": f"Bearer {KEY}x"},
            {"authorization": f"Basic {KEY}"},
            {"authorization": KEY},
            {"x-api-key": KEY},
            {"cookie": f"console_key={KEY}"},
        ],
        ids=str,
    )
    async def test_without_the_right_key_nothing_is_told_or_done(
        self, method, path, headers, house, state
    ):
        async with caller_of(house, state, key=None) as client:
            got = await client.request(method, path, headers=headers, json={"reason": "x"})
        assert got.status_code == 401
        assert got.headers["www-authenticate"].startswith("Bearer")
        assert got.json()["error"]["code"] == "invalid_console_key"
        assert "anthropic" not in got.text
        assert not house.pulls
        assert not state.exists()

    @pytest.mark.parametrize(("method", "path"), PATHS)
    async def test_without_a_key_in_the_settings_it_is_closed_and_says_which_key(
        self, method, path, state
    ):
        house = House(CONFIG.replace(', console_key: "%s"', ""))
        for key in (None, KEY, ""):
            async with caller_of(house, state, key=key) as client:
                got = await client.request(method, path)
            assert got.status_code == 404
            assert "`web.console_key`" in got.json()["error"]["message"]

    async def test_a_digest_opens_it_as_the_key_does(self, state):
        digest = load(CONFIG % KEY, {}).console.key_digest
        config = CONFIG.replace('console_key: "%s"', f'console_key_digest: "sha256:{digest}"')
        async with caller_of(House(config), state) as client:
            assert (await client.get("/admin/api/health")).status_code == 200

    async def test_another_key_holds_from_the_reload_on(self, house, client):
        house.runtime = Runtime(load(CONFIG % "console-key-after-it", {}))
        assert (await client.get("/admin/api/health")).status_code == 401

    async def test_the_scheme_is_a_word_in_any_letters(self, house, state):
        async with caller_of(house, state, key=None) as client:
            headers = {"authorization": f"bearer {KEY}"}
            assert (await client.get("/admin/api/health", headers=headers)).status_code == 200

    async def test_the_status_page_stays_open(self, house, state):
        async with caller_of(house, state, key=None) as client:
            assert (await client.get("/")).status_code == 200


class TestHealth:
    async def test_it_is_json_of_everything_and_of_no_key(self, house, client):
        got = await client.get("/admin/api/health")
        assert got.status_code == 200
        assert got.headers["content-type"] == "application/json"
        assert got.headers["cache-control"] == "no-store"
        told = got.json()
        assert list(told) == [
            *("at", "fleet", "features", "network", "providers", "pulls"),
            *("causes", "testimonies", "quality", "limited"),
        ]
        assert [one["node"] for one in told["providers"]] == ["anthropic", "openai", "local"]
        assert told["features"][0]["served_by"] == "anthropic@main/claude-sonnet-5"
        assert not {"sk-1", "sk-2", "sk-3", KEY} & set(got.text.split('"'))

    async def test_what_is_pulled_shows(self, house, client):
        await client.post("/admin/api/targets/anthropic@main/pull", json={"reason": "credit"})
        told = (await client.get("/admin/api/health")).json()
        assert told["features"][0]["served_by"] == "anthropic@spare/claude-sonnet-5"
        account = told["providers"][0]["accounts"][0]
        assert account["health"]["state"] == "pulled"
        assert account["health"]["pull"]["reason"] == "credit"


class TestDoubts:
    """The answers of a model may be called right by those who know."""

    MODEL = "anthropic/claude-sonnet-5"

    async def test_a_doubt_is_shown_and_dropped_by_an_operator(self, house, client):
        for _ in range(1_000):
            house.quality.answered(self.MODEL, "chat")
        for number in range(100):
            house.quality.showed(self.MODEL, "chat", Sign.REFUSED, 999.0, f"user {number}")
        (shown,) = (await client.get("/admin/api/health")).json()["quality"]
        assert shown["model"] == self.MODEL
        assert "refus" in shown["reason"]
        got = await client.post(f"/admin/api/quality/{self.MODEL}/accept")
        assert got.status_code == 200
        assert got.json() == {"model": self.MODEL, "reason": shown["reason"]}
        assert house.quality.doubted == {}
        assert house.notes[-1][0] == "answers accepted"

    async def test_what_is_not_in_doubt_cannot_be_accepted(self, client):
        got = await client.post(f"/admin/api/quality/{self.MODEL}/accept")
        assert got.status_code == 409
        assert got.json()["error"]["code"] == "not_doubted"


async def test_the_targets_are_listed_with_what_is_pulled(house, client):
    await client.post("/admin/api/targets/anthropic/pull", json={"reason": "x", "by": "ann"})
    told = (await client.get("/admin/api/targets")).json()
    assert told["nodes"] == NODES
    rows = {row["node"]: row for row in told["targets"]}
    assert rows["anthropic@main/claude-sonnet-5"] == {
        "node": "anthropic@main/claude-sonnet-5",
        "provider": "anthropic",
        "account": "main",
        "model": "claude-sonnet-5",
        "features": ["chat"],
        "pull": told["pulls"][0],
    }
    assert rows["local@default/*"]["pull"] is None
    assert told["pulls"] == [
        {"node": "anthropic", "reason": "x", "by": "ann", "at": "2027-01-15T08:16:40Z"}
    ]


class TestPull:
    @pytest.mark.parametrize(
        ("node", "out"),
        [
            ("anthropic@main/claude-sonnet-5", {"anthropic@main/claude-sonnet-5"}),
            (
                "anthropic/claude-sonnet-5",
                {"anthropic@main/claude-sonnet-5", "anthropic@spare/claude-sonnet-5"},
            ),
            ("anthropic@spare", {"anthropic@spare/claude-sonnet-5"}),
            ("openai", {"openai@main/ft:gpt-5.2?a/b"}),
            ("openai/ft:gpt-5.2%3Fa/b", {"openai@main/ft:gpt-5.2?a/b"}),
            ("openai@main%2Fft:gpt-5.2%3Fa%2Fb", {"openai@main/ft:gpt-5.2?a/b"}),
            ("local@default/*", {"local@default/*"}),
        ],
    )
    async def test_a_pull_holds_for_the_next_choice_is_logged_and_on_the_disk(
        self, node, out, house, client, state
    ):
        got = await client.post(f"/admin/api/targets/{node}/pull", json={"reason": "it invents"})
        assert got.status_code == 200
        assert obstacles(house) == out
        (kept,) = read_pulls(state)
        assert got.json() == {
            "pull": {
                "node": kept.node,
                "reason": "it invents",
                "by": "operator",
                "at": "2027-01-15T08:16:40Z",
            },
            "kept": True,
            "warning": None,
        }
        assert list(house.pulls) == [kept]
        assert house.notes == [
            ("pulled", {"node": kept.node, "reason": "it invents", "by": "operator"})
        ]

    async def test_a_second_pull_changes_the_reason(self, house, client, state):
        for reason in ("first", "second"):
            await client.post("/admin/api/targets/openai/pull", json={"reason": reason})
        assert [pull.reason for pull in read_pulls(state)] == ["second"]

    async def test_a_model_that_callers_choose_can_be_pulled(self, house, client):
        path = "/admin/api/targets/local/llama/pull"
        assert (await client.post(path, json={"reason": "x"})).status_code == 200
        assert [pull.node for pull in house.pulls] == ["local/llama"]

    @pytest.mark.parametrize("node", ["antropic", "anthropic@third", "anthropic/gpt", "a b"])
    async def test_an_unknown_node_is_404_with_the_names_there_are(self, node, house, client):
        got = await client.post(f"/admin/api/targets/{node}/pull", json={"reason": "x"})
        error = got.json()["error"]
        assert (got.status_code, error["code"], error["field"]) == (404, "unknown_node", "node")
        assert error["known"] == NODES
        assert not house.pulls

    @pytest.mark.parametrize(
        ("body", "field", "words"),
        [
            ({}, "reason", "on one line"),
            ({"reason": ""}, "reason", "1 to 200"),
            ({"reason": "  "}, "reason", "1 to 200"),
            ({"reason": "a\nb"}, "reason", "one line"),
            ({"reason": "\x1b[2J"}, "reason", "one line"),
            ({"reason": "x" * 201}, "reason", "1 to 200"),
            ({"reason": 7}, "reason", "Expected `str`, got `int`"),
            ({"reason": "x", "by": ""}, "by", "1 to 64"),
            ({"reason": "x", "until": 5}, "until", "unknown field `until`"),
        ],
        ids=str,
    )
    async def test_a_fault_names_its_field_and_what_would_be_right(
        self, body, field, words, house, client, state
    ):
        got = await client.post("/admin/api/targets/openai/pull", json=body)
        error = got.json()["error"]
        assert (got.status_code, error["code"], error["field"]) == (400, "invalid_field", field)
        assert words in error["message"]
        assert not house.pulls
        assert not state.exists()

    @pytest.mark.parametrize(
        ("content", "kind", "status"),
        [
            (b'{"reason": "x"}', "text/plain", 415),
            (b"reason=x", "application/x-www-form-urlencoded", 415),
            (b'{"reason": ', "application/json", 400),
            (b'["x"]', "application/json", 400),
            (b"\xff", "application/json", 400),
            (b"", "application/json", 400),
            (b" " * 20_000, "application/json", 413),
        ],
    )
    async def test_what_is_not_a_small_json_object_is_refused(
        self, content, kind, status, house, client
    ):
        headers = {"content-type": kind}
        got = await client.post("/admin/api/targets/openai/pull", content=content, headers=headers)
        assert got.status_code == status
        assert got.json()["error"]["message"]
        assert not house.pulls


class TestRestore:
    @pytest.fixture
    async def pulled(self, client, house):
        for node in ("anthropic", "anthropic@main"):
            await client.post(f"/admin/api/targets/{node}/pull", json={"reason": "x"})
        house.notes.clear()

    @pytest.mark.parametrize("body", [None, {}, {"slowly": False}], ids=str)
    async def test_in_one_step_all_of_it_is_back(self, body, pulled, house, client, state):
        for node in ("anthropic@main", "anthropic"):
            got = await client.post(f"/admin/api/targets/{node}/restore", json=body)
            assert got.status_code == 200
            assert got.json()["pull"]["node"] == node
        assert obstacles(house) == set()
        assert read_pulls(state) == []
        assert house.notes[0] == ("restored", {"node": "anthropic@main", "slowly": False})

    async def test_slowly_it_has_a_part_of_its_traffic(self, house, client):
        await client.post("/admin/api/targets/anthropic/pull", json={"reason": "x"})
        got = await client.post("/admin/api/targets/anthropic/restore", json={"slowly": True})
        assert got.status_code == 200
        share = {t.provider: house.board.of_target(t).share(house.now()) for t in house.targets()}
        assert share == {"anthropic": SLOW_START_SHARE, "openai": 1.0, "local": 1.0}
        assert house.notes[-1] == ("restored", {"node": "anthropic", "slowly": True})

    async def test_what_is_not_pulled_itself_is_409_with_what_to_restore(self, client, house):
        got = await client.post("/admin/api/targets/anthropic/restore")
        assert (got.status_code, got.json()["error"]["code"]) == (409, "not_pulled")
        await client.post("/admin/api/targets/anthropic/pull", json={"reason": "x"})
        path = "/admin/api/targets/anthropic@main/claude-sonnet-5/restore"
        error = (await client.post(path)).json()["error"]
        assert (error["code"], error["known"]) == ("not_pulled", ["anthropic"])
        assert "restore `anthropic`" in error["message"]
        assert house.pulls

    async def test_an_unknown_node_is_404(self, client):
        got = await client.post("/admin/api/targets/antropic/restore")
        assert (got.status_code, got.json()["error"]["known"]) == (404, NODES)

    async def test_what_has_left_the_settings_can_be_restored(self, house, client):
        house.pulls.take(Pull(node="gone@main", reason="x", by="ann", at=1.0))
        got = await client.post("/admin/api/targets/gone@main/restore")
        assert got.status_code == 200
        assert not house.pulls

    @pytest.mark.parametrize("body", [{"slowly": "yes"}, {"slowly": 1}, {"slowley": True}], ids=str)
    async def test_a_fault_names_its_field(self, body, pulled, house, client):
        got = await client.post("/admin/api/targets/anthropic/restore", json=body)
        assert (got.status_code, got.json()["error"]["field"]) == (400, next(iter(body)))
        assert len(house.pulls) == 2


class TestTheDisk:
    async def test_a_pull_that_can_not_be_written_holds_and_says_so(self, house, tmp_path):
        state = tmp_path / "gone" / "state.json"
        async with caller_of(house, state) as client:
            got = await client.post("/admin/api/targets/openai/pull", json={"reason": "x"})
        assert got.status_code == 200
        assert got.json()["kept"] is False
        assert str(state) in got.json()["warning"]
        assert obstacles(house) == {"openai@main/ft:gpt-5.2?a/b"}
        assert house.notes[-1][0] == "state not written"

    async def test_without_a_file_it_says_that_nothing_is_kept(self, house):
        async with caller_of(house, None) as client:
            got = await client.post("/admin/api/targets/openai/pull", json={"reason": "x"})
        assert got.json()["kept"] is False

    async def test_the_last_of_several_at_once_is_what_is_kept(
        self, house, client, state, monkeypatch
    ):
        written = []
        real = pulls_file.write_pulls

        def write(path, pulls):
            real(path, pulls)
            written.append(len(pulls))

        monkeypatch.setattr("understudy.relay.fleet.hand.write_pulls", write)
        nodes = ("anthropic", "openai", "local")
        await asyncio.gather(
            *(client.post(f"/admin/api/targets/{n}/pull", json={"reason": "x"}) for n in nodes)
        )
        assert {pull.node for pull in read_pulls(state)} == set(nodes)
        assert written[-1] == len(nodes)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/admin/api/nothing", 404),
        ("GET", "/admin/api/", 404),
        ("GET", "/admin/api/targets/openai/pull", 405),
        ("POST", "/admin/api/health", 405),
        ("DELETE", "/admin/api/targets", 405),
        ("OPTIONS", "/admin/api/health", 405),
        ("POST", "/admin/api/targets/openai", 404),
    ],
)
async def test_what_is_not_there_is_told_in_json(method, path, status, client):
    got = await client.request(method, path)
    assert got.status_code == status
    assert json.loads(got.content)["error"]["message"]
    assert "access-control-allow-origin" not in got.headers


async def test_an_operators_reason_is_not_on_the_page_for_people(house, client):
    await client.post("/admin/api/targets/openai/pull", json={"reason": "zanzibar-7731"})
    page = (await client.get("/")).text
    assert "openai: pulled by an operator" in page
    assert "zanzibar" not in page


async def test_a_providers_key_is_in_no_answer(house, client):
    house.board.of_account(house.targets()[0]).hold(
        fault("account", message="rejected"), house.now(), 60.0
    )
    for path in ("/admin/api/health", "/admin/api/targets"):
        text = (await client.get(path)).text
        assert not {"sk-1", "sk-2", "sk-3"} & set(text.split('"'))
