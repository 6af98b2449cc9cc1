"""The operator's API: what is the matter, and a hand to take targets out and bring them back.

It is closed until the configuration has a console key, and every request to it presents that key as
`Authorization: Bearer`. A browser sends such a header to no site of its own accord, and there are
no cookies, so that no other page can act in an operator's name.

What an operator does holds for the next choice of a target. It is written to the state file before
it is answered; where that fails it holds all the same, and the answer says that it will be
forgotten.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from understudy.core.settings import digest_key
from understudy.policy.pulls import Node, Pull, UnknownNodeError, find_node, nodes_of
from understudy.services.health_view import Scene, health_view, pull_view
from understudy.services.pulls_file import write_pulls
from understudy.web.wire import (
    Accepted,
    Done,
    Error,
    ErrorBody,
    PullRequest,
    RestoreRequest,
    TargetRow,
    Targets,
)

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["admin_app", "scene_of"]

#: No request of the API needs more.
_MOST_BYTES = 16 * 1024

T = TypeVar("T")


class _Refused(Exception):  # noqa: N818 - an answer, on its way out
    """Answers with an error."""

    def __init__(self, status: int, error: Error) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error


#: Field → what would be right.
_REMEDIES = {
    "reason": "write why, in 1 to 200 characters on one line",
    "by": "write who, in 1 to 64 characters on one line",
    "slowly": "write true or false",
}
_FIELD = re.compile(r"at `\$\.(\w+)|field `(\w+)`")

_PULL = msgspec.json.Decoder(PullRequest)
_RESTORE = msgspec.json.Decoder(RestoreRequest)
_ENCODER = msgspec.json.Encoder()


def admin_app(relay: Relay, state: Path | None) -> Starlette:
    """The operator's API, to be mounted at `understudy.web.wire.PREFIX`.

    `state`: where pulls are kept; None: in memory only.
    """
    hand = _Hand(relay, state)

    async def health(request: Request) -> Response:
        return _json(health_view(scene_of(relay)))

    async def targets(request: Request) -> Response:
        return _json(_targets(relay))

    async def pull(request: Request) -> Response:
        asked = _read(await _body(request), _PULL)
        return _json(await hand.pull(request.path_params["node"], asked))

    async def restore(request: Request) -> Response:
        body = await _body(request)
        asked = _read(body, _RESTORE) if body else RestoreRequest()
        return _json(await hand.restore(request.path_params["node"], asked))

    async def accept(request: Request) -> Response:
        return _json(_accept(relay, request.path_params["model"]))

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/targets", targets),
            Route("/quality/{model:path}/accept", accept, methods=["POST"]),
            Route("/targets/{node:path}/pull", pull, methods=["POST"]),
            Route("/targets/{node:path}/restore", restore, methods=["POST"]),
        ],
        middleware=[Middleware(_Door, relay=relay)],
        exception_handlers={_Refused: _answer_refused, HTTPException: _answer_http},
    )


def scene_of(relay: Relay) -> Scene:
    """What there is to see of a relay now."""
    now = relay.now()
    return Scene(
        now=now,
        wall=relay.wall,
        features=[(route.feature, route.targets) for route in relay.runtime.routes.values()],
        board=relay.board,
        probing=relay.probing,
        budget=relay.budget,
        gates=relay.gates,
        quality=relay.quality,
        causes=relay.causes(now),
        testimonies=relay.testimonies(now),
    )


class _Hand:
    """Pulls and restores, one after the other."""

    def __init__(self, relay: Relay, state: Path | None) -> None:
        self._relay = relay
        self._state = state
        self._turn = asyncio.Lock()

    async def pull(self, name: str, asked: PullRequest) -> Done:
        """Take a node out of use."""
        relay = self._relay
        node = self._find(name)
        pull = Pull(node=node.key, reason=asked.reason, by=asked.by, at=relay.now() + relay.wall)
        relay.pulls.pull(pull)
        relay.log.note("pulled", node=pull.node, reason=pull.reason, by=pull.by)
        return await self._keep(pull)

    async def restore(self, name: str, asked: RestoreRequest) -> Done:
        """Bring a node back."""
        relay = self._relay
        # What has left the configuration since can still be restored.
        node = self._pulled(name) or self._find(name)
        pull = relay.pulls.restore(node.key)
        if pull is None:
            raise _Refused(409, _not_pulled(node, relay))
        if asked.slowly:
            for target in relay.targets():
                if node.holds(target):
                    # Pulled since the start, it may be new to health, which ramps what it knows.
                    relay.board.of_target(target)
            relay.board.ramp(node.key, relay.now())
        relay.log.note("restored", node=pull.node, slowly=asked.slowly)
        return await self._keep(pull)

    def _find(self, name: str) -> Node:
        try:
            return find_node(name, self._relay.targets())
        except UnknownNodeError as error:
            message = f"there is no `{error.name}` here; known are {', '.join(error.known)}"
            unknown = Error(
                code="unknown_node", message=message, field="node", known=list(error.known)
            )
            raise _Refused(404, unknown) from None

    def _pulled(self, name: str) -> Node | None:
        try:
            node = Node.parse(name)
        except ValueError:
            return None
        return node if self._relay.pulls.at(node.key) is not None else None

    async def _keep(self, pull: Pull) -> Done:
        """Write down what is pulled now, beside the loop: the disk may be slow."""
        view = pull_view(pull)
        if self._state is None:
            return Done(pull=view, kept=False, warning="nothing is kept here beyond a restart")
        async with self._turn:
            try:
                await asyncio.to_thread(write_pulls, self._state, list(self._relay.pulls))
            except OSError as error:
                reason = error.strerror or type(error).__name__
                warning = f"done, but a restart will forget it: {self._state}: {reason}"
                self._relay.log.note("state not written", text=warning)
                return Done(pull=view, kept=False, warning=warning)
        return Done(pull=view, kept=True)


def _not_pulled(node: Node, relay: Relay) -> Error:
    wider = [
        pull.node
        for pull in relay.pulls
        if any(node.holds(one) and Node.parse(pull.node).holds(one) for one in relay.targets())
    ]
    message = f"`{node.key}` is not pulled"
    if wider:
        message += f" itself; restore {', '.join(f'`{name}`' for name in wider)}"
    return Error(code="not_pulled", message=message, field="node", known=wider)


def _accept(relay: Relay, model: str) -> Accepted:
    """The answers of a model are as they should be: its doubts are dropped."""
    reason = relay.quality.doubted.get(model)
    if reason is None or not relay.quality.accept(model, relay.now()):
        known = sorted(relay.quality.doubted)
        message = f"the answers of `{model}` are not in doubt"
        if known:
            message += f"; those of {', '.join(f'`{name}`' for name in known)} are"
        raise _Refused(409, Error(code="not_doubted", message=message, field="model", known=known))
    relay.log.note("answers accepted", model=model, reason=reason)
    return Accepted(model=model, reason=reason)


def _targets(relay: Relay) -> Targets:
    targets, pulls = relay.targets(), relay.pulls
    routes = relay.runtime.routes.values()
    return Targets(
        nodes=list(nodes_of(targets)),
        targets=[
            TargetRow(
                node=target.key,
                provider=target.provider,
                account=target.account,
                model=target.model,
                features=[
                    route.feature.name
                    for route in routes
                    if any(one.key == target.key for one in route.targets)
                ],
                pull=None if pull is None else pull_view(pull),
            )
            for target in targets
            for pull in [pulls.of(target)]
        ],
        pulls=[pull_view(pull) for pull in pulls],
    )


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            message = f"the body is larger than {_MOST_BYTES} bytes"
            raise _Refused(413, Error(code="request_too_large", message=message))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        message = "the body is not `content-type: application/json`"
        raise _Refused(415, Error(code="not_json", message=message))
    return bytes(body)


def _read(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        found = _FIELD.search(str(error))
        field = (found[1] or found[2]) if found is not None else None
        wrong = str(error).partition(" - at ")[0]
        remedy = _REMEDIES.get(field or "", "see docs/operations.md")
        message = f"{field}: {wrong}; {remedy}" if field is not None else wrong
        raise _Refused(400, Error(code="invalid_field", message=message, field=field)) from None
    except msgspec.DecodeError as error:
        message = f"the body is not JSON: {error}"
        raise _Refused(400, Error(code="not_json", message=message)) from None


class _Door:
    """Lets in whoever presents the console key."""

    def __init__(self, app: ASGIApp, relay: Relay) -> None:
        self._app = app
        self._relay = relay

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Request(scope))
        await (self._app if refusal is None else refusal)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        # Asked for each time: a reload may have changed it.
        console = self._relay.runtime.settings.console
        if console is None:
            message = "closed: set `web.console_key` in the configuration to open it"
            return _error(404, Error(code="console_closed", message=message))
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        presented = digest_key(key.strip()) if scheme.lower() == "bearer" else ""
        if hmac.compare_digest(presented, console.key_digest):
            return None
        message = "this is not the console key" if presented else _NO_KEY
        refused = _error(401, Error(code="invalid_console_key", message=message))
        refused.headers["www-authenticate"] = 'Bearer realm="understudy console"'
        return refused


_NO_KEY = "present the console key as `Authorization: Bearer …`"


async def _answer_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, _Refused)  # noqa: S101 - registered for it alone
    return _error(error.status, error.error)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    response = _error(
        error.status_code,
        Error(code="not_found" if error.status_code == 404 else "refused", message=error.detail),
    )
    response.headers.update(error.headers or {})
    return response


def _json(value: object, status: int = 200) -> Response:
    return Response(_ENCODER.encode(value), status, media_type="application/json")


def _error(status: int, error: Error) -> Response:
    return _json(ErrorBody(error=error), status)
