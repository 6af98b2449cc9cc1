"""Where each kind answers, how it is asked, and that reading it never raises."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.faults import Fault
from understudy.providers.base import Reply
from understudy.providers.registry import LATER_KINDS, MANNERS
from understudy.providers.retry_after import LONGEST
from understudy.providers.scrub import LONGEST_MESSAGE
from unit.providers.provider_replies import NOW


def test_the_kinds_that_there_are():
    assert set(MANNERS) == {"anthropic", "openai", "openai-compatible"}
    assert all(kind == manners.kind for kind, manners in MANNERS.items())


def test_kinds_for_later_are_known_by_name():
    assert {"gemini", "azure-openai", "bedrock", "vertex"} == LATER_KINDS
    assert not LATER_KINDS & set(MANNERS)


@pytest.mark.parametrize(
    ("kind", "operation", "url"),
    [
        ("anthropic", "messages", "https://api.anthropic.com/v1/messages"),
        ("anthropic", "count_tokens", "https://api.anthropic.com/v1/messages/count_tokens"),
        ("anthropic", "models", "https://api.anthropic.com/v1/models"),
        ("openai", "chat_completions", "https://api.openai.com/v1/chat/completions"),
        ("openai", "responses", "https://api.openai.com/v1/responses"),
        ("openai", "models", "https://api.openai.com/v1/models"),
    ],
)
def test_the_address_of_an_operation(kind, operation, url):
    manners = MANNERS[kind]
    assert f"{manners.default_base_url}{manners.path(operation)}" == url


def test_openai_is_asked_in_chat_completions_unless_its_caller_speaks_responses():
    assert MANNERS["openai"].dialects == ("chat_completions", "responses")


def test_a_compatible_server_speaks_responses_only_where_it_is_said_to():
    assert MANNERS["openai-compatible"].dialects == ("chat_completions",)
    assert MANNERS["openai-compatible"].path("responses") == "/responses"


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("anthropic", "chat_completions"),
        ("anthropic", "responses"),
        ("openai", "messages"),
        ("openai", "count_tokens"),
        ("openai-compatible", "count_tokens"),
    ],
)
def test_an_operation_that_a_kind_lacks(kind, operation):
    with pytest.raises(KeyError):
        MANNERS[kind].path(operation)


def test_how_anthropic_is_asked():
    assert MANNERS["anthropic"].authorise("k") == (
        ("x-api-key", "k"),
        ("anthropic-version", "2023-06-01"),
    )


@pytest.mark.parametrize("kind", ["openai", "openai-compatible"])
def test_how_openai_and_its_like_are_asked(kind):
    assert MANNERS[kind].authorise("k") == (("authorization", "Bearer k"),)


def test_without_a_key_no_header_carries_one():
    for manners in MANNERS.values():
        assert {n for n, _ in manners.authorise(None)} <= {"anthropic-version"}
    assert MANNERS["openai-compatible"].keyless


def test_no_header_that_names_a_caller_or_an_account_travels_on():
    for manners in MANNERS.values():
        assert manners.forwarded_headers <= {"anthropic-version", "anthropic-beta", "openai-beta"}


# -- nothing that a provider sends can raise -------------------------------------------------

_NAMES = [
    *("error", "type", "code", "message", "details", "detail", "retry_after", "status", "title"),
    *("object", "error_code", "reason", "retryDelay", "cloudflare_error", "something"),
]
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_NAMES),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
_bodies = st.binary(max_size=200) | _json.map(lambda value: json.dumps(value).encode())
_headers = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "content-type", "cf-mitigated", "x"]),
    st.text(max_size=40),
)


def check(fault):
    assert isinstance(fault, Fault)
    assert len(fault.message) <= LONGEST_MESSAGE
    assert fault.retry_after is None or 0.0 <= fault.retry_after <= LONGEST
    repr(fault).encode("utf-8")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(MANNERS)), st.integers(-5, 1_200), _headers, _bodies)
def test_reading_a_reply_never_raises(kind, status, headers, body):
    reply = Reply(status=status, headers=headers, body=body, now=NOW)
    fault = MANNERS[kind].read_fault(reply)
    check(fault)
    assert fault.status == status


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(MANNERS)), _bodies)
def test_reading_an_error_in_a_stream_never_raises(kind, body):
    check(MANNERS[kind].read_error(body))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"error":' * 50_000,
        b'{"error":{"message":"\xff\xfe"}}',
        b'{"error":{"message":"\\ud800"}}',
        b'{"error":{"message":1e999}}',
        b'{"error":{"code":' + b"9" * 5_000 + b"}}",
        b"<title>" * 100_000,
        b"\xef\xbb\xbf{}",
        b"x" * 3_000_000,
        b"\x00" * 1_000,
    ],
    ids=range(10),
)
@pytest.mark.parametrize("kind", MANNERS)
def test_bodies_made_to_hurt(kind, body):
    check(MANNERS[kind].read_fault(Reply(status=500, headers={}, body=body, now=NOW)))
    check(MANNERS[kind].read_error(body))
