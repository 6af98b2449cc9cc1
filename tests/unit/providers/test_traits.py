"""What each generation of models takes."""

import pytest

from understudy.providers.traits import anthropic_traits, compatible_traits, openai_traits

#: sampling, budget, off, adaptive, prefill, context, output
ANTHROPIC = {
    "claude-2.1": (True, False, True, False, True, None, None),
    "claude-instant-1.2": (True, False, True, False, True, None, None),
    "claude-3-haiku-20240307": (True, False, True, False, True, 200_000, 4_096),
    "claude-3-5-sonnet-20241022": (True, False, True, False, True, 200_000, 8_192),
    "claude-3-5-haiku-latest": (True, False, True, False, True, 200_000, 8_192),
    "claude-3-7-sonnet-20250219": (True, True, True, False, True, 200_000, 64_000),
    "claude-sonnet-4-20250514": (True, True, True, False, True, 200_000, 64_000),
    "claude-opus-4-20250514": (True, True, True, False, True, 200_000, 32_000),
    "claude-opus-4-1-20250805": (True, True, True, False, True, 200_000, 32_000),
    "claude-opus-4-5-20251101": (True, True, True, False, True, 200_000, 64_000),
    "claude-sonnet-4-5": (True, True, True, False, True, 200_000, 64_000),
    "claude-haiku-4-5-20251001": (True, True, True, False, True, 200_000, 64_000),
    "claude-opus-4-6": (True, True, True, True, False, 1_000_000, 128_000),
    "claude-sonnet-4-6": (True, True, True, True, False, 1_000_000, 128_000),
    "claude-opus-4-7": (False, False, True, True, False, 1_000_000, 128_000),
    "claude-opus-4-8": (False, False, True, True, False, 1_000_000, 128_000),
    "claude-sonnet-5": (False, False, True, True, False, 1_000_000, 128_000),
    "claude-opus-5": (False, False, True, True, False, 1_000_000, 128_000),
    "claude-haiku-5-5": (False, False, True, True, False, 1_000_000, 128_000),
    "claude-fable-5": (False, False, False, True, False, 1_000_000, 128_000),
    "claude-mythos-5": (False, False, False, True, False, 1_000_000, 128_000),
    "claude-sonnet-5-5": (False, False, False, True, False, 1_000_000, 128_000),
    "claude-opus-5-5": (False, False, False, True, False, 1_000_000, 128_000),
    "claude-fable-5-2": (False, False, False, True, False, 1_000_000, 128_000),
}


@pytest.mark.parametrize("model", ANTHROPIC)
def test_a_claude_model(model):
    t = anthropic_traits(model)
    assert (
        t.sampling,
        t.thinking_budget,
        t.thinking_off,
        t.thinking_adaptive,
        t.prefill,
        t.context,
        t.max_output,
    ) == ANTHROPIC[model]
    assert not t.effort
    assert t.stop


@pytest.mark.parametrize(
    "model",
    ["claude-opus-7", "claude-nova-6-1", "claude-mythos-preview", "claude", "claude-sonnet-latest"],
)
def test_a_claude_newer_than_the_table_is_held_to_the_newest_rules(model):
    assert anthropic_traits(model) == anthropic_traits("claude-opus-5-5")


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("anthropic/claude-opus-4.7", "claude-opus-4-7"),
        ("anthropic/claude-3.7-sonnet:thinking", "claude-3-7-sonnet-20250219"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("claude-opus-4-1@20250805", "claude-opus-4-1-20250805"),
        ("Claude-Opus-4-6", "claude-opus-4-6"),
        ("claude-sonnet-4-6-20260217", "claude-sonnet-4-6"),
    ],
)
def test_a_claude_by_the_names_of_other_houses(name, same_as):
    assert anthropic_traits(name) == anthropic_traits(same_as)


def test_another_vendor_behind_the_messages_dialect_takes_everything():
    t = anthropic_traits("kimi-k2")
    assert (t.sampling, t.prefill, t.thinking_budget, t.context) == (True, True, True, None)


#: sampling, max_completion_tokens, effort, stop, context, output
OPENAI = {
    "o1": (False, True, True, True, 200_000, 100_000),
    "o1-preview": (False, True, False, True, 128_000, 32_768),
    "o3-mini-2025-01-31": (False, True, True, True, 200_000, 100_000),
    "o3": (False, True, True, False, 200_000, 100_000),
    "o4-mini-2025-04-16": (False, True, True, False, 200_000, 100_000),
    "gpt-5": (False, True, True, False, 400_000, 128_000),
    "gpt-5-mini-2025-08-07": (False, True, True, False, 400_000, 128_000),
    "gpt-5-chat-latest": (True, True, False, True, 128_000, 16_384),
    "gpt-5.1-chat-latest": (False, True, False, True, 128_000, 16_384),
    "gpt-5.1": (False, True, True, True, 400_000, 128_000),
    "gpt-5.2-2025-12-11": (False, True, True, True, 400_000, 128_000),
    "gpt-5.5": (False, True, True, True, None, None),
    "gpt-6.2-sol": (False, True, True, True, None, None),
    "gpt-4.1-mini": (True, False, False, True, 1_047_576, 32_768),
    "gpt-4o": (True, False, False, True, 128_000, 16_384),
    "gpt-4o-mini-2024-07-18": (True, False, False, True, 128_000, 16_384),
    "gpt-4o-2024-05-13": (True, False, False, True, 128_000, 4_096),
    "gpt-4o-search-preview": (False, False, False, True, 128_000, 16_384),
    "gpt-4-turbo": (True, False, False, True, 128_000, 4_096),
    "gpt-4": (True, False, False, True, 8_192, 8_192),
    "gpt-3.5-turbo": (True, False, False, True, 16_385, 4_096),
    "something-new": (True, True, False, True, None, None),
}


@pytest.mark.parametrize("model", OPENAI)
def test_an_openai_model(model):
    t = openai_traits(model)
    assert (
        t.sampling,
        t.completion_tokens_name,
        t.effort,
        t.stop,
        t.context,
        t.max_output,
    ) == OPENAI[model]
    assert not t.prefill


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("openai/gpt-5.2", "gpt-5.2"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", "gpt-4o-mini"),
        ("GPT-4o", "gpt-4o"),
    ],
)
def test_an_openai_model_by_its_other_names(name, same_as):
    assert openai_traits(name) == openai_traits(same_as)


@pytest.mark.parametrize("model", ["qwen3:8b", "meta-llama/Llama-3.3-70B-Instruct", "gpt-oss"])
def test_a_compatible_server_takes_every_parameter(model):
    t = compatible_traits(model)
    assert (t.sampling, t.effort, t.stop, t.completion_tokens_name) == (True, True, True, False)
