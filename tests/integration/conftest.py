"""The house that most integration tests share: one relay, one stand-in, every kind of feature."""

import functools

import anthropic
import httpx
import openai
import pytest

from contract.postgres_cluster import postgres
from support_lab import open_lab
from support_relay import (
    PATIENCE,
    Relay,
    StandIn,
    anthropic_provider,
    closed_port,
    config_for,
    openai_provider,
)

KEY = "caller-key-of-the-house-0001"
CLAUDE, GPT, LLAMA = "claude-haiku-4-5", "gpt-4.1", "llama-3.3-70b"


@pytest.fixture(scope="session")
def house_stand_in():
    """The stand-in that plays every provider of the house; keys tell them apart."""
    with StandIn() as server:
        server.play({"fault": "overloaded", "key": "-down"})
        yield server


@pytest.fixture(scope="session")
def house(house_stand_in, tmp_path_factory):
    """A relay whose features are served by either vendor, by the second choice, or by nobody."""
    with (
        closed_port() as port,
        Relay(_house(house_stand_in, port), tmp_path_factory.mktemp("r")) as relay,
    ):
        relay.key = KEY
        yield relay


def _house(stand_in, nobody):
    url = stand_in.url
    providers = {
        "claude": anthropic_provider(url, "sk-claude-up"),
        "gpt": openai_provider(url, "sk-gpt-up"),
        "llama": {**openai_provider(url, "sk-llama-up"), "kind": "openai-compatible"},
        "claude-down": anthropic_provider(url, "sk-claude-down"),
        "gpt-down": openai_provider(url, "sk-gpt-down"),
        "claude-gone": anthropic_provider(f"http://127.0.0.1:{nobody}", "sk-claude-gone"),
        "gpt-gone": openai_provider(f"http://127.0.0.1:{nobody}", "sk-gpt-gone"),
    }
    features = {
        "by-claude": {"title": "By Claude", "targets": [f"claude/{CLAUDE}"], "models": [CLAUDE]},
        "by-gpt": {"title": "By GPT", "targets": [f"gpt/{GPT}"], "models": [GPT, "gpt-4o*"]},
        "by-llama": {"title": "By Llama", "targets": [f"llama/{LLAMA}"]},
        "claude-fails": {"targets": [f"claude-down/{CLAUDE}", f"gpt/{GPT}"]},
        "gpt-fails": {"targets": [f"gpt-down/{GPT}", f"claude/{CLAUDE}"]},
        "nobody": {"targets": [f"claude-gone/{CLAUDE}", f"gpt-gone/{GPT}"], "attempts": 2},
        "any-model": {"targets": ["claude/*"], "models": ["claude-sonnet-*"]},
    }
    return {
        "providers": providers,
        "features": features,
        "callers": [
            {"name": "house", "key": KEY},
            {"name": "acme-app", "key": "caller-key-of-acme-000001", "tenant": "acme"},
        ],
        "tenants": {"acme": {"providers": ["claude"], "substitutes": False}},
    }


@pytest.fixture(scope="session")
def caller(house):
    """Plain HTTP with the house's key."""
    headers = {"x-api-key": KEY}
    with httpx.Client(base_url=house.url, headers=headers, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="session")
def claude_sdk(house):
    """Anthropic's SDK, told nothing but the base URL and a key."""
    with anthropic.Anthropic(
        base_url=house.url, api_key=KEY, max_retries=0, timeout=PATIENCE
    ) as sdk:
        yield sdk


@pytest.fixture
async def claude_sdk_async(house):
    """The same, asynchronous."""
    async with anthropic.AsyncAnthropic(
        base_url=house.url, api_key=KEY, max_retries=0, timeout=PATIENCE
    ) as sdk:
        yield sdk


@pytest.fixture(scope="session")
def openai_sdk(house):
    """OpenAI's SDK, told nothing but the base URL and a key."""
    with openai.OpenAI(
        base_url=f"{house.url}/v1", api_key=KEY, max_retries=0, timeout=PATIENCE
    ) as sdk:
        yield sdk


@pytest.fixture
async def openai_sdk_async(house):
    """The same, asynchronous."""
    async with openai.AsyncOpenAI(
        base_url=f"{house.url}/v1", api_key=KEY, max_retries=0, timeout=PATIENCE
    ) as sdk:
        yield sdk


@pytest.fixture(scope="session")
def journal(caller):
    """The journal of one request, by its id."""

    def read(request_id):
        got = caller.get(f"/v1/requests/{request_id}")
        assert got.status_code == 200
        return got.json()

    return read


@pytest.fixture(scope="session")
def right_answer(house_stand_in):
    """What the stand-in says to a user's words, asked directly."""

    @functools.cache
    def ask(prompt):
        body = {"model": CLAUDE, "max_tokens": 1000}
        body["messages"] = [{"role": "user", "content": prompt}]
        headers = {"x-api-key": "sk-direct", "anthropic-version": "2023-06-01"}
        url = f"{house_stand_in.url}/v1/messages"
        got = httpx.post(url, json=body, headers=headers, timeout=PATIENCE)
        return got.json()["content"][0]["text"]

    return ask


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A plain relay without callers, and its stand-in, for tests that end neither."""
    with (
        StandIn() as server,
        Relay(config_for(server.url), tmp_path_factory.mktemp("shared")) as relay,
    ):
        yield relay, server


@pytest.fixture
def steady(shared):
    """The shared relay and its stand-in, which remembers nothing."""
    shared[1].forget()
    return shared


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A relay that each test furnishes with the targets that it wants."""
    with open_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def shared_stand_in():
    """A stand-in for the tests of a file, and for what serves several of them."""
    with StandIn() as server:
        yield server


@pytest.fixture
def stand_in(shared_stand_in):
    """The same: it remembers nothing, and answers as fast as it can."""
    shared_stand_in.forget()
    shared_stand_in.pace()
    yield shared_stand_in
    # Relays of the whole file go on, and so may jobs that the test left behind.
    shared_stand_in.forget()
    shared_stand_in.pace()


@pytest.fixture(scope="module")
def cluster():
    """A PostgreSQL, which the tests of a file may do anything to."""
    with postgres() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def client():
    """Plain HTTP."""
    with httpx.Client(timeout=PATIENCE) as client:
        yield client
