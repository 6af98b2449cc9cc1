"""A caller's own body on its way: to another model, with further turns, without past thinking; and
the errors that come back.
"""

from __future__ import annotations

import json

import pytest

from understudy.core.conversation import BadRequestError
from understudy.dialects.base import ErrorView, Traits
from understudy.dialects.responses import RESPONSES
from unit.dialects.responses.responses_samples import (
    body_of,
    call,
    message,
    reasoning,
    returned,
    user,
)

GPT = Traits(effort=True, prefill=False)

# -- another model


def readdress(body, model="gpt-5-mini", traits=None):
    sent, names = RESPONSES.readdress(RESPONSES.read_envelope(body), model, traits)
    return sent, names


def test_only_the_model_changes():
    body = body_of(
        [user(), {"type": "item_reference", "id": "msg_1"}],
        tools=[{"type": "web_search"}],
        previous_response_id="resp_1",
        reasoning={"effort": "low"},
        brand_new={"a": [1, 2.50]},
    )
    sent, names = readdress(body)
    assert sent == body.replace(b'"gpt-5.2"', b'"gpt-5-mini"')
    assert names == []
    assert readdress(body, traits=GPT) == (sent, [])


def test_what_a_model_rejects_is_left_out():
    include = ["reasoning.encrypted_content", "file_search_call.results"]
    body = body_of(
        temperature=0.5,
        top_p=None,
        max_output_tokens=900,
        reasoning={"effort": "low"},
        include=include,
    )
    sent, names = readdress(body, traits=Traits(sampling=False, max_output=100))
    assert json.loads(sent) == {
        "model": "gpt-5-mini",
        "input": "hello",
        "top_p": None,
        "max_output_tokens": 100,
        "include": ["file_search_call.results"],
    }
    assert names == ["temperature", "max_output_tokens", "reasoning", "include"]
    sent, names = readdress(body, traits=GPT)
    assert names == []


OWN = reasoning("hm", encrypted_content="gAAA")
FOREIGN = {**reasoning("hm"), "id": "rs_understudy_1"}
BROKEN = reasoning("hm", status="incomplete")


@pytest.mark.parametrize("lost", [FOREIGN, BROKEN])
def test_reasoning_that_its_vendor_would_not_find_is_left_behind(lost):
    body = body_of([user(), lost, call(id="fc_1"), message("hi"), returned("x")])
    for traits in (None, GPT):
        sent, names = readdress(body, traits=traits)
        left = json.loads(sent)["input"]
        assert not any("id" in item for item in left)
        assert [item.get("type") for item in left] == [
            None,
            "function_call",
            "message",
            "function_call_output",
        ]
        assert names == ["thinking history"]


def test_the_vendors_own_reasoning_goes_along_unless_the_model_has_none():
    body = body_of([user(), OWN, message("hi")])
    assert readdress(body)[1] == []
    assert readdress(body, traits=GPT)[1] == []
    sent, names = readdress(body, traits=Traits())
    assert [item.get("type") for item in json.loads(sent)["input"]] == [None, "message"]
    assert names == ["thinking history"]


def test_past_thinking_can_be_forgotten():
    body = body_of([user(), OWN, message("hi")], temperature=0.5)
    forgotten = json.loads(RESPONSES.forget_thinking(body))
    assert [item.get("type") for item in forgotten["input"]] == [None, "message"]
    assert "id" not in forgotten["input"][1]
    assert forgotten["temperature"] == 0.5
    for untouched in (body_of(), body_of([user()], reasoning={"effort": "low"}), body_of([OWN])):
        assert RESPONSES.forget_thinking(untouched) is untouched


@pytest.mark.parametrize("wanted", ["a string", [3, "odd", None]])
def test_what_cannot_be_read_is_left_to_the_vendor(wanted):
    body = body_of(wanted, tools=[{"name": "reasoning"}])
    assert readdress(body)[0] == body.replace(b"gpt-5.2", b"gpt-5-mini")


# -- further turns

TURNS = [("assistant", "Hel"), ("user", "Go on.")]


def test_further_turns_stand_at_the_end_of_a_list():
    body = body_of([user(), {"type": "web_search_call", "id": "w"}], brand_new=2.50, stream=True)
    longer = json.loads(RESPONSES.extend(body, TURNS, None))
    assert list(longer) == ["model", "input", "brand_new", "stream"]
    assert longer["input"] == [
        user(),
        {"type": "web_search_call", "id": "w"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hel"}],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on."}]},
    ]


def test_a_string_becomes_a_list():
    longer = RESPONSES.extend(body_of("hello"), TURNS, None)
    request = RESPONSES.parse_request(longer)
    assert [(m.role, m.parts[0].text) for m in request.messages] == [
        ("user", "hello"),
        ("assistant", "Hel"),
        ("user", "Go on."),
    ]


def test_an_input_that_the_vendor_keeps_is_extended_too():
    body = json.dumps({"model": "m", "previous_response_id": "resp_1"}).encode()
    longer = json.loads(RESPONSES.extend(body, TURNS[:1], None))
    assert [item["role"] for item in longer["input"]] == ["assistant"]


@pytest.mark.parametrize(
    ("given", "left", "sent"), [(100, 60, 60), (100, None, 100), (None, 60, None), (100, 3, 16)]
)
def test_the_limit_of_tokens_is_what_is_left(given, left, sent):
    fields = {} if given is None else {"max_output_tokens": given}
    longer = json.loads(RESPONSES.extend(body_of(**fields), TURNS, left))
    assert longer.get("max_output_tokens") == sent


def test_what_is_no_request_cannot_be_extended():
    with pytest.raises(BadRequestError):
        RESPONSES.extend(b"[]", TURNS, None)
    with pytest.raises(BadRequestError):
        RESPONSES.extend(body_of(3), TURNS, None)


# -- errors


@pytest.mark.parametrize(
    ("kind", "status", "type_", "code"),
    [
        ("invalid_request", 400, "invalid_request_error", None),
        ("rate_limit", 429, "rate_limit_error", "rate_limit_exceeded"),
        ("overloaded", 503, "service_unavailable_error", "server_is_overloaded"),
        ("brand_new", 500, "server_error", None),
    ],
)
def test_an_error_is_worded_as_openai_does(kind, status, type_, code):
    view = ErrorView(status=status, kind=kind, message="No.", param="input[0]")
    error = json.loads(RESPONSES.render_error(view))["error"]
    assert error == {"message": "No.", "type": type_, "param": "input[0]", "code": code}
