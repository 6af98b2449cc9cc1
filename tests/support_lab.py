"""A relay that is furnished anew for each test: providers that fail as told, and who asks them.

One process and one stand-in serve a whole session. A test says which targets it wants and what goes
wrong at each; that becomes a feature of its own, with providers that no other test has used, so
that nothing of what breakers and budgets have learnt elsewhere counts.
"""

import contextlib
import itertools
import json
import pathlib
import signal
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx

from simulation.sim_answers import Answer, read_stream, read_whole
from support_relay import PATIENCE, Relay, StandIn
from understudy import mock

CLAUDE, GPT, LLAMA = "claude-haiku-4-5", "gpt-4.1", "llama-3.3-70b"
PATHS = {
    "messages": "/v1/messages",
    "chat_completions": "/v1/chat/completions",
    "responses": "/v1/responses",
}
DIALECTS = tuple(PATHS)
#: What the stand-in is asked, and answers with 60 tokens and more.
PROMPT = "Why do ships keep a logbook? The logbook tells the captain what the crew saw at night."
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
SHIP = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "masts": {"type": "integer"}},
    "required": ["name", "masts"],
    "additionalProperties": False,
}
#: Where a caller finds the tokens of an answer: (of the prompt, of the output).
USAGE = {
    "messages": ("input_tokens", "output_tokens"),
    "chat_completions": ("prompt_tokens", "completion_tokens"),
    "responses": ("input_tokens", "output_tokens"),
}


class Provider(NamedTuple):
    """One provider, its model and accounts, what goes wrong there, and more of its settings."""

    kind: str
    faults: tuple[dict[str, Any], ...]
    model: str
    accounts: tuple[str, ...] = ("main",)
    settings: dict[str, Any] = {}  # noqa: RUF012 - never changed


def claude(*faults: dict[str, Any], model: str = CLAUDE, **more: Any) -> Provider:
    """Anthropic."""
    return Provider("anthropic", faults, model, **more)


def gpt(*faults: dict[str, Any], model: str = GPT, **more: Any) -> Provider:
    """OpenAI."""
    return Provider("openai", faults, model, **more)


def compatible(*faults: dict[str, Any], model: str = LLAMA, **more: Any) -> Provider:
    """Somebody's server that speaks chat completions."""
    return Provider("openai-compatible", faults, model, **more)


#: Dialect → the provider that speaks it, so that bytes pass as they are.
OWN = {"messages": claude, "chat_completions": gpt, "responses": gpt}
#: Dialect → a provider that does not.
OTHER = {"messages": gpt, "chat_completions": claude, "responses": claude}


def body_of(
    dialect: str,
    prompt: str | list[dict[str, Any]] = PROMPT,
    *,
    limit: int | None = 1000,
    **fields: Any,
) -> dict[str, Any]:
    """A request in a caller's words. `prompt`: a text, or the dialect's own turns."""
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    if dialect == "responses":
        body: dict[str, Any] = {"input": turns, "max_output_tokens": limit}
    else:
        body = {"messages": turns, "max_tokens": limit}
    if dialect == "chat_completions" and fields.get("stream"):
        body["stream_options"] = {"include_usage": True}
    return {**{name: value for name, value in body.items() if value is not None}, **fields}


def tools_of(dialect: str, *, forced: bool = False) -> dict[str, Any]:
    """The fields that offer `get_weather`."""
    function = {"name": "get_weather", "description": "The weather in a city."}
    if dialect == "messages":
        choice: Any = {"type": "any" if forced else "auto"}
        return {"tools": [{**function, "input_schema": WEATHER}], "tool_choice": choice}
    function["parameters"] = WEATHER
    tool: dict[str, Any] = {"type": "function", **function}
    if dialect == "chat_completions":
        tool = {"type": "function", "function": function}
    return {"tools": [tool], "tool_choice": "required" if forced else "auto"}


def json_of(dialect: str) -> dict[str, Any]:
    """The fields that ask for a ship in JSON."""
    schema = {"name": "ship", "schema": SHIP, "strict": True}
    if dialect == "messages":
        return {"output_config": {"format": {"type": "json_schema", "schema": SHIP}}}
    if dialect == "chat_completions":
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    return {"text": {"format": {"type": "json_schema", **schema}}}


def tokens_of(dialect: str, usage: dict[str, Any] | None) -> tuple[int, int]:
    """Tokens of the prompt and of the output."""
    spent, made = USAGE[dialect]
    used = usage or {}
    return used[spent], used[made]


class Told:
    """What a caller was told, read strictly, and the journal of its request."""

    def __init__(self, dialect: str, got: httpx.Response, journal: dict[str, Any]) -> None:
        self.dialect = dialect
        self.status = got.status_code
        self.headers = got.headers
        self.raw = got.content
        self.journal = journal
        self.attempts: list[dict[str, Any]] = journal["attempts"]
        self.streamed = got.headers["content-type"].startswith("text/event-stream")
        read = read_stream if self.streamed else read_whole
        self.answer: Answer = read(dialect, got.content)

    @property
    def results(self) -> list[str]:
        """How each attempt ended: the kind of its fault, or `content`, `abandoned` …"""
        return [a["fault"]["kind"] if a["fault"] else a["result"] for a in self.attempts]

    @property
    def places(self) -> list[int]:
        """Whom each attempt asked: places in the feature's order."""
        return [int(attempt["target"][1]) for attempt in self.attempts]

    @property
    def usage(self) -> tuple[int, int]:
        """Tokens of the prompt and of the output, as the caller is told them."""
        return tokens_of(self.dialect, self.answer.usage)

    @property
    def error(self) -> dict[str, Any]:
        """The error that the answer is, or ends in; with our own object at `understudy`."""
        error = self.answer.error
        assert error is not None
        # The event of Responses is flat, and holds the whole error as well.
        return error.get("error", error)

    def is_whole(self) -> bool:
        """A success that keeps its dialect's grammar to the letter."""
        assert not self.answer.breaches, (self.answer.breaches, self.raw[-2000:])
        return self.status == 200 and self.answer.is_success and not self.answer.half

    def is_broken_off(self) -> bool:
        """Ended in the dialect's error event, and in no terminal event."""
        # Who writes the error does not count a passing stream's events: its number is 0.
        breaches = [b for b in self.answer.breaches if not b.startswith("error is number 0")]
        assert not breaches, (breaches, self.raw[-2000:])
        return self.status == 200 and not self.answer.ended and self.answer.error is not None


class Scene:
    """A feature as one test wants it."""

    def __init__(self, lab: "Lab", name: str, providers: dict[str, Provider]) -> None:
        self._lab = lab
        self.name = name
        self._names = list(providers)
        self._providers = providers

    def ask(
        self,
        dialect: str,
        prompt: Any = PROMPT,
        *,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> Told:
        """Ask it, and read all of what comes."""
        body = {"model": self.name, **body_of(dialect, prompt, **fields)}
        got = self._lab.client.post(PATHS[dialect], json=body, headers=headers)
        return Told(dialect, got, self.journal(got))

    def journal(self, got: httpx.Response) -> dict[str, Any]:
        """What is known of that request."""
        return self._lab.client.get(f"/v1/requests/{got.headers['x-request-id']}").json()

    def name_of(self, place: int) -> str:
        """The name of the provider at that place, which its keys end in."""
        return self._names[place]

    def target(self, place: int) -> str:
        """`provider/model` of the target at that place."""
        name = self._names[place]
        return f"{name}/{self._providers[name].model}"

    def asked(self, place: int) -> list[mock.Attempt]:
        """What the provider at that place was asked."""
        return self._lab.stand_in.attempts(self._names[place])

    def until(self, place: int, condition: Callable[[mock.Attempt], bool]) -> None:
        """Wait until the last attempt at that place is as wanted."""
        end = self._names[place][-4:]

        def met(attempts: tuple[mock.Attempt, ...]) -> bool:
            mine = [a for a in attempts if a.method == "POST" and a.key == end]
            return bool(mine) and condition(mine[-1])

        self._lab.stand_in.until(met)


class Lab:
    """The relay, its stand-in, and a plain client."""

    def __init__(self, relay: Relay, stand_in: StandIn, client: httpx.Client) -> None:
        self.relay = relay
        self.stand_in = stand_in
        self.client = client
        self._numbers = itertools.count(1)

    def serve(
        self,
        *providers: Provider,
        tenants: dict[str, tuple[int, ...]] | None = None,
        **settings: Any,
    ) -> Scene:
        """Furnish a feature with these targets, in this order, and these settings. `tenants`: the
        places of the only providers that each may use.
        """
        number = next(self._numbers)
        # Keys end in the provider's name: the stand-in's log has their last four characters.
        named = {f"p{place}-{number:03x}{place}": p for place, p in enumerate(providers)}
        config = configuration(self.stand_in.url, {f"f{number}": (named, settings)})
        names = list(named)
        config["tenants"] = {
            tenant: {"providers": [names[place] for place in places]}
            for tenant, places in (tenants or {}).items()
        }
        rules = [{**fault, "key": name} for name, p in named.items() for fault in p.faults]
        self.stand_in.play(*rules)
        seen = len(self.relay.log)
        self.relay.write({**self.relay.config, **config})
        self.relay.signal(signal.SIGHUP)
        line = self.relay.log.until(lambda line: '"event": "reload' in line, after=seen)
        assert '"reloaded"' in line, line
        return Scene(self, f"f{number}", named)

    def right(self, dialect: str, prompt: Any = PROMPT, **fields: Any) -> Answer:
        """What the stand-in answers when nothing is wrong, asked directly."""
        model = CLAUDE if dialect == "messages" else GPT
        body = {"model": model, **body_of(dialect, prompt, **fields)}
        headers = {"authorization": "Bearer sk-direct", "anthropic-version": "2023-06-01"}
        got = self.client.post(
            f"{self.stand_in.url}{PATHS[dialect]}", content=json.dumps(body), headers=headers
        )
        read = read_stream if fields.get("stream") else read_whole
        return read(dialect, got.content)


def configuration(
    url: str, features: dict[str, tuple[dict[str, Provider], dict[str, Any]]]
) -> dict[str, Any]:
    """The sections of a configuration: features, by name, of (providers by name, settings)."""
    providers: dict[str, Any] = {}
    furnished: dict[str, Any] = {}
    for feature, (named, settings) in features.items():
        targets = []
        for name, provider in named.items():
            providers[name] = {
                "kind": provider.kind,
                "base_url": url if provider.kind == "anthropic" else f"{url}/v1",
                "accounts": {a: {"api_key": f"sk-{a}-{name}"} for a in provider.accounts},
                **provider.settings,
            }
            targets.append(f"{name}/{provider.model}")
        furnished[feature] = {"targets": targets, **settings}
    return {"providers": providers, "features": furnished}


@contextlib.contextmanager
def open_lab(directory: pathlib.Path) -> Iterator[Lab]:
    """A lab whose stand-in writes each token as an event of its own."""
    with StandIn(pace=mock.Pace(tokens_per_event=1)) as stand_in:
        config = configuration(stand_in.url, {"f0": ({"p0-0000": claude()}, {})})
        with (
            Relay(config, directory) as relay,
            httpx.Client(base_url=relay.url, timeout=PATIENCE) as client,
        ):
            yield Lab(relay, stand_in, client)
