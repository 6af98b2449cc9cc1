"""The operator's API: what is the matter, and a hand to take targets out and bring them back.

It is closed until the configuration has a console key, and every request to it presents that key as
`Authorization: Bearer`. A browser sends such a header to no site of its own accord, and there are
no cookies, so that no other page can act in an operator's name.

What an operator does holds for the next choice of a target, and in every process that shares the
store (`understudy.relay.fleet.hand`). It is written down before it is answered; where that fails it
holds all the same, and the answer says what will not be remembered.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from understudy.core.settings import digest_key
from understudy.policy.pulls import Node, Pull, UnknownNodeError, find_node, nodes_of
from understudy.services.health_view import FleetView, Scene, health_view, pull_view
from understudy.web.admin_jobs import job_routes
from understudy.web.api import (
    EXCEPTION_HANDLERS,
    Refused,
    answer,
    answer_error,
    body_of,
    read,
)
from understudy.web.wire import (
    Accepted,
    Done,
    Error,
    PullRequest,
    RestoreRequest,
    TargetRow,
    Targets,
)

if TYPE_CHECKING:
    from understudy.relay.fleet import Fleet
    from understudy.relay.relay import Relay

__all__ = ["admin_app", "scene_of"]

#: Field → what would be right.
_REMEDIES = {
    "reason": "write why, in 1 to 200 characters on one line",
    "by": "write who, in 1 to 64 characters on one line",
    "slowly": "write true or false",
}

_PULL = msgspec.json.Decoder(PullRequest)
_RESTORE = msgspec.json.Decoder(RestoreRequest)


def admin_app(relay: Relay) -> Starlette:
    """The operator's API, to be mounted at `understudy.web.wire.PREFIX`."""

    async def health(request: Request) -> Response:
        return answer(health_view(scene_of(relay)))

    async def targets(request: Request) -> Response:
        return answer(_targets(relay))

    async def pull(request: Request) -> Response:
        asked = read(await body_of(request), _PULL, _REMEDIES)
        return answer(await _pull(relay, request.path_params["node"], asked))

    async def restore(request: Request) -> Response:
        body = await body_of(request)
        asked = read(body, _RESTORE, _REMEDIES) if body else RestoreRequest()
        return answer(await _restore(relay, request.path_params["node"], asked))

    async def accept(request: Request) -> Response:
        return answer(_accept(relay, request.path_params["model"]))

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/targets", targets),
            Route("/quality/{model:path}/accept", accept, methods=["POST"]),
            Route("/targets/{node:path}/pull", pull, methods=["POST"]),
            Route("/targets/{node:path}/restore", restore, methods=["POST"]),
            *job_routes(relay),
        ],
        middleware=[Middleware(_Door, relay=relay)],
        exception_handlers=EXCEPTION_HANDLERS,
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
        fleet=_fleet(relay.fleet),
        limited=relay.limiter.limited(now),
        told_by=relay.tidings.told_by,
    )


def _fleet(fleet: Fleet) -> FleetView:
    return FleetView(
        process=fleet.name,
        processes=fleet.processes,
        leader=fleet.leader,
        reachable=fleet.is_up if fleet.is_shared else None,
    )


async def _pull(relay: Relay, name: str, asked: PullRequest) -> Done:
    """Take a node out of use."""
    pull = relay.hand.pull(_find(relay, name), asked.reason, asked.by)
    return await _done(relay, pull)


async def _restore(relay: Relay, name: str, asked: RestoreRequest) -> Done:
    """Bring a node back."""
    # What has left the configuration since can still be restored.
    node = _pulled(relay, name) or _find(relay, name)
    pull = relay.hand.restore(node, slowly=asked.slowly)
    if pull is None:
        raise Refused(409, _not_pulled(node, relay))
    return await _done(relay, pull)


async def _done(relay: Relay, pull: Pull) -> Done:
    kept, warning = await relay.hand.kept()
    return Done(pull=pull_view(pull), kept=kept, warning=warning)


def _find(relay: Relay, name: str) -> Node:
    try:
        return find_node(name, relay.targets())
    except UnknownNodeError as error:
        message = f"there is no `{error.name}` here; known are {', '.join(error.known)}"
        unknown = Error(code="unknown_node", message=message, field="node", known=list(error.known))
        raise Refused(404, unknown) from None


def _pulled(relay: Relay, name: str) -> Node | None:
    try:
        node = Node.parse(name)
    except ValueError:
        return None
    return node if relay.pulls.at(node.key) is not None else None


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
    reason = relay.hand.accept(model)
    if reason is None:
        known = sorted(relay.quality.doubted)
        message = f"the answers of `{model}` are not in doubt"
        if known:
            message += f"; those of {', '.join(f'`{name}`' for name in known)} are"
        raise Refused(409, Error(code="not_doubted", message=message, field="model", known=known))
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
            return answer_error(404, Error(code="console_closed", message=message))
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        presented = digest_key(key.strip()) if scheme.lower() == "bearer" else ""
        if hmac.compare_digest(presented, console.key_digest):
            return None
        message = "this is not the console key" if presented else _NO_KEY
        refused = answer_error(401, Error(code="invalid_console_key", message=message))
        refused.headers["www-authenticate"] = 'Bearer realm="understudy console"'
        return refused


_NO_KEY = "present the console key as `Authorization: Bearer …`"
