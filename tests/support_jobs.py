"""A relay that takes jobs, and what a caller does with them."""

import contextlib
import itertools

import httpx

from support_relay import Relay, config_for

#: A lease must run out, and then the job be done.
LONG = 40.0
ASYNC = {"prefer": "respond-async"}
NUMBERS = itertools.count()
#: What is asked; the stand-in's answer takes up its words.
PROMPT = "The canary Xylophonia sings of zanzibar-7731 at dawn."
#: Words of it that are to be found nowhere else.
CANARIES = (b"Xylophonia", b"zanzibar-7731")
BODY = {"model": "f", "max_tokens": 200, "messages": [{"role": "user", "content": PROMPT}]}


def config(stand_in, directory, **more):
    """Of a relay that keeps jobs in a file of the directory, for its feature `f`."""
    told = config_for(stand_in.url, defer=True)
    return {"store": f"sqlite:///{directory / 'jobs.db'}", **told, **more}


@contextlib.contextmanager
def running(told, directory, **options):
    """A relay, and a client of it."""
    with (
        Relay(told, directory, **options) as relay,
        httpx.Client(base_url=relay.url, timeout=LONG) as client,
    ):
        client.relay = relay
        yield client


def defer(client, path="/v1/messages", headers=None, **fields):
    """Where the job is that a request became."""
    got = client.post(path, json={**BODY, **fields}, headers={**ASYNC, **(headers or {})})
    assert got.status_code == 202, got.text
    assert got.headers["preference-applied"] == "respond-async"
    assert got.headers["location"] == f"/v1/jobs/{got.json()['id']}"
    return got.headers["location"]


def events(client, location):
    """The names of all that happens to a job, until it is over."""
    names = []
    with client.stream("GET", f"{location}/events") as stream:
        assert stream.status_code == 200
        names += [line[7:] for line in stream.iter_lines() if line.startswith("event: ")]
    return names
