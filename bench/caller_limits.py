"""What limits cost the path of a request: CPU time of letting it in and of its end, in the process.

`python bench/caller_limits.py` prints the table, `--write` puts it into docs/limits.md.
"""

from __future__ import annotations

import asyncio
import io
import ssl
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support_pages import put
from understudy.config import load
from understudy.core.conversation import Usage
from understudy.core.outcomes import Attempt, Record
from understudy.relay.http import Incoming
from understudy.relay.relay import Relay
from understudy.services.logs import Log

PAGE = Path(__file__).parent.parent / "docs/limits.md"
ROUNDS, REQUESTS = 15, 2_000
PATHS = {"messages": "/v1/messages", "chat_completions": "/v1/chat/completions"}
ALL = "{requests_per_minute: 900000000, tokens_per_minute: 900000000, concurrency: 900000000}"
CONFIG = f"""\
callers:
  - {{name: free, key: key-of-free-0123456789}}
  - {{name: requests, key: key-of-requests-0123456789, limits: {{requests_per_minute: 900000000}}}}
  - {{name: all, key: key-of-all-0123456789, limits: {ALL}}}
  - {{name: both, key: key-of-both-0123456789, tenant: acme, limits: {ALL}}}
tenants: {{acme: {{limits: {ALL}}}}}
providers: {{p: {{kind: anthropic, accounts: {{main: {{api_key: sk}}}}}}}}
features: {{f: {{targets: [p/claude]}}}}
"""
ROWS = {
    "free": "no limits",
    "requests": "requests a minute",
    "all": "requests, tokens, concurrency",
    "both": "all three, of caller and tenant",
}
BODY = b'{"model":"f","max_tokens":500,"messages":[{"role":"user","content":"Hello"}]}'


def measure(relay: Relay, name: str, operation: str) -> float:
    """Microseconds of CPU for each request, the best of some rounds."""
    (caller,) = [c for c in relay.runtime.settings.callers if c.name == name]
    attempt = Attempt("t", "a", "same", "", 0.0, usage=Usage(input=20, output=200))
    record = Record("r", "f", None, name, 0.0, attempts=[attempt])
    limiter, best = relay.limiter, float("inf")
    for _ in range(ROUNDS):
        orders = []
        for _ in range(REQUESTS):
            request = Incoming(
                method="POST", path=PATHS[operation], query="", headers={}, own={},
                body=BODY, caller=caller, arrived=relay.now(), operation=operation,
            )  # fmt: skip
            orders.append(relay.intake.understand(relay.runtime, request, operation, "r"))
        began = time.process_time()
        for order in orders:
            if order.place.holders:
                limiter.admit(order)
            if order.grant is not None:
                limiter.ended(order.grant, record)
        best = min(best, time.process_time() - began)
    return best / REQUESTS * 1e6


async def table() -> str:
    """In Markdown."""
    loop = asyncio.get_running_loop()
    settings = load(CONFIG, {}, source="bench")
    relay = Relay(settings, loop, ssl.create_default_context(), Log(io.StringIO()))
    lines = ["| limits | `/v1/messages` | `/v1/chat/completions` |", "|---|---|---|"]
    for name, words in ROWS.items():
        cells = [f"{measure(relay, name, operation):.2f} µs" for operation in PATHS]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    await relay.close()
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write where that is asked for."""
    made = asyncio.run(table())
    print(made)
    if "--write" in sys.argv:
        put(PAGE, "caller-limits", made)


if __name__ == "__main__":
    main()
