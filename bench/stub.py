"""A provider for the benchmarks: fixed answers in two dialects, as fast as Python sends them.

`python stub.py [--listen PORT]` prints its port on a line and serves until it is killed.

- `POST …/chat/completions` and `POST …/messages`: one JSON answer of about 1 KB, or, where the
  body asks for a stream, `CHUNKS` events of content, each a write and a segment of its own
  (TCP_NODELAY is uvloop's default), each in a turn of the event loop of its own.
- `GET /stub/mode?set=MODE` makes it sick: a status ("529", "500", …), "reset" (the connection is
  torn down with an RST), "hang" (nothing is answered), "mixed" (every tenth request fails, by each
  of `MIXED` in turn: so an answer is also cut in its middle, or ends without an end), or "ok".
- `GET /stub/pace?ms=N` puts N milliseconds between the chunks of a stream, as a model does; with
  0, as at the start, the next goes out in the loop's next turn.
- `GET /stub/stats`: what `State` holds; the counts are since the start, admin calls left out.
"""

import argparse
import asyncio
import json
import socket
import struct
from typing import cast
from urllib.parse import SplitResult, parse_qsl, urlsplit

import httptools
import uvloop

__all__ = ["CHUNKS", "STREAM_TEXT", "TEXT", "main"]

#: Content events of a stream.
CHUNKS = 50
#: The text of a stream: every chunk says its place, so that a hole or a repeat is seen.
WORDS = [f"w{n:02} of the answer " for n in range(CHUNKS)]
STREAM_TEXT = "".join(WORDS)
#: The text of a JSON answer (about 0.6 KB; with its envelope about 1 KB).
TEXT = "".join(f"w{n:02} answer " for n in range(CHUNKS))

MODEL = "stub-1"
USAGE_CHAT = {"prompt_tokens": 180, "completion_tokens": 150, "total_tokens": 330}
USAGE_MESSAGES = {"input_tokens": 180, "output_tokens": 150}
# SO_LINGER on, zero seconds: close() then sends an RST.
LINGER_NONE = struct.pack("ii", 1, 0)


def head(content_type: str, length: int | None, status: str = "200 OK") -> bytes:
    """An HTTP/1.1 response head; chunked where `length` is None."""
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n"
        f"request-id: req_stub\r\nx-request-id: req_stub\r\n{framing}\r\n\r\n"
    ).encode()


def whole(payload: object, status: str = "200 OK") -> bytes:
    """A JSON response, ready to send."""
    body = json.dumps(payload, separators=(",", ":")).encode()
    return head("application/json", len(body), status) + body


def frame(*events: str) -> bytes:
    """These events as one HTTP chunk."""
    body = "".join(events).encode()
    return b"%x\r\n%s\r\n" % (len(body), body)


def chat_event(delta: dict[str, str], finish: str | None = None) -> str:
    """One event of a chat completions stream."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _data(_chunk([choice]))


def _chunk(choices: list[object], usage: object = None) -> dict[str, object]:
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": MODEL,
        "choices": choices,
        "usage": usage,
    }


def _data(payload: object) -> str:
    return f"data: {json.dumps(payload, separators=(',', ':'))}\n\n"


def _named(payload: dict[str, object]) -> str:
    return f"event: {payload['type']}\n{_data(payload)}"


def chat_stream(*, usage: bool) -> list[bytes]:
    """A chat completions stream: the writes it consists of."""
    first, *others = WORDS
    tail = [chat_event({}, "stop")]
    if usage:  # only where stream_options.include_usage asked for it, as OpenAI does
        tail.append(_data(_chunk([], USAGE_CHAT)))
    return [
        head("text/event-stream", None)
        + frame(chat_event({"role": "assistant", "content": first})),
        *(frame(chat_event({"content": word})) for word in others),
        frame(*tail, "data: [DONE]\n\n") + b"0\r\n\r\n",
    ]


def messages_stream() -> list[bytes]:
    """An Anthropic messages stream: the writes it consists of."""
    message = {**_message([]), "stop_reason": None}
    block: dict[str, object] = {"type": "text", "text": ""}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    start = frame(
        _named({"type": "message_start", "message": message}),
        _named({"type": "content_block_start", "index": 0, "content_block": block}),
    )
    end = frame(
        _named({"type": "content_block_stop", "index": 0}),
        _named({"type": "message_delta", "delta": stop, "usage": USAGE_MESSAGES}),
        _named({"type": "message_stop"}),
    )
    return [
        head("text/event-stream", None) + start,
        *(frame(_content_delta(word)) for word in WORDS),
        end + b"0\r\n\r\n",
    ]


def _content_delta(word: str) -> str:
    delta = {"type": "text_delta", "text": word}
    return _named({"type": "content_block_delta", "index": 0, "delta": delta})


def _message(content: list[object]) -> dict[str, object]:
    return {
        "id": "msg_stub",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE_MESSAGES,
    }


def chat_answer() -> bytes:
    """A chat completion."""
    message: dict[str, object] = {"role": "assistant", "content": TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return whole(
        {
            "id": "chatcmpl-stub",
            "object": "chat.completion",
            "created": 1700000000,
            "model": MODEL,
            "choices": [choice],
            "usage": USAGE_CHAT,
            "service_tier": "default",
            "system_fingerprint": "fp_stub",
        }
    )


#: Every healthy answer, keyed by (Anthropic's dialect, stream, usage asked for).
ANSWERS: dict[tuple[bool, bool, bool], list[bytes]] = {
    (False, False, False): [chat_answer()],
    (False, False, True): [chat_answer()],
    (False, True, False): chat_stream(usage=False),
    (False, True, True): chat_stream(usage=True),
    (True, False, False): [whole(_message([{"type": "text", "text": TEXT}]))],
    (True, True, False): messages_stream(),
}


def failure(status: str, *, anthropic: bool) -> bytes:
    """An error answer of a provider, in its dialect."""
    kind = "overloaded_error" if status == "529" else "api_error"
    error = {"type": kind, "message": "the stub was told to fail", "code": None, "param": None}
    payload = {"type": "error", "error": error} if anthropic else {"error": error}
    return whole(payload, f"{status} Failed")


#: What goes wrong in the mode "mixed", in turn.
MIXED = ("529", "cut", "500", "reset", "endless", "page", "cut", "hang", "429", "cut")
#: An edge's page, under 200.
PAGE = head("text/html", 20) + b"<html>Sorry!</html>\n"


class State:
    """What the admin path reads and sets."""

    def __init__(self) -> None:
        self.mode = "ok"
        self.pace_ms = 0
        self.requests = 0
        self.connections = 0


class Provider(asyncio.Protocol):
    """One connection."""

    def __init__(self, state: State, loop: asyncio.AbstractEventLoop) -> None:
        self.state = state
        self.loop = loop
        self.parser = httptools.HttpRequestParser(self)
        self.url = b""
        self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's: a caller is here."""
        # uvloop's transports have asyncio's methods, but are not instances of its classes.
        self.transport = cast("asyncio.Transport", transport)
        self.state.connections += 1

    def data_received(self, data: bytes) -> None:
        """Asyncio's: bytes of a request."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_url(self, url: bytes) -> None:
        """The parser's: the request's target."""
        self.url = url

    def on_body(self, body: bytes) -> None:
        """The parser's: a part of the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """The parser's: the request is whole."""
        url, body = self.url, self.body
        self.body = b""
        if url.startswith(b"/stub/"):
            self.transport.write(self.admin(urlsplit(url.decode())))
            return
        self.state.requests += 1
        anthropic = b"/messages" in url
        stream = b'"stream":true' in body or b'"stream": true' in body
        usage = stream and not anthropic and b'"include_usage"' in body
        writes = ANSWERS[anthropic, stream, usage]
        mode = self.state.mode
        if mode == "mixed":
            turn, rest = divmod(self.state.requests, 10)
            mode = "ok" if rest else MIXED[turn % len(MIXED)]
        if mode in {"cut", "endless"}:
            self.cut(writes, orderly=mode == "endless")
        elif mode == "ok":
            self.send(writes, 0)
        else:
            self.fail(mode, anthropic=anthropic)

    def cut(self, writes: list[bytes], *, orderly: bool) -> None:
        """Half of an answer, and then an RST, or an end that is none."""
        sent = b"".join(writes[: len(writes) // 2]) or writes[0][: len(writes[0]) // 2]
        self.transport.write(sent)
        if not orderly:
            # Not at once: an abort takes back what has not been sent.
            self.loop.call_later(0.002, lambda: self.fail("reset", anthropic=False))
        elif len(writes) == 1:
            self.transport.close()
        else:
            self.transport.write(b"0\r\n\r\n")

    def admin(self, url: SplitResult) -> bytes:
        """Answers for `/stub/…`."""
        for name, value in parse_qsl(url.query):
            if name == "set":
                self.state.mode = value
            elif name == "ms":
                self.state.pace_ms = int(value)
        return whole(vars(self.state))

    def fail(self, mode: str, *, anthropic: bool) -> None:
        """Misbehaves as told."""
        if mode == "reset":
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
            self.transport.abort()
        elif mode == "page":
            self.transport.write(PAGE)
        elif mode != "hang":
            self.transport.write(failure(mode, anthropic=anthropic))

    def send(self, writes: list[bytes], at: int) -> None:
        """Sends one write now, the next a pace later."""
        if self.transport.is_closing():
            return
        self.transport.write(writes[at])
        if at + 1 == len(writes):
            return
        if pace := self.state.pace_ms:
            self.loop.call_later(pace / 1000, self.send, writes, at + 1)
        else:
            self.loop.call_soon(self.send, writes, at + 1)


async def serve(port: int) -> None:
    """Listens on loopback until cancelled."""
    loop = asyncio.get_running_loop()
    state = State()
    server = await loop.create_server(
        lambda: Provider(state, loop), "127.0.0.1", port, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--listen", type=int, default=0, metavar="PORT")
    uvloop.run(serve(options.parse_args().listen))


if __name__ == "__main__":
    main()
