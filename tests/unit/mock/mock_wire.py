"""A raw client for the stand-in: writes a request, keeps every byte and how the socket ended."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from understudy.mock import FaultRule, MockServer, serve

NOW = 1_795_000_000.0
KEY = "sk-mock-key-abcd"
PROMPT = (
    "Summarise the following text:\n\nThe relay keeps requests alive when a provider fails. It "
    "moves them to another target before anybody notices. Teams like it because outages stay "
    "hidden from the people who use the product. It costs little and asks for no change in code."
)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
PATHS = {
    "messages": "/v1/messages",
    "chat_completions": "/v1/chat/completions",
    "responses": "/v1/responses",
}
#: Models that think aloud in each dialect, and how they are asked to.
THINKING = {
    "messages": {"thinking": {"type": "adaptive"}},
    "chat_completions": {"model": "deepseek-reasoner"},
    "responses": {"model": "gpt-5-mini", "reasoning": {"summary": "auto"}},
}
#: A model of each dialect that takes the beginning of an answer.
CONTINUING_MODEL = {
    "messages": "claude-haiku-4-5",
    "chat_completions": "gpt-4o",
    "responses": "gpt-4o",
}


class Sleeper:
    """Stands in for sleep: writes down each wait, and lets it pass at once."""

    def __init__(self):
        self.waits = []

    async def __call__(self, seconds):
        self.waits.append(seconds)
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def stand_in(**options) -> AsyncIterator[MockServer]:
    options.setdefault("clock", lambda: NOW)
    server = await serve(**options)
    try:
        yield server
    finally:
        await server.close()


def body_for(dialect, *, stream=False, tool=False, thinking=False, prompt=PROMPT, **more):
    turns = [{"role": "user", "content": prompt}]
    function = {"name": "get_weather", "parameters": SCHEMA}
    body = {"stream": stream, "input" if dialect == "responses" else "messages": turns}
    if dialect == "messages":
        body |= {"model": "claude-sonnet-5", "max_tokens": 2000}
        tools = [{"name": "get_weather", "input_schema": SCHEMA}]
    elif dialect == "chat_completions":
        body["model"] = "gpt-4o"
        tools = [{"type": "function", "function": function}]
        if stream:
            body["stream_options"] = {"include_usage": True}
    else:
        body["model"] = "gpt-4o"
        tools = [{"type": "function", **function}]
    if tool:
        body["tools"] = tools
    return body | (THINKING[dialect] if thinking else {}) | more


def continuing(dialect, part, *, prompt=PROMPT, note=None, **more):
    """A request for the rest of an answer that begins with `part`; `note`: a user's turn after it.

    Without a part the conversation is as it was.
    """
    turns = [{"role": "user", "content": prompt}]
    turns += [{"role": "assistant", "content": part}] if part else []
    turns += [{"role": "user", "content": note}] if note else []
    key = "input" if dialect == "responses" else "messages"
    return {"model": CONTINUING_MODEL[dialect], key: turns} | more


def request_bytes(path, body=None, *, key=KEY, method="POST", keep_alive=False, headers=()):
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "host: mock", f"content-length: {len(data)}"]
    lines += [] if keep_alive else ["connection: close"]
    if "messages" in path:
        lines += [f"x-api-key: {key}"] if key else []
        lines.append("anthropic-version: 2023-06-01")
    elif key:
        lines.append(f"authorization: Bearer {key}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


@dataclass
class Seen:
    """What came back: every byte, and how the socket ended (`eof` or `reset`)."""

    raw: bytes
    end: str
    waits: list = field(default_factory=list)

    @property
    def head(self):
        return self.raw.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def status(self):
        return int(self.raw[9:12]) if self.raw.startswith(b"HTTP/1.1 ") else None

    @property
    def headers(self):
        pairs = [line.partition(": ") for line in self.head.split("\r\n")[1:]]
        return {name: value for name, _, value in pairs}

    @property
    def _framed(self):
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def chunks(self):
        """(chunks, what is left after the last whole one, the last chunk has been seen)."""
        rest, found = self._framed, []
        while b"\r\n" in rest:
            size, _, more = rest.partition(b"\r\n")
            length = int(size, 16)
            if length == 0:
                return found, more, True
            if len(more) < length + 2:
                break
            found.append(more[:length])
            rest = more[length + 2 :]
        return found, rest, False

    @property
    def chunked(self):
        return self.headers.get("transfer-encoding") == "chunked"

    @property
    def body(self):
        return b"".join(self.chunks[0]) if self.chunked else self._framed

    @property
    def whole(self):
        """Whether the framing came to its end."""
        if self.chunked:
            return self.chunks[2]
        length = self.headers.get("content-length")
        return length is not None and int(length) == len(self._framed)

    @property
    def json(self):
        body = self.body
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return json.loads(body)

    @property
    def events(self):
        """(name, data) of each event; data is text where it is no JSON."""
        text = self.body.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")
        told = []
        for block in text.split("\n\n"):
            lines = [line.partition(": ") for line in block.split("\n") if line]
            fields = {name: value for name, _, value in lines if name in {"event", "data"}}
            if "data" in fields:
                told.append((fields.get("event", ""), _json_or_text(fields["data"])))
        return told

    @property
    def objects(self):
        return [data for _, data in self.events if isinstance(data, dict)]

    # -- the answer, in every dialect

    @property
    def streamed(self):
        start = self.body.lstrip(b"\xef\xbb\xbf:")
        return self.chunked and start.startswith((b"event", b"data", b" "))

    @property
    def text(self):
        if not self.streamed:
            return _whole_text(self.json)
        return "".join(_delta(data, "text", "content", "output_text") for data in self.objects)

    @property
    def thinking(self):
        keys = ("thinking", "reasoning_content", "reasoning_summary_text")
        return "".join(_delta(data, *keys) for data in self.objects)

    @property
    def arguments(self):
        told = []
        for data in self.objects:
            told.append(_delta(data, "partial_json", "", "function_call_arguments"))
            for choice in data.get("choices", ()):
                calls = choice["delta"].get("tool_calls", ())
                told += [call["function"].get("arguments", "") for call in calls]
        return "".join(told)

    @property
    def reasons(self):
        """Every reason for the end that was told."""
        objects = self.objects if self.events else [self.json]
        told = [data.get("stop_reason") for data in objects]
        told += [
            data["delta"].get("stop_reason")
            for data in objects
            if isinstance(data.get("delta"), dict)
        ]
        told += [c.get("finish_reason") for data in objects for c in data.get("choices", ())]
        told += [_reason(data.get("response", data)) for data in objects]
        return [reason for reason in told if reason]

    @property
    def terminal(self):
        """Whether the dialect's last word was said."""
        last = {"message_stop", "response.completed", "response.incomplete"}
        return any(name in last or data == "[DONE]" for name, data in self.events)

    @property
    def numbers(self):
        """Sequence numbers of the events, where they have any."""
        return [data["sequence_number"] for data in self.objects if "sequence_number" in data]


def _reason(response):
    """Why a response ended: its status, or what it is incomplete for."""
    if response.get("object") != "response" or response["status"] == "in_progress":
        return None
    details = response["incomplete_details"]
    return details["reason"] if details else response["status"]


def _json_or_text(data):
    try:
        return json.loads(data)
    except ValueError:
        return data


def _delta(data, ours, theirs, responses):
    delta = data.get("delta")
    if isinstance(delta, str):
        return delta if data["type"] == f"response.{responses}.delta" else ""
    if isinstance(delta, dict) and ours in delta:
        return delta[ours]
    return "".join(c["delta"].get(theirs) or "" for c in data.get("choices", ()) if c.get("delta"))


def _whole_text(answer):
    if "output" in answer:
        parts = [part for item in answer["output"] for part in item.get("content") or ()]
        return "".join(part["text"] for part in parts if part["type"] == "output_text")
    if "content" in answer:
        return "".join(b["text"] for b in answer["content"] if b["type"] == "text")
    return "".join(choice["message"]["content"] or "" for choice in answer["choices"])


async def read_to_end(reader):
    told = bytearray()
    try:
        while data := await reader.read(65536):
            told += data
    except ConnectionResetError:
        return bytes(told), "reset"
    return bytes(told), "eof"


@contextlib.asynccontextmanager
async def connected(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class Collector(asyncio.Protocol):
    """Keeps what comes, also what comes just before a reset (which a StreamReader may drop)."""

    def __init__(self):
        self.told = bytearray()
        self.end = asyncio.get_running_loop().create_future()

    def data_received(self, data):
        self.told += data

    def connection_lost(self, exc):
        self.end.set_result("reset" if isinstance(exc, ConnectionResetError) else "eof")


async def exchange(server, data):
    """Write `data`; keep all that comes until the socket ends."""
    loop = asyncio.get_running_loop()
    transport, collector = await loop.create_connection(Collector, "127.0.0.1", server.port)
    transport.write(data)
    end = await collector.end
    return Seen(bytes(collector.told), end)


async def ask(server, dialect, **more):
    return await exchange(server, request_bytes(PATHS[dialect], body_for(dialect, **more)))


async def ask_until_hung(server, dialect, **more):
    """For faults that leave the client waiting: the client gives up once they do."""
    async with connected(server) as (reader, writer):
        writer.write(request_bytes(PATHS[dialect], body_for(dialect, **more)))
        await server.board.until(lambda: any(a.hung for a in server.board.attempts))
        writer.write_eof()
        return Seen(*await read_to_end(reader))


def rule(name, **more):
    return FaultRule(fault=name, **more)
