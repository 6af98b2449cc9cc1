"""The configuration to begin with passes, in whatever environment it was made."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.config import load
from understudy.config.starter import STAND_IN_ADDRESS, starter

KEYS = ["ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_2", "OPENAI_API_KEY", "OPENAI_API_KEY_2"]


def accounts(env: dict[str, str]) -> dict[str, list[str]]:
    providers = load(starter(env).text, env).providers
    return {
        name: [account.name for account in provider.accounts]
        for name, provider in providers.items()
    }


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"ANTHROPIC_API_KEY": "a"}, {"anthropic": ["main"]}),
        ({"OPENAI_API_KEY": "a"}, {"openai": ["main"]}),
        ({"ANTHROPIC_API_KEY_2": "a"}, {"anthropic": ["backup"]}),
        (
            dict.fromkeys(KEYS, "a"),
            {"anthropic": ["main", "backup"], "openai": ["main", "backup"]},
        ),
        ({"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": "a"}, {"anthropic": ["main"]}),
        ({"OPENAI_API_KEY": "bad key", "ANTHROPIC_API_KEY": "a"}, {"anthropic": ["main"]}),
        ({"OLLAMA_HOST": "127.0.0.1"}, {"local": ["default"]}),
        (
            {"OLLAMA_HOST": "[::1]:99", "OPENAI_API_KEY": "a"},
            {"openai": ["main"], "local": ["default"]},
        ),
    ],
)
def test_it_uses_the_keys_that_are_there(env, expected):
    assert accounts(env) == expected
    assert load(starter(env).text, env).notices == ()
    assert set(starter(env).found) <= env.keys()


def test_it_names_the_status_pages_of_vendors_and_of_no_stand_in():
    env = dict.fromkeys(KEYS, "a")
    providers = load(starter(env).text, env).providers
    assert {name: provider.status_page for name, provider in providers.items()} == {
        "anthropic": "https://status.claude.com",
        "openai": "https://status.openai.com",
    }
    stand_ins = load(starter({}).text, {}).providers.values()
    assert [provider.status_page for provider in stand_ins] == [None, None]


def test_without_any_key_it_uses_the_stand_in_and_says_so():
    made = starter({})
    assert made.found == ()
    assert f"understudy mock --listen {STAND_IN_ADDRESS}" in made.text
    for provider in load(made.text, {}).providers.values():
        assert provider.base_url.startswith(f"http://{STAND_IN_ADDRESS}")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000/v1"),
        ("localhost", "http://localhost:11434/v1"),
        ("http://127.0.0.1:5/", "http://127.0.0.1:5/v1"),
        ("https://ollama.example.com", "https://ollama.example.com/v1"),
        (":8000", "http://127.0.0.1:8000/v1"),
    ],
)
def test_the_address_of_ollama_becomes_a_base_url(host, url):
    env = {"OLLAMA_HOST": host}
    assert load(starter(env).text, env).providers["local"].base_url == url


@pytest.mark.parametrize(
    "host", ["192.0.2.7", "http://gpu:1", "http://u:SENTINEL@localhost", "[", " "]
)
def test_an_address_of_ollama_that_may_not_be_used_stays_out(host):
    assert starter({"OLLAMA_HOST": host}).found == ()
    assert "SENTINEL" not in starter({"OLLAMA_HOST": host}).text


@given(st.dictionaries(st.sampled_from([*KEYS, "OLLAMA_HOST"]), st.text(max_size=30)))
@settings(deadline=None)
def test_it_passes_in_the_environment_that_it_was_made_in(env):
    assert load(starter(env).text, env).features


@given(st.dictionaries(st.sampled_from(KEYS), st.just("sk-SENTINEL")))
@settings(deadline=None, max_examples=16)
def test_it_never_holds_a_key(env):
    assert "SENTINEL" not in starter(env).text
