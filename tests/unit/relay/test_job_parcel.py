"""A kept request is the request that it was, without any key, and says what makes two the same."""

import msgspec
import pytest

from understudy.config import load
from understudy.core.settings import Caller, digest_key
from understudy.relay.http import Incoming
from understudy.relay.intake import Intake
from understudy.relay.jobs.parcel import (
    UnreadableError,
    body_digest,
    key_digest,
    pack,
    unpack,
)
from understudy.relay.runtime import Runtime

ANN = Caller(name="ann", key_digest=digest_key("the-key-of-ann-000001"))
BOB = Caller(name="bob", key_digest=digest_key("the-key-of-bob-000001"))
RUNTIME = Runtime(
    load(
        """
providers: {a: {kind: anthropic, accounts: {main: {api_key: sk}}}}
features:
  f: {targets: [a/claude-haiku-4-5], models: ["claude-*"]}
  g: {targets: [a/claude-haiku-4-5]}
""",
        {},
    )
)
BODY = b'{"model":"f","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}'


def order(body=BODY, caller=ANN, own=None, **headers):
    request = Incoming(
        method="POST",
        path="/v1/messages",
        query="",
        headers={"x-api-key": "the-key-of-ann-000001", "accept": "*/*", **headers},
        own=own or {},
        body=body,
        caller=caller,
        arrived=5.0,
    )
    return Intake(b"pepper").understand(RUNTIME, request, "messages", "req_1")


def test_what_is_kept_is_understood_as_the_request_was():
    own = {"x-understudy-tenant": "acme", "x-understudy-tiers": "same", "x-understudy-user": "u1"}
    headers = {"anthropic-beta": "b-1", "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"}
    before = order(own=own, **headers)
    request, user = unpack(pack(before), ANN, 77.0)
    after = Intake(b"another").understand(RUNTIME, request, "messages", "req_2")
    assert after.place == before.place
    assert after.envelope == before.envelope
    assert (user, after.trace) == (before.user, before.trace)
    assert request.headers == headers
    assert request.arrived == 77.0


def test_a_models_name_means_the_feature_that_it_meant_then():
    before = order(BODY.replace(b'"f"', b'"claude-x"'))
    request, _ = unpack(pack(before), ANN, 0.0)
    assert request.own == {"x-understudy-feature": "f"}
    again = Intake(b"p").understand(RUNTIME, request, "messages", "req_2")
    assert again.place.model == before.place.model == "claude-x"


def test_no_key_and_no_hurry_is_kept():
    kept = pack(order(own={"x-understudy-deadline": "20s"}, **{"idempotency-key": "canary-7"}))
    for canary in (b"the-key-of-ann", ANN.key_digest.encode(), b"canary-7", b"deadline"):
        assert canary not in kept


@pytest.mark.parametrize(
    "other",
    [
        order(BODY + b" "),
        order(own={"x-understudy-tiers": "same"}),
        order(own={"x-understudy-tenant": "acme"}),
        order(own={"x-understudy-feature": "g"}),
        order(**{"anthropic-beta": "b-1"}),
    ],
)
def test_another_request_has_another_digest(other):
    assert body_digest(ANN, other) != body_digest(ANN, order())


def test_the_same_request_has_the_same_digest_however_it_is_traced_and_hurried():
    same = order(
        own={"x-understudy-deadline": "20s", "x-understudy-user": "u"}, traceparent="00-a-b-01"
    )
    assert body_digest(ANN, same) == body_digest(ANN, order())


def test_digests_are_of_no_use_without_the_callers_key():
    assert key_digest(ANN, "order-1") == key_digest(ANN, "order-1")
    assert key_digest(ANN, "order-1") != key_digest(BOB, "order-1")
    assert body_digest(ANN, order()) != body_digest(BOB, order())
    assert key_digest(None, "order-1") != key_digest(ANN, "order-1")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"not msgpack",
        msgspec.msgpack.encode({"version": 1}),
        msgspec.msgpack.encode({"version": 2, "path": "/", "operation": "messages", "body": b"x"}),
    ],
)
def test_what_another_program_wrote_is_not_guessed_at(data):
    with pytest.raises(UnreadableError):
        unpack(data, None, 0.0)
