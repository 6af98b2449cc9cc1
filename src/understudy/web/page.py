"""One plain page: the features, whether each can be served and by what, and the last requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from understudy.core.outcomes import Record, RequestOutcome
from understudy.policy.plans import Target
from understudy.web.admin import admin_app
from understudy.web.wire import PREFIX

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["page_app"]

#: Requests shown.
SHOWN = 20
#: Nothing is loaded from elsewhere, nothing runs, nobody frames it.
_HEADERS = [
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


class TargetRow(msgspec.Struct, frozen=True):
    """A target on the page."""

    name: str
    tier: str
    serves: bool
    #: Why it does not, in words.
    obstacle: str


class FeatureRow(msgspec.Struct, frozen=True):
    """A feature on the page. `by` is the target that a request would go to now, "" if none."""

    title: str
    name: str
    by: str
    preferred: bool
    targets: list[TargetRow]


class RequestRow(msgspec.Struct, frozen=True):
    """A request on the page: no caller, no tenant, no content."""

    time: str
    feature: str
    outcome: str
    words: str
    attempts: list[str]


def page_app(relay: Relay) -> Starlette:
    """The web listener's application."""
    pages = Environment(
        loader=PackageLoader("understudy.web"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = pages.get_template("index.html")

    async def index(request: Request) -> Response:
        return HTMLResponse(
            template.render(
                features=feature_rows(relay),
                requests=[_request_row(r) for r in relay.journal.recent(SHOWN)],
                now=datetime.now(UTC).strftime("%H:%M:%S UTC"),
            )
        )

    return Starlette(
        routes=[
            Route("/", index, methods=["GET", "HEAD"]),
            Mount(PREFIX, app=admin_app(relay)),
        ],
        middleware=[Middleware(_SafeHeaders)],
    )


def feature_rows(relay: Relay) -> list[FeatureRow]:
    """Every feature as things stand now."""
    now = relay.now()
    rows: list[FeatureRow] = []
    for route in relay.runtime.routes.values():
        targets = [
            TargetRow(t.key, t.tier, obstacle is None, obstacle or "")
            for t in route.targets
            for obstacle in [_obstacle(relay, t, now)]
        ]
        by = next((row.name for row in targets if row.serves), "")
        rows.append(
            FeatureRow(
                title=route.feature.title,
                name=route.feature.name,
                by=by,
                preferred=bool(targets) and by == targets[0].name,
                targets=targets,
            )
        )
    return rows


def _obstacle(relay: Relay, target: Target, now: float) -> str | None:
    """Why a target serves nobody. An operator's reason is for operators."""
    pull = relay.pulls.of(target)
    if pull is not None:
        return f"{pull.node}: pulled by an operator"
    return relay.board.rests(target, now)


#: Outcome → words.
_WORDS = {
    RequestOutcome.SUCCEEDED: "answered",
    RequestOutcome.FAILED: "failed",
    RequestOutcome.DEFERRED: "kept for later",
    RequestOutcome.CANCELLED: "left by its caller",
    None: "under way",
}


def _request_row(record: Record) -> RequestRow:
    attempts = [
        f"{attempt.target}: {attempt.fault.kind.value if attempt.fault else attempt.result or '…'}"
        for attempt in record.attempts
    ]
    return RequestRow(
        time=datetime.fromtimestamp(record.started_at, UTC).strftime("%H:%M:%S"),
        feature=record.feature,
        outcome=record.outcome.value if record.outcome else "running",
        words=_WORDS[record.outcome],
        attempts=attempts,
    )


class _SafeHeaders:
    """Sets the headers that keep a page what it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        await self._app(scope, receive, with_headers)
