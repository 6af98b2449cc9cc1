"""Errors in the shape that callers of the messages dialect read."""

from __future__ import annotations

import json

import anthropic.types
import pytest
from pydantic import TypeAdapter

from understudy.dialects.base import ErrorView
from understudy.dialects.messages import COUNT_TOKENS, MESSAGES
from understudy.dialects.sse import parse_event

VENDORS = TypeAdapter(anthropic.types.ErrorObject)


@pytest.mark.parametrize(
    ("kind", "kind_of_vendor"),
    [
        ("invalid_request", "invalid_request_error"),
        ("authentication", "authentication_error"),
        ("permission", "permission_error"),
        ("not_found", "not_found_error"),
        ("rate_limit", "rate_limit_error"),
        ("api", "api_error"),
        ("overloaded", "overloaded_error"),
        ("timeout", "timeout_error"),
        ("billing", "billing_error"),
        ("kind_of_tomorrow", "api_error"),
    ],
)
def test_each_kind_is_one_of_the_vendors_types(kind, kind_of_vendor):
    body = json.loads(MESSAGES.render_error(ErrorView(status=500, kind=kind, message="m")))
    assert body == {"type": "error", "error": {"type": kind_of_vendor, "message": "m"}}
    assert VENDORS.validate_python(body["error"]).type == kind_of_vendor


def test_too_large_has_the_vendors_irregular_name():
    view = ErrorView(status=413, kind="request_too_large", message="m")
    assert json.loads(MESSAGES.render_error(view))["error"]["type"] == "request_too_large"


VIEW = ErrorView(
    status=503,
    kind="overloaded",
    message="nothing can serve now",
    understudy={"code": "no_target", "retry_after": 3.5, "request_id": "req_1"},
)


def test_our_own_object_stands_inside_and_the_id_outside():
    assert json.loads(MESSAGES.render_error(VIEW)) == {
        "type": "error",
        "error": {
            "type": "overloaded_error",
            "message": "nothing can serve now",
            "understudy": {"code": "no_target", "retry_after": 3.5, "request_id": "req_1"},
        },
        "request_id": "req_1",
    }
    assert COUNT_TOKENS.render_error(VIEW) == MESSAGES.render_error(VIEW)


def test_in_a_stream_it_is_one_error_event():
    event = MESSAGES.render_stream_error(VIEW)
    assert event.endswith(b"\n\n")
    assert parse_event(event).event == "error"
    assert parse_event(event).data == MESSAGES.render_error(VIEW)
