"""The connections to providers: TLS, kept ones, and those whose other end cannot be trusted."""

import contextlib
import json
import ssl

import pytest
import trustme

from support_relay import (
    LOOPBACK,
    Relay,
    Scripted,
    StandIn,
    anthropic_provider,
    ask,
    config_for,
    events_of,
    response,
)

CLAUDE, GPT = "claude-haiku-4-5", "gpt-4.1"


class TestTls:
    @pytest.fixture(scope="class")
    @classmethod
    def answers(cls, tmp_path_factory, client):
        """Feature → its answer, its journal, and what its first provider was asked."""
        ours, another = trustme.CA(), trustme.CA()
        directory = tmp_path_factory.mktemp("tls")
        ours.cert_pem.write_to_path(str(directory / "authority.pem"))
        with (
            StandIn() as plain,
            StandIn(tls=cls.context(ours, LOOPBACK)) as good,
            StandIn(tls=cls.context(another, LOOPBACK)) as unknown,
            StandIn(tls=cls.context(ours, "elsewhere.example")) as misnamed,
        ):
            urls = {
                "good": good.url,
                "unknown-authority": unknown.url,
                "another-name": misnamed.url,
                "no-tls": plain.url.replace("http:", "https:"),
            }
            config = config_for(plain.url)
            for name, url in urls.items():
                config["providers"][name] = anthropic_provider(url, f"sk-{name}")
                config["features"][name] = {"targets": [f"{name}/{CLAUDE}", f"gpt/{GPT}"]}
            env = {"SSL_CERT_FILE": str(directory / "authority.pem")}
            with Relay(config, directory, env=env) as relay:
                told = {}
                for name in urls:
                    got = client.post(f"{relay.url}/v1/messages", json=ask(name))
                    url = f"{relay.url}/v1/requests/{got.headers['x-request-id']}"
                    told[name] = got, client.get(url).json()["attempts"]
                asked = {"good": good, "unknown-authority": unknown, "another-name": misnamed}
                yield told, {name: len(asked[name].attempts()) for name in asked}

    @staticmethod
    def context(authority, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        return context

    def test_a_provider_with_a_good_certificate(self, answers):
        got, attempts = answers[0]["good"]
        assert got.headers["x-understudy-target"] == f"good/{CLAUDE}"
        assert len(attempts) == 1
        assert answers[1]["good"] == 1

    @pytest.mark.parametrize("name", ["unknown-authority", "another-name"])
    def test_a_bad_certificate_is_an_outage_and_no_key_is_sent(self, answers, name):
        got, attempts = answers[0][name]
        assert (got.status_code, got.headers["x-understudy-target"]) == (200, f"gpt/{GPT}")
        fault = attempts[0]["fault"]
        assert (fault["kind"], fault["scope"]) == ("outage", "provider")
        assert fault["code"] == "tls_certificate"
        assert answers[1][name] == 0

    def test_a_provider_that_speaks_no_tls_at_all(self, answers):
        got, attempts = answers[0]["no-tls"]
        assert (got.status_code, got.headers["x-understudy-target"]) == (200, f"gpt/{GPT}")
        fault = attempts[0]["fault"]
        assert (fault["kind"], fault["scope"], fault["code"]) == ("outage", "provider", "tls")


def message(text):
    """A whole answer of Anthropic's."""
    return json.dumps(
        {
            "id": "msg_1", "type": "message", "role": "assistant", "model": CLAUDE,
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    ).encode()  # fmt: skip


EVIL = response(message("EVIL"))
GOOD = response(message("GOOD"))
SMUGGLED = {
    "a-whole-response": GOOD + EVIL,
    "the-head-of-one": GOOD + b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n",
    "half-a-head": GOOD + b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-evil: ",
    "half-a-body": GOOD + EVIL[:-20],
    "two-lengths": GOOD.replace(b"content-length", b"content-length: 5\r\ncontent-length") + EVIL,
    "length-and-chunks": GOOD.replace(
        b"content-type", b"transfer-encoding: chunked\r\ncontent-type"
    )
    + EVIL,
    "a-shorter-length": response(message("GOOD")[:-5]) + message("GOOD")[-5:] + EVIL,
    "garbage": GOOD + b"EVIL" * 50,
    "an-interim-after-the-end": GOOD + b"HTTP/1.1 103 Early Hints\r\nx-evil: 1\r\n\r\n" + EVIL,
}


def stream_of(text):
    """A whole stream of Anthropic's, as the body of a response."""
    events = (
        ("message_start", {"message": {"id": "msg_1", "role": "assistant", "usage": {}}}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}}),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {}}),
        ("message_stop", {}),
    )
    return "".join(
        f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n" for kind, data in events
    ).encode()


STREAM_AND_MORE = (
    response(stream_of("GOOD") + stream_of("EVIL"), content_type="text/event-stream") + EVIL
)


class TestProvidersThatSmuggle:
    @pytest.fixture(scope="class")
    @classmethod
    def told(cls, tmp_path_factory, client):
        """Name → the answers to four requests in a row, and which connections they took."""
        with contextlib.ExitStack() as stack:
            providers = {
                name: stack.enter_context(Scripted(raw, response(message("NEXT"))))
                for name, raw in {**SMUGGLED, "stream": STREAM_AND_MORE}.items()
            }
            config = {
                "providers": {
                    name: anthropic_provider(provider.url, "sk-x")
                    for name, provider in providers.items()
                },
                "features": {
                    name: {"targets": [f"{name}/{CLAUDE}"], "attempts": 1} for name in providers
                },
            }
            relay = stack.enter_context(Relay(config, tmp_path_factory.mktemp("smuggle")))
            told = {}
            for name, provider in providers.items():
                bodies = [ask(name, stream=name == "stream"), *[ask(name)] * 3]
                answers = [client.post(f"{relay.url}/v1/messages", json=body) for body in bodies]
                told[name] = answers, list(provider.connections)
            yield told

    @pytest.mark.parametrize("name", SMUGGLED)
    def test_nothing_of_it_is_the_next_requests_answer(self, told, name):
        (first, *others), connections = told[name]
        assert b"EVIL" not in first.content
        if first.status_code == 200:
            assert first.json()["content"][0]["text"] == "GOOD"
        texts = [got.json()["content"][0]["text"] for got in others]
        assert texts == ["NEXT"] * 3
        assert not any("x-evil" in got.headers for got in (first, *others))
        # What went out of step is not used again.
        assert connections[0] == [0]

    def test_what_stands_behind_a_streams_end_goes_nowhere(self, told):
        (first, *others), _ = told["stream"]
        assert "EVIL" not in first.text
        assert events_of(first.text)[-1][0] == "message_stop"
        assert [got.json()["content"][0]["text"] for got in others] == ["NEXT"] * 3


class TestConnectionsToProviders:
    def test_they_are_kept(self, tmp_path, client):
        with Scripted(GOOD) as provider:
            config = {
                "providers": {"claude": anthropic_provider(provider.url, "sk-x")},
                "features": {"f": {"targets": [f"claude/{CLAUDE}"]}},
            }
            with Relay(config, tmp_path) as relay:
                for _ in range(5):
                    client.post(f"{relay.url}/v1/messages", json=ask())
        assert provider.connections == [[0, 1, 2, 3, 4]]

    def test_one_that_was_closed_meanwhile_costs_nobody_an_attempt(self, steady, client):
        relay, stand_in = steady
        stand_in.play({"fault": "idle_close"})
        for _ in range(5):
            got = client.post(f"{relay.url}/v1/messages", json=ask())
            assert got.headers["x-understudy-target"] == f"claude/{CLAUDE}"
            assert got.headers["x-understudy-attempts"] == "1"

    def test_a_head_without_an_end_is_not_waited_for(self, steady, tmp_path, client):
        _, stand_in = steady
        endless = b"HTTP/1.1 200 OK\r\nx-filler: " + b"a" * (1 << 22)
        with Scripted(endless) as provider:
            config = config_for(stand_in.url, first_token="120s")
            config["providers"]["claude"] = anthropic_provider(provider.url, "sk-x")
            with Relay(config, tmp_path) as relay:
                got = client.post(f"{relay.url}/v1/messages", json=ask())
                url = f"{relay.url}/v1/requests/{got.headers['x-request-id']}"
                first, _ = client.get(url).json()["attempts"]
        assert got.headers["x-understudy-target"] == f"gpt/{GPT}"
        assert first["fault"]["kind"] == "malformed"

    def test_a_redirect_is_not_followed(self, steady, tmp_path, client):
        _, stand_in = steady
        with Scripted(GOOD) as elsewhere:
            moved = (
                f"HTTP/1.1 307 Moved\r\nlocation: {elsewhere.url}/v1/messages\r\n"
                "content-length: 0\r\n\r\n"
            )
            with Scripted(moved.encode()) as provider:
                config = config_for(stand_in.url)
                config["providers"]["claude"] = anthropic_provider(provider.url, "sk-x")
                with Relay(config, tmp_path) as relay:
                    got = client.post(f"{relay.url}/v1/messages", json=ask())
            assert elsewhere.connections == []
        assert got.headers["x-understudy-target"] == f"gpt/{GPT}"
