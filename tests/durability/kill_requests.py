"""What callers ask in the kill runs, and how their answers are told apart.

Every request carries a token of its own in its question, and the stand-in repeats the question in
its answer: so a result that belongs to another request, or is not whole, is seen.
"""

import json
import random
from dataclasses import dataclass, field

__all__ = ["CALLERS", "FEATURES", "Ask", "config", "draw", "said_in"]


@dataclass(frozen=True)
class Feature:
    """A feature of its own provider, so that each has its own pace (the ramps are by target)."""

    model: str
    #: About how long a run takes, in seconds.
    seconds: float = 0.0
    priority: str = "interactive"
    kind: str = "anthropic"


#: Quick ones, slow ones (whole, late, in drops), a provider that is overloaded at every second
#: request, and one that refuses for good.
FEATURES = {
    "quick": Feature("claude-haiku-4-5"),
    "quick-too": Feature("gpt-4.1", kind="openai"),
    "quick-behind": Feature("claude-sonnet-4-5", priority="background"),
    "late": Feature("claude-haiku-4-5+fault=headers_late:0.4", 0.4),
    "later": Feature("gpt-4.1+fault=headers_late:1.2", 1.2, kind="openai"),
    "first-late": Feature("claude-haiku-4-5+fault=first_token_late:0.6", 0.6, "background"),
    "in-drops": Feature("claude-haiku-4-5+fault=slow_drip:0.05", 0.8),
    "in-drops-too": Feature("gpt-4.1+fault=slow_drip:0.05", 0.8, kind="openai"),
    "flapping": Feature("claude-haiku-4-5+fault=flapping"),
    "refused": Feature("claude-haiku-4-5+fault=invalid_request"),
}
#: Name → key and tenant.
CALLERS = {
    "ann": ("caller-key-of-ann-0001", None),
    "bob": ("caller-key-of-bob-0001", "acme"),
    "cy": ("caller-key-of-cy-00001", "zeta"),
}
PATHS = ("/v1/messages", "/v1/chat/completions", "/v1/responses")


def config(store: str, provider: str) -> dict[str, object]:
    """The product's configuration. `provider`: where the stand-in is."""
    listen = {"listen": "127.0.0.1:0"}
    providers = {
        name: {
            "kind": feature.kind,
            "base_url": provider if feature.kind == "anthropic" else f"{provider}/v1",
            "accounts": {"main": {"api_key": f"sk-{name}"}},
            "probes": False,
        }
        for name, feature in FEATURES.items()
    }
    features = {
        name: {
            "targets": [f"{name}/{feature.model}"],
            "defer": True,
            "priority": feature.priority,
        }
        for name, feature in FEATURES.items()
    }
    callers = [
        {"name": name, "key": key, **({"tenant": tenant} if tenant else {})}
        for name, (key, tenant) in CALLERS.items()
    ]
    return {
        "relay": listen,
        "web": listen,
        "store": store,
        "providers": providers,
        "features": features,
        "callers": callers,
    }


@dataclass(frozen=True)
class Ask:
    """One request."""

    token: str
    caller: str
    feature: str
    path: str
    stream: bool
    key: str | None
    padding: int

    @property
    def body(self) -> dict[str, object]:
        """What is posted."""
        question = f"What is written on the door of {self.token}?"
        told: dict[str, object] = {"model": self.feature, "stream": self.stream}
        if self.path == "/v1/responses":
            return told | {
                "max_output_tokens": 400,
                "input": question,
                "instructions": "Be brief. " + "x" * self.padding,
            }
        system = "Be brief. " + "x" * self.padding
        if self.path == "/v1/messages":
            rest = {"system": system, "messages": [{"role": "user", "content": question}]}
        else:
            said = [("system", system), ("user", question)]
            rest = {"messages": [{"role": role, "content": text} for role, text in said]}
        return told | {"max_tokens": 400} | rest

    @property
    def headers(self) -> dict[str, str]:
        """Whose it is, and by which key it is known."""
        key, _ = CALLERS[self.caller]
        told = {"x-api-key": key}
        return told if self.key is None else told | {"idempotency-key": self.key}


def draw(chance: random.Random, number: int) -> Ask:
    """A request."""
    token = f"tk-{number}-{chance.getrandbits(48):012x}"
    return Ask(
        token=token,
        caller=chance.choice(list(CALLERS)),
        feature=chance.choice(list(FEATURES)),
        path=chance.choice(PATHS),
        stream=chance.random() < 0.4,
        key=f"key-{token}" if chance.random() < 0.85 else None,
        padding=chance.choice((0, 200, 2_000, 8_000)),
    )


def said_in(body: bytes, *, stream: bool) -> str | None:
    """The text of a whole answer, whatever its dialect; None if it is not whole.

    Of an error: all of it.
    """
    if not stream or body.startswith(b"{"):
        return _said(json.loads(body))
    collected = _Collected()
    for block in body.decode().split("\n\n"):
        for line in block.split("\n"):
            if line.startswith("data: "):
                collected.add(line.removeprefix("data: "))
    return collected.text if collected.is_whole else None


def _said(answer: dict[str, object]) -> str:
    if "error" in answer:
        return json.dumps(answer)
    texts: list[str] = []
    _gather(answer, texts)
    return "".join(texts)


def _gather(value: object, texts: list[str]) -> None:
    """Every text of an answer: `text` in Messages and Responses, `content` in chat completions."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in {"text", "content"} and isinstance(inner, str):
                texts.append(inner)
            else:
                _gather(inner, texts)
    elif isinstance(value, list):
        for inner in value:
            _gather(inner, texts)


@dataclass
class _Collected:
    """What a stream's events say, put together."""

    text: str = ""
    is_whole: bool = field(default=False)

    def add(self, data: str) -> None:
        if data == "[DONE]":
            self.is_whole = True
            return
        event = json.loads(data)
        kind = event.get("type", "")
        if kind in {"message_stop", "response.completed"}:
            self.is_whole = True
        elif kind == "content_block_delta":
            self.text += event["delta"].get("text", "")
        elif kind == "response.output_text.delta":
            self.text += event["delta"]
        for choice in event.get("choices", ()):
            self.text += choice["delta"].get("content") or ""
