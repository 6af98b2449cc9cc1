"""Who takes part in outage.py, and how each is set up: with a primary and a fallback.

Each as its own documentation advises for a primary with a fallback. Limits of time are given where
there are settings for them, like Understudy's defaults: 10 s to a stream's first content, and for a
whole answer by its length, here 11 s.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from gateways import (
    GATEWAYS,
    Launch,
    litellm_launch,
    understudy_command,
    understudy_config,
)
from process import RUN

__all__ = ["CONTESTANTS", "Contestant", "Place"]

#: Seconds to the first content of a stream, and to a whole answer, where there is such a setting.
_FIRST, _WHOLE = 10, 15


@dataclass(frozen=True)
class Place:
    """What a contestant is set up with: the stand-ins' URLs, and its own key at them."""

    primary: str
    fallback: str
    key: str


@dataclass(frozen=True)
class Contestant:
    """Somebody who takes part. `tail`: the end of its key, by which the stand-ins know it."""

    name: str
    tail: str
    #: None: the SDK goes straight to the primary.
    launch: Callable[[Place, int], Launch] | None = None
    headers: Callable[[Place], dict[str, str]] = lambda _place: {}
    model: str = "gpt-4.1"

    @property
    def key(self) -> str:
        """Its key at the stand-ins."""
        return f"sk-bench-outage-{self.tail}"


def _understudy(place: Place, port: int) -> Launch:
    config = RUN / "outage-understudy.yaml"
    account = f"accounts: {{main: {{api_key: {place.key}}}}}"
    providers = f"""\
  primary: {{kind: openai, base_url: "{place.primary}/v1", {account}}}
  fallback: {{kind: openai, base_url: "{place.fallback}/v1", {account}}}"""
    features = """\
  chat: {title: Chat, targets: [primary/gpt-4.1, fallback/gpt-4.1], continue_streams: true}"""
    config.write_text(understudy_config(port, providers, features))
    return Launch([understudy_command(), "serve", "-c", str(config)])


def _litellm(place: Place, port: int) -> Launch:
    def deployment(name: str, base: str) -> str:
        keys = f'api_base: "{base}/v1", api_key: {place.key}'
        return f"  - {{model_name: {name}, litellm_params: {{model: openai/gpt-4.1, {keys}}}}}"

    config = f"""\
model_list:
{deployment("chat", place.primary)}
{deployment("chat-fallback", place.fallback)}
router_settings:
  fallbacks: [{{chat: [chat-fallback]}}]
  num_retries: 2
  timeout: {_WHOLE}
  stream_timeout: {_FIRST}
  allowed_fails: 3
  cooldown_time: 30
litellm_settings: {{telemetry: false, set_verbose: false}}
"""
    return litellm_launch("outage-litellm", config, port)


def _portkey_headers(place: Place) -> dict[str, str]:
    def at(base: str) -> dict[str, object]:
        where = {"provider": "openai", "api_key": place.key, "custom_host": f"{base}/v1"}
        return where | {"retry": {"attempts": 2}, "request_timeout": _FIRST * 1000}

    config = {"strategy": {"mode": "fallback"}, "targets": [at(place.primary), at(place.fallback)]}
    return {"x-portkey-config": json.dumps(config)}


CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant("sdk", "sdk1"),
        Contestant("litellm", "lite", _litellm, model="chat"),
        Contestant(
            "portkey",
            "port",
            lambda place, port: GATEWAYS["portkey"].launch(place.primary, port),
            _portkey_headers,
        ),
        Contestant("understudy", "undr", _understudy, model="chat"),
    )
}
