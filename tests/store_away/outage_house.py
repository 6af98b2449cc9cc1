"""The processes that it takes: a PostgreSQL, two stand-ins, and the product with its workers."""

import contextlib
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

from contract.postgres_cluster import postgres

__all__ = ["CONSOLE_KEY", "FRAGILE", "House", "StandIn", "model_of", "target_of"]

CONSOLE_KEY = "console-key-of-the-outage-0001"
#: Targets that only one worker is asked for, each of a provider and a feature of its own: one that
#: falls ill again and again is left alone for longer and longer.
FRAGILE = 8
CLAUDE, GPT = "claude-haiku-4-5", "gpt-4.1"
#: An answer takes about a second.
PACE = {"first_token": 0.1, "tokens_per_second": 60}
#: Seconds that a start or an end may take.
PATIENCE = 120.0


def model_of(number: int) -> str:
    """The model of a fragile target."""
    return f"claude-opus-4-{number}"


def target_of(number: int) -> str:
    """The node of a fragile target."""
    return f"fragile-{number}@main/{model_of(number)}"


class Process:
    """One command of ours, with what it says on standard output until it is ready."""

    def __init__(self, *arguments: str, log: Path) -> None:
        self.said: dict[str, str] = {}
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "understudy", *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        out = self._process.stdout
        for line in iter(out.readline, "") if out is not None else ():
            name, _, value = line.strip().partition(": ")
            self.said[name] = value
            if name == "ready":
                return
        raise RuntimeError(f"it did not start: see {log}")

    def close(self) -> None:
        """End it in order."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()


class StandIn(Process):
    """A provider."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__("mock", "--listen", "127.0.0.1:0", log=folder / f"{name}.log")
        self.url = self.said["stand-in provider"]
        self._put("pace", PACE)

    def fail(self, *models: str) -> None:
        """It is overloaded, whoever asks for one of these models."""
        self._put("faults", [{"fault": "overloaded", "model": model} for model in models])

    def heal(self) -> None:
        """It works."""
        self._put("faults", [])

    def asked(self, model: str) -> list[float]:
        """When answers of a model were asked for, in Unix seconds."""
        with urllib.request.urlopen(f"{self.url}/mock/attempts") as got:
            attempts = json.load(got)
        return [a["time"] for a in attempts if a["model"] == model and a["method"] == "POST"]

    def _put(self, noun: str, value: Any) -> None:
        request = urllib.request.Request(
            f"{self.url}/mock/{noun}", json.dumps(value).encode(), method="PUT"
        )
        urllib.request.urlopen(request).close()


class House:
    """All of them. `workers`: of the product."""

    def __init__(self, workers: int, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self.log = folder / f"product-{workers}.log"
        try:
            self.cluster = self._stack.enter_context(postgres())
            self.primary = self._stack.enter_context(contextlib.closing(StandIn(folder, "primary")))
            self.secondary = self._stack.enter_context(
                contextlib.closing(StandIn(folder, "secondary"))
            )
            file = folder / f"understudy-{workers}.yaml"
            file.write_text(json.dumps(self._config()), encoding="utf-8")
            options = ("-c", str(file), "--workers", str(workers), "--grace", "30s")
            product = Process("serve", *options, log=self.log)
            self._stack.callback(product.close)
        except BaseException:
            self._stack.close()
            raise
        self.workers = workers
        self.relay, self.web = product.said["relay"], product.said["web"]

    def _config(self) -> dict[str, Any]:
        listen = {"listen": "127.0.0.1:0"}

        def anthropic(url: str) -> dict[str, Any]:
            return {"kind": "anthropic", "base_url": url, "accounts": {"main": {"api_key": "k1"}}}

        return {
            "relay": listen,
            "web": {**listen, "console_key": CONSOLE_KEY},
            "store": self.cluster.database(),
            "providers": {
                "primary": anthropic(self.primary.url),
                **{f"fragile-{n}": anthropic(self.secondary.url) for n in range(FRAGILE)},
                "secondary": {
                    "kind": "openai",
                    "base_url": f"{self.secondary.url}/v1",
                    "accounts": {"main": {"api_key": "k2"}},
                },
            },
            "features": {
                "live": {"targets": [f"primary/{CLAUDE}", f"secondary/{GPT}"]},
                **{
                    f"lonely-{n}": {"targets": [f"fragile-{n}/{model_of(n)}", f"secondary/{GPT}"]}
                    for n in range(FRAGILE)
                },
                "later": {
                    "targets": [f"primary/{CLAUDE}", f"secondary/{GPT}"],
                    "defer": True,
                    "priority": "background",
                },
            },
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
