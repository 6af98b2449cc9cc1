"""Takes requests, checks them as the vendor would, and writes the script of their answers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from understudy.mock import wire
from understudy.mock.admin import Admin
from understudy.mock.answers import compose, counted
from understudy.mock.ask import Ask, Composition
from understudy.mock.board import Attempt, Board, Watch
from understudy.mock.catalogue import CATALOGUE
from understudy.mock.dialect import CHAT, MESSAGES, RESPONSES, Dialect
from understudy.mock.errors import ErrorSpec, RefusedError
from understudy.mock.faults.entry import Mode
from understudy.mock.faults.scene import Args, Scene, unmetered, written
from understudy.mock.http import Exchange, HttpRequest
from understudy.mock.ids import Ids
from understudy.mock.limits import Ration
from understudy.mock.meter import Meter
from understudy.mock.orders import Order, Orders
from understudy.mock.reply import Headers, Reply, Where, body_frames
from understudy.mock.rules import FaultRule, parse_rule
from understudy.mock.script import Script

__all__ = ["StandIn"]

_BODY = msgspec.json.Decoder(dict[str, object])
_ENCODER = msgspec.json.Encoder()

_JSON = ("content-type", "application/json")
_SSE: Headers = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
)
_BY_NAME = "mock-fault-"
_SUFFIX = "+fault="
#: Prompts remembered for caching.
_PROMPTS = 4_096


class StandIn:
    """The application behind the connections."""

    def __init__(self, board: Board, clock: Callable[[], float]) -> None:
        self.board = board
        self.clock = clock
        self.orders = Orders()
        self._admin = Admin(board)
        self._prompts: OrderedDict[bytes, None] = OrderedDict()
        self._time = asyncio.get_running_loop().time

    def __call__(self, request: HttpRequest) -> Exchange:
        """The script for one request."""
        path = request.path
        if path.startswith("/mock/"):
            return Exchange(self._admin(request))
        dialect, operation = _route(request)
        attempt = self._opened(request, dialect)
        exchange = _Answering(self, request, dialect, attempt)
        return Exchange(exchange.script(operation), Watch(self.board, attempt))

    def _opened(self, request: HttpRequest, dialect: Dialect) -> Attempt:
        key = _key(request, dialect)
        attempt = Attempt(
            n=self.board.number(),
            time=self.clock(),
            started=self._time(),
            method=request.method,
            path=request.path,
            body_size=len(request.body),
            dialect=dialect.name,
            key=key[-4:],
            body=request.body if self.board.keep_bodies else None,
        )
        self.board.opened(attempt)
        return attempt

    def knows(self, digest: bytes) -> bool:
        """Whether the prompt came before."""
        return digest in self._prompts

    def seen(self, digest: bytes) -> bool:
        """Whether the prompt came before; it has now."""
        held = self.knows(digest)
        self._prompts[digest] = None
        self._prompts.move_to_end(digest)
        if len(self._prompts) > _PROMPTS:
            self._prompts.popitem(last=False)
        return held


def _route(request: HttpRequest) -> tuple[Dialect, str]:
    path = request.path.removeprefix("/v1")
    operation = {
        ("POST", "/messages"): "answer",
        ("POST", "/chat/completions"): "answer",
        ("POST", "/responses"): "answer",
        ("POST", "/messages/count_tokens"): "count",
        ("GET", "/models"): "models",
        ("GET", "/health"): "health",
    }.get((request.method, path), "")
    anthropic = "anthropic-version" in request.headers or "x-api-key" in request.headers
    if path.startswith("/responses"):
        return RESPONSES, operation
    if path.startswith("/messages") or (anthropic and not path.startswith("/chat")):
        return MESSAGES, operation
    return CHAT, operation


def _key(request: HttpRequest, dialect: Dialect) -> str:
    """The key. Anthropic takes it as `x-api-key` or, as its SDK sends it from 2.0 on, as Bearer."""
    own = request.headers.get("x-api-key", "").strip()
    if own and dialect is MESSAGES:
        return own
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


class _Answering:
    """One request on its way to its script."""

    def __init__(
        self, stand_in: StandIn, request: HttpRequest, dialect: Dialect, attempt: Attempt
    ) -> None:
        self._stand_in = stand_in
        self._board = stand_in.board
        self._request = request
        self._dialect = dialect
        self._attempt = attempt
        self._key = _key(request, dialect)
        self._now = attempt.time
        self._request_id = ""
        self._headers: Headers = ()
        self._model = ""
        self._pace = self._board.pace
        #: It has a good key and asks for an answer.
        self._counts = False
        #: The fault that the model's name asks for.
        self._asked = ""

    def script(self, operation: str) -> Script:
        """What is to be played."""
        try:
            return self._scripted(operation)
        except RefusedError as error:
            return self._refused(error)

    def _name(self, ids: Ids | None = None, tokens: int = 0) -> None:
        """Give the response its own headers: once, whatever becomes of it."""
        if self._headers:
            return
        ids = ids or Ids(self._request.path.encode(), self._attempt.n)
        anthropic = self._dialect is MESSAGES
        told = f"011C{ids.text('request', 20)}" if anthropic else ids.hexadecimal("request")
        self._request_id = f"req_{told}"
        spent, now = self._board.spent, self._now
        ration = self._ration() if spent.all else None
        allowance = spent.spend(self._key, tokens, now) if ration is None else ration.told(now)
        self._headers = self._dialect.headers(self._request_id, allowance)

    def _refused(self, error: RefusedError) -> Script:
        spec, ration = error.spec, self._ration()
        if ration and self._counts and self._dialect.counts_refused:
            ration.refused(self._now)
        self._name()
        self._attempt.status = spec.status
        headers = (_JSON, *self._headers, *error.headers)
        body = self._dialect.error_body(spec, self._request_id)
        reply = Reply(status=spec.status, headers=headers, frames=body_frames(body))
        return written(reply, keep_alive=self._request.keep_alive)

    def _scripted(self, operation: str) -> Script:
        if operation == "health":
            return self._told(b'{"status":"ok"}')
        self._check_key()
        match operation:
            case "answer":
                return self._answer()
            case "count":
                ask = self._dialect.read(self._fields(), counting=True)
                return self._told(_ENCODER.encode({"input_tokens": ask.input_tokens}))
            case "models":
                return self._told(self._dialect.model_list())
            case _:
                raise RefusedError(self._dialect.no_path)

    def _check_key(self) -> None:
        headers = self._request.headers
        if not self._key:
            raise RefusedError(self._dialect.no_key)
        both = self._dialect is MESSAGES and {"authorization", "x-api-key"} <= headers.keys()
        if both or self._board.is_revoked(self._key):
            spec = self._dialect.bad_key
            shown = spec.message.replace("{key}", f"{self._key[:3]}***{self._key[-4:]}")
            raise RefusedError(msgspec.structs.replace(spec, message=shown))
        if self._dialect is MESSAGES and "anthropic-version" not in headers:
            raise RefusedError(
                ErrorSpec(
                    status=400,
                    type="invalid_request_error",
                    message="anthropic-version: header is required",
                )
            )

    def _fields(self) -> dict[str, object]:
        try:
            fields = _BODY.decode(self._request.body)
        except msgspec.DecodeError:
            raise RefusedError(self._dialect.no_json) from None
        model = fields.get("model")
        if isinstance(model, str):
            name, _, self._asked = model.partition(_SUFFIX)
            self._model = self._attempt.model = fields["model"] = name
        return fields

    # -- answers

    def _told(self, body: bytes) -> Script:
        """Another body than an answer's, with a fault perhaps."""
        self._name()
        reply = Reply(status=200, headers=(_JSON, *self._headers), frames=body_frames(body))
        return self._play(reply, self._chosen("whole"))

    def _answer(self) -> Script:
        self._counts = True
        order = self._order()
        ask = order.ask
        produced = self._admitted(ask) if self._board.is_limited else None
        self._attempt.stream = ask.stream
        self._attempt.continues = order.continues
        rule = self._chosen("stream" if ask.stream else "whole", ask)
        made = order.made if rule is None else self._spoiled(order, rule)
        ids = Ids(ask.digest, self._attempt.n)
        self._name(ids, ask.input_tokens + made[0].output_tokens)
        hit = bool(ask.cached_tokens) and self._stand_in.seen(ask.digest)
        created = 0 if self._dialect is MESSAGES else int(self._now)
        pace = self._pace
        size = pace.tokens_per_event
        if rule is None and not pace.slow:
            template = order.template(self._dialect, created=created, cache_hit=hit, size=size)
            self._attempt.input_tokens = ask.input_tokens
            self._attempt.output_tokens = order.output_tokens
            if produced is not None:
                produced(order.output_tokens)
            return self._at_once(template.filled(ids), streamed=ask.stream)
        headers = (*(_SSE if ask.stream else (_JSON,)), *self._headers)
        if ask.stream:
            frames = self._dialect.frames(ask, made, ids, created=created, cache_hit=hit, size=size)
        else:
            body = self._dialect.whole(ask, made, ids, created=created, cache_hit=hit)
            frames = body_frames(body, sum(answer.output_tokens for answer in made))
        reply = Reply(status=200, headers=headers, frames=frames, streamed=ask.stream)
        return self._play(reply, rule, Meter(self._attempt, ask, made, frames, produced))

    def _ration(self) -> Ration | None:
        """What limits leave to the key and the model that it asks for."""
        return self._board.spent.ration(self._key, self._model, self._now)

    def _admitted(self, ask: Ask) -> Callable[[int], None] | None:
        """Let the request in; what it is told of its answer's tokens goes to the limits.

        Raises RefusedError: there is no room for it, or a limit is reached.
        """
        capacity = self._board.capacity
        if capacity is not None:
            wait = capacity.wait(self._board.in_flight)
            spec = CATALOGUE["overloaded"].error_in(self._dialect.name)
            if wait is None and spec is not None:
                raise RefusedError(spec)
            if wait:
                first = self._pace.first_token + wait
                self._pace = msgspec.structs.replace(self._pace, first_token=first)
        ration = self._ration()
        if ration is None:
            return None
        weights = self._dialect.weigh(ask, cache_hit=self._stand_in.knows(ask.digest))
        shortage = ration.admit(weights, self._now)
        if shortage is not None:
            raise self._dialect.over(shortage, self._model)
        self._counts = False
        clock = self._stand_in.clock
        return lambda tokens: ration.produced(tokens, clock())

    def _order(self) -> Order:
        """The request, read; from memory where it came before."""
        orders, body = self._stand_in.orders, self._request.body
        order = orders.get(self._dialect, body)
        if order is None:
            ask = self._dialect.read(self._fields())
            order = Order(ask, self._model, self._asked)
            orders.put(self._dialect, body, order)
        self._model = self._attempt.model = order.model
        self._asked = order.fault
        return order

    def _spoiled(self, order: Order, rule: FaultRule) -> tuple[Composition, ...]:
        """The answers as the fault wants them."""
        made = order.made
        if rule.place is Where.MID_TOOL_CALL:
            made = tuple(
                compose(order.ask, prefer_tool=True, choice=choice)
                for choice in range(order.ask.choices)
            )
        alter = rule.entry.alter
        return tuple(counted(alter(answer, rule.args)) for answer in made) if alter else made

    def _at_once(self, body: bytes, *, streamed: bool) -> Script:
        """An answer that nothing is wrong with, in one write."""
        self._attempt.status = 200
        if streamed:
            headers = (*_SSE, *self._headers, ("transfer-encoding", "chunked"))
        else:
            headers = (_JSON, *self._headers, ("content-length", str(len(body))))
        if not self._request.keep_alive:
            headers = (*headers, ("connection", "close"))
        yield wire.head(200, headers) + body

    # -- faults

    def _chosen(self, mode: Mode, ask: Ask | None = None) -> FaultRule | None:
        """The fault to play: one that the request names itself goes before the board's. `ask` is
        None for what is no answer.

        Raises RefusedError where the request names one that cannot be.
        """
        text = self._named_fault()
        if text:
            return self._own(text, mode, ask)
        for rule, counter in self._board.matching(self._request.path, self._model, self._key):
            fits = rule.entry.suits(self._dialect.name, mode) and rule.entry.concerns(ask)
            if fits and counter.next(rule):
                return rule
        return None

    def _named_fault(self) -> str:
        if "x-mock-fault" in self._request.headers:
            return self._request.headers["x-mock-fault"]
        if self._asked:
            return self._asked
        return self._model[len(_BY_NAME) :] if self._model.startswith(_BY_NAME) else ""

    def _own(self, text: str, mode: Mode, ask: Ask | None) -> FaultRule | None:
        try:
            rule = parse_rule(text)
        except ValueError as error:
            raise self._cannot(str(error)) from None
        entry = rule.entry
        if not entry.suits(self._dialect.name, mode) or (entry.alter and ask is None):
            raise self._cannot(f"{entry.name} is not for a {mode} answer in {self._dialect.name}")
        if not entry.concerns(ask):
            return None
        return rule if self._board.named(text).next(rule) else None

    def _cannot(self, message: str) -> RefusedError:
        spec = ErrorSpec(
            status=400, type="invalid_request_error", message=f"x-mock-fault: {message}"
        )
        return RefusedError(spec)

    def _play(self, reply: Reply, rule: FaultRule | None, meter: Meter | None = None) -> Script:
        self._attempt.status = reply.status
        keep_alive = self._request.keep_alive
        pace = self._pace
        if rule is None and not pace.slow:
            return written(reply, keep_alive=keep_alive)
        scene = Scene(
            reply=reply,
            dialect=self._dialect,
            where=rule.place if rule else Where.AFTER_HEADERS,
            args=rule.args if rule else Args(),
            pace=pace,
            request_id=self._request_id,
            model=self._model,
            now=self._now,
            keep_alive=keep_alive,
            error=rule.entry.error_in(self._dialect.name) if rule else None,
            meter=meter or unmetered,
        )
        if rule is None:
            return scene.whole()
        self._attempt.fault = rule.fault
        self._attempt.where = rule.place
        return _noting(rule.entry.play(scene), self._attempt)


def _noting(script: Script, attempt: Attempt) -> Script:
    """The script, with the status that it shows written into the attempt."""
    attempt.status = None
    for step in script:
        if attempt.status is None and isinstance(step, bytes):
            attempt.status = wire.status_of(step)
        yield step
