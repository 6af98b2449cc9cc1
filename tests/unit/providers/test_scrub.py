"""No credential and no control character leaves by a provider's text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.faults import Fault
from understudy.providers.registry import MANNERS
from understudy.providers.scrub import LONGEST_MESSAGE, scrub

CANARIES = [
    "sk-ant-api03-CANARYcanary0123456789-_abcdefXYZ",
    "sk-proj-CANARY0123456789abcdefABCDEF",
    "sk-CANARY***********wxyz",
    "gsk_CANARY0123456789abcdef",
    "xai-CANARY0123456789abcdef",
    "hf_CANARYabcdefghijkl",
    "AIzaSyCANARY0123456789abcdefghi",
    "ya29.CANARY0123456789abcdef",
    "AKIACANARY0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJDQU5BUlkiOjF9.CANARYsignature",
    "CANARY0123456789abcdef0123456789abcdef",
    "org-CANARY0123456789abcdef",
]


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize(
    "around", ["{}", "wrong key: {}.", '{{"k":"{}"}}', "({})", "a\n{}\tb", "x={}&y=1", "Bearer {}"]
)
def test_a_key_is_removed_wherever_it_stands(canary, around):
    out = scrub(around.format(canary))
    assert "CANARY" not in out
    assert "[redacted]" in out


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer CANARYtoken",
        "bearer   CANARYtoken",
        "Authorization: Basic Q0FOQVJZOkNBTkFSWQ==CANARY",
        "https://host/v1/models?key=CANARY&alt=sse",
        "https://host/?alt=sse&api_key=CANARY",
        "https://user:CANARY@host/v1",
        '{"api_key": "CANARY", "model": "m"}',
        "x-api-key: CANARY",
        "x-goog-api-key=CANARY",
        "password=CANARY",
        "s\u200bk-ant-\u200bCANARY0123456789",
        "sk-ant-\x00CANARY0123456789",
        "\u202esk-ant-CANARY0123456789",
    ],
)
def test_a_credential_is_known_by_what_stands_before_it(text):
    assert "CANARY" not in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "prompt is too long: 208310 tokens > 200000 maximum",
        "max_tokens: 300000 > 64000, which is the maximum for claude-haiku-4-5-20251001",
        "The model `gpt-5.2` does not exist or you do not have access to it.",
        "This model's maximum context length is 8192 tokens.",
        "registry.ollama.ai/library/tiny:latest does not support tools",
        "Overloaded",
    ],
)
def test_plain_words_stay(text):
    assert scrub(text) == text


def test_a_long_text_is_cut():
    out = scrub("word " * 1_000)
    assert len(out) == LONGEST_MESSAGE
    assert out.endswith("…")


def test_a_key_at_the_cut_does_not_show_its_first_half():
    out = scrub("a" * (LONGEST_MESSAGE - 10) + " sk-ant-CANARYcanaryCANARYcanary")
    assert "CANARY" not in out


@given(st.text(max_size=3_000))
def test_the_result_is_one_short_printable_line(text):
    out = scrub(text)
    assert len(out) <= LONGEST_MESSAGE
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in out)
    out.encode("utf-8")


@pytest.mark.parametrize("kind", MANNERS)
@pytest.mark.parametrize("where", ["message", "type", "code"])
def test_no_part_of_a_fault_holds_a_key(kind, where):
    error = {"message": "m", "type": "t", "code": "c", where: CANARIES[0]}
    fault: Fault = MANNERS[kind].read_error(repr(error).replace("'", '"').encode())
    assert "CANARY" not in repr(fault)
