"""What says nothing of a target's health: no breaker opens for it, and nobody is sent elsewhere."""

import asyncio
import contextlib
import io
import json
import ssl

import httpx
import msgspec
import pytest

from support_lab import DIALECTS, GPT, OTHER, OWN, PATHS, body_of
from support_relay import LOOPBACK, PATIENCE, StandIn, openai_provider
from understudy.config import load
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from understudy.dialects.messages import MESSAGES
from understudy.relay.relay import Relay
from understudy.services.logs import Log
from understudy.web.page import page_app

dialects = pytest.mark.parametrize("dialect", DIALECTS)
modes = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
makers = pytest.mark.parametrize("makers", [OWN, OTHER], ids=["as-it-is", "translated"])

#: Callers who leave at once; and twice as much of anything as a breaker needs.
CROWD, MANY = 20, 8
#: Requests afterwards: in slow start, or while it is doubted, not all would go to the first target.
THEN = 6
SILENCE = [
    {"fault": "hang", "where": "before_headers"},
    {"fault": "hang", "where": "mid_text"},
]
silences = pytest.mark.parametrize("silence", SILENCE, ids=["before-headers", "mid-text"])


def breakers(lab, scene):
    """Each target of the scene → its breaker, as the metrics show it: 0 is closed."""
    found = {}
    for line in lab.client.get("/metrics").text.splitlines():
        if line.startswith("understudy_breaker_open{"):
            target, value = line.removeprefix('understudy_breaker_open{target="').split('"} ')
            found[target.replace("@main/", "/")] = float(value)
    return {name: found[name] for name in (scene.target(0), scene.target(1))}


def assert_nobody_is_pushed_aside(lab, scene, dialect):
    """Every breaker is closed, and the next good requests go to the first target."""
    assert set(breakers(lab, scene).values()) == {0.0}
    lab.stand_in.play()
    for _ in range(THEN):
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.places == [0]
    assert scene.asked(1) == []
    assert set(breakers(lab, scene).values()) == {0.0}


def test_breakers_do_open_for_what_is_a_fault(lab):
    """Else the rest of this would say nothing."""
    scene = lab.serve(OWN["messages"]({"fault": "internal_error"}), OTHER["messages"]())
    for _ in range(MANY):
        scene.ask("messages")
    assert breakers(lab, scene) == {scene.target(0): 1.0, scene.target(1): 0.0}


@dialects
@makers
@silences
def test_callers_who_leave(lab, dialect, makers, silence):
    """All at once, within the answer and before it."""
    scene = lab.serve(makers[dialect](silence), OTHER[dialect]())
    body = json.dumps({"model": scene.name, **body_of(dialect, stream=True)})
    request = (
        f"POST {PATHS[dialect]} HTTP/1.1\r\nhost: relay\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}"
    )

    def mine(attempts):
        return [a for a in attempts if a.method == "POST" and a.key == scene.name_of(0)[-4:]]

    with contextlib.ExitStack() as callers:
        for _ in range(CROWD):
            callers.enter_context(lab.relay.connect()).send(request)
        lab.stand_in.until(lambda attempts: sum(a.hung for a in mine(attempts)) == CROWD)
    lab.stand_in.until(lambda attempts: sum(a.client_closed for a in mine(attempts)) == CROWD)
    assert_nobody_is_pushed_aside(lab, scene, dialect)


@dialects
@modes
@silences
def test_tiny_deadlines_of_callers(lab, dialect, stream, silence):
    scene = lab.serve(OWN[dialect](silence), OTHER[dialect](), attempts=1)
    for _ in range(MANY):
        told = scene.ask(dialect, stream=stream, headers={"x-understudy-deadline": "20ms"})
        assert "fault" not in [attempt["result"] for attempt in told.attempts]
    assert len(scene.asked(0)) > MANY / 2
    assert_nobody_is_pushed_aside(lab, scene, dialect)


@dialects
@modes
@makers
@pytest.mark.parametrize("fault", ["content_filter", "refusal"])
def test_refusals(lab, dialect, stream, makers, fault):
    scene = lab.serve(makers[dialect]({"fault": fault}), OTHER[dialect]())
    for _ in range(MANY):
        told = scene.ask(dialect, stream=stream)
        assert told.places == [0]
        assert told.results[0] in {"refused", "content"}
    assert_nobody_is_pushed_aside(lab, scene, dialect)


@dialects
@makers
def test_one_bad_tenant(lab, dialect, makers):
    """Its fifty requests are turned down; another's among them are answered."""
    everywhere = {"bad": (0, 1), "good": (0, 1)}
    scene = lab.serve(makers[dialect](), OTHER[dialect](), tenants=everywhere)
    for turn in range(50):
        bad = scene.ask(dialect, headers={"x-understudy-tenant": "bad"}, top_p=7)
        assert (bad.status, bad.results, bad.places) == (400, ["caller"], [0])
        if turn % 5 == 0:
            good = scene.ask(dialect, headers={"x-understudy-tenant": "good"}, stream=True)
            assert good.is_whole()
            assert good.places == [0]
    assert_nobody_is_pushed_aside(lab, scene, dialect)


@dialects
@modes
def test_what_we_translated_into_something_that_is_not_taken(lab, dialect, stream):
    scene = lab.serve(OTHER[dialect]({"fault": "invalid_request"}), OWN[dialect]())
    for _ in range(MANY):
        told = scene.ask(dialect, stream=stream)
        assert (told.status, told.results) == (400, ["caller"])
    assert_nobody_is_pushed_aside(lab, scene, dialect)


# -- mistakes of ours: made in a relay within this process


def _fails(*_, **__):
    raise KeyError("a mistake of ours")


class _Stumbling:
    """A parser that fails at its first bytes."""

    feed = finish = staticmethod(_fails)


#: What fails → the dialect, its function, and what takes its place.
MISTAKES = {
    "reading-the-request": (MESSAGES, "parse_request", _fails),
    "writing-the-request": (CHAT_COMPLETIONS, "render_request", _fails),
    "reading-the-answer": (CHAT_COMPLETIONS, "parse_answer", _fails),
    "reading-the-stream": (CHAT_COMPLETIONS, "stream_parser", lambda *_: _Stumbling()),
    "writing-the-answer": (MESSAGES, "render_answer", _fails),
}


@contextlib.contextmanager
def mistaken(dialect, name, function):
    """Let one function of a dialect fail."""
    whole = getattr(dialect, name)
    msgspec.structs.force_setattr(dialect, name, function)
    try:
        yield
    finally:
        msgspec.structs.force_setattr(dialect, name, whole)


KEY = "console-key-of-the-test"


@contextlib.asynccontextmanager
async def served(url):
    """A caller and an operator of a relay that translates for both of its targets."""
    config = {
        "web": {"console_key": KEY},
        "providers": {
            name: {**openai_provider(url, f"sk-{name}"), "dialect": "chat"}
            for name in ("one", "two")
        },
        "features": {"f": {"targets": [f"one/{GPT}", f"two/{GPT}"]}},
    }
    loop = asyncio.get_running_loop()
    settings = load(json.dumps(config), {}, source="here")
    relay = Relay(settings, loop, ssl.create_default_context(), Log(io.StringIO()))
    server = await loop.create_server(relay.protocol, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with (
            server,
            httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", timeout=PATIENCE) as caller,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(page_app(relay)),
                base_url="http://web",
                headers={"authorization": f"Bearer {KEY}"},
            ) as operator,
        ):
            yield caller, operator
    finally:
        await relay.close()


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
async def test_mistakes_of_ours(mistake):
    with StandIn() as stand_in:
        async with served(stand_in.url) as (caller, operator):
            stream = mistake[1] == "stream_parser"
            body = {"model": "f", **body_of("messages", stream=stream)}
            with mistaken(*mistake):
                for _ in range(MANY):
                    got = await caller.post("/v1/messages", json=body)
                    assert got.status_code == 503
            told = (await operator.get("/admin/api/health")).json()
            for provider in told["providers"]:
                (account,) = provider["accounts"]
                (target,) = account["targets"]
                for node in (provider, account, target):
                    assert node["health"]["state"] in {"closed", "never_proved"}
                    assert node["health"]["score"] == 0.0
                assert target["obstacle"] is None
            assert told["features"][0]["served_by"] == f"one@main/{GPT}"
            for _ in range(THEN):
                got = await caller.post("/v1/messages", json=body)
                assert got.status_code == 200
                assert got.headers["x-understudy-target"] == f"one/{GPT}"
                assert got.headers["x-understudy-attempts"] == "1"
