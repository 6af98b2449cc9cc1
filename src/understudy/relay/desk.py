"""What the relay answers by itself: models, the journal, health, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from understudy.dialects.base import Dialect
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from understudy.dialects.messages import MESSAGES
from understudy.relay.http import Incoming, Refusal
from understudy.services.journal import record_view
from understudy.services.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["METRICS", "Desk", "error_dialect"]

#: Of this process; of all workers together: `understudy.relay.siblings`.
METRICS = "/metrics"
_JSON = "content-type: application/json\r\n"
_OPEN = frozenset({"/health/liveness", "/health/liveliness", "/health/readiness", METRICS})
_MODELS = "/v1/models"
_REQUESTS = "/v1/requests/"


def error_dialect(request: Incoming) -> Dialect:
    """The dialect that a caller understands errors in, by its path or its own headers."""
    if request.path.startswith("/v1/messages") or "anthropic-version" in request.headers:
        return MESSAGES
    return CHAT_COMPLETIONS


class Desk:
    """Answers of the relay's own."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def is_open(self, path: str) -> bool:
        """Whether a path is answered without a key: probes and metrics, which tell no caller's
        name, no prompt and no key.
        """
        return path in _OPEN

    def knows(self, path: str) -> bool:
        """Whether a path is answered here, with a key."""
        return path == _MODELS or path.startswith((f"{_MODELS}/", _REQUESTS))

    def request_asked_for(self, path: str) -> str | None:
        """The id of the request whose record is asked for; None: none is."""
        return path.removeprefix(_REQUESTS) if path.startswith(_REQUESTS) else None

    def answer(self, request: Incoming) -> tuple[int, str, bytes]:
        """(status, header lines, body).

        Raises:
            Refusal: there is no such thing.
        """
        path = request.path
        if path == METRICS:
            return 200, f"content-type: {CONTENT_TYPE}\r\n", self._relay.metrics.expose()
        if path in _OPEN:
            return self._health(path)
        if path == _MODELS:
            return 200, _JSON, msgspec.json.encode(self._models(request))
        if path.startswith(_MODELS):
            return 200, _JSON, msgspec.json.encode(self._model(request))
        record = self._relay.records.own(request, path.removeprefix(_REQUESTS))
        return 200, _JSON, msgspec.json.encode(record_view(record))

    def _health(self, path: str) -> tuple[int, str, bytes]:
        """Alive: the loop turns. Ready: requests are accepted."""
        if path != "/health/readiness":
            return 200, _JSON, b'{"status":"alive"}'
        relay, now = self._relay, self._relay.now()
        if relay.draining:
            return 503, _JSON, b'{"status":"draining"}'
        features = {
            name: any(relay.board.rests(target, now) is None for target in route.targets)
            for name, route in relay.runtime.routes.items()
        }
        # An outage of every provider is no reason to take the relay out of rotation: it alone can
        # tell callers what is the matter. It is ready as long as it accepts requests.
        return 200, _JSON, msgspec.json.encode({"status": "ready", "features": features})

    def _names(self) -> list[tuple[str, str]]:
        """(name, title) of all that a caller may put into `model`; patterns are no names."""
        rows: dict[str, str] = {}
        for name, route in self._relay.runtime.routes.items():
            rows[name] = route.feature.title
            for model in route.feature.models:
                if not set(model) & set("*?["):
                    rows.setdefault(model, f"{route.feature.title} ({model})")
        return list(rows.items())

    def _models(self, request: Incoming) -> dict[str, object]:
        data = [_model_view(request, name, title) for name, title in self._names()]
        if error_dialect(request) is MESSAGES:
            ids = [name for name, _ in self._names()]
            return {
                "data": data,
                "has_more": False,
                "first_id": ids[0] if ids else None,
                "last_id": ids[-1] if ids else None,
            }
        return {"object": "list", "data": data}

    def _model(self, request: Incoming) -> dict[str, object]:
        wanted = request.path.removeprefix(f"{_MODELS}/")
        for name, title in self._names():
            if name == wanted:
                return _model_view(request, name, title)
        route = self._relay.runtime.route(wanted)
        if route is None:
            raise Refusal(404, "model_not_found", "No feature answers to this model.")
        return _model_view(request, wanted, f"{route.feature.title} ({wanted})")


def _model_view(request: Incoming, name: str, title: str) -> dict[str, object]:
    """One entry in the shape that the caller's SDK expects. Features have no date of birth: the
    SDKs' types ask for one, so they get the epoch.
    """
    if error_dialect(request) is MESSAGES:
        return {
            "type": "model",
            "id": name,
            "display_name": title,
            "created_at": "1970-01-01T00:00:00Z",
        }
    return {"id": name, "object": "model", "created": 0, "owned_by": "understudy"}
