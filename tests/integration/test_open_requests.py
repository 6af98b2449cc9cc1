"""What the process says of the requests under way, and that none of them is a task."""

import json
from contextlib import ExitStack

import httpx

from support_relay import PATIENCE, Relay, StandIn, openai_provider
from understudy.mock import Where

GPT = "gpt-4.1"
OPEN = 7


def _gauge(client, name):
    (row,) = (r for r in client.get("/metrics").text.splitlines() if r.startswith(f"{name} "))
    return float(row.split()[1])


def test_requests_under_way_are_counted_and_none_is_a_task(tmp_path):
    body = json.dumps({"model": "f", "messages": [{"role": "user", "content": "Hello"}]})
    request = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: relay\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}"
    )
    with StandIn() as stand_in:
        stand_in.play({"fault": "hang", "where": Where.BEFORE_HEADERS, "key": "-mute"})
        config = {
            "providers": {"mute": openai_provider(stand_in.url, "sk-mute")},
            "features": {"f": {"targets": [f"mute/{GPT}"]}},
        }
        with (
            Relay(config, tmp_path) as relay,
            httpx.Client(base_url=relay.url, timeout=PATIENCE) as client,
        ):
            idle = _gauge(client, "understudy_tasks")
            with ExitStack() as callers:
                for _ in range(OPEN):
                    callers.enter_context(relay.connect()).send(request)
                stand_in.until(lambda attempts: sum(a.hung for a in attempts) == OPEN)
                assert _gauge(client, "understudy_open_requests") == OPEN
                assert _gauge(client, "understudy_tasks") == idle
            stand_in.until(lambda attempts: sum(a.client_closed for a in attempts) == OPEN)
            assert _gauge(client, "understudy_open_requests") == 0
