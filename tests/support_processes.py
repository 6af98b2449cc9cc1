"""Real processes of one configuration that share a database, and what each says of the others."""

import itertools
import time

import httpx

from support_relay import PATIENCE, Relay, ask, config_for

__all__ = ["KEY", "TARGET", "House", "Process", "break_down", "until"]

KEY = "console-key-of-the-processes"
#: The first of the feature's targets; `gpt` has the second.
TARGET = "claude@main/claude-haiku-4-5"
NUMBERS = itertools.count()


class Process:
    """One of them, and what it says of the others."""

    def __init__(self, relay):
        self.relay = relay

    def ask(self):
        return httpx.post(f"{self.relay.url}/v1/messages", json=ask(), timeout=PATIENCE)

    def admin(self, method, path, **body):
        headers = {"authorization": f"Bearer {KEY}"}
        url = f"{self.relay.web}/admin/api/{path}"
        return httpx.request(method, url, headers=headers, json=body or None, timeout=PATIENCE)

    def health(self):
        return self.admin("GET", "health").json()

    def fleet(self):
        return self.health()["fleet"]

    def target(self):
        """What it knows of the first target."""
        found = self.health()["providers"][0]["accounts"][0]["targets"][0]
        assert found["node"] == TARGET
        return found["health"]


def until(condition, patience=PATIENCE):
    """What comes of asking again and again until it is so."""
    ends = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < ends, "it never came to be so"
    return found


class House:
    """Processes of one configuration and one database."""

    def __init__(self, stack, cluster, stand_in, folder):
        self._stack = stack
        self._folder = folder
        self._url = cluster.database()
        self._stand_in = stand_in
        self.processes = []

    def begin(self, count=1):
        for _ in range(count):
            folder = self._folder / f"process-{next(NUMBERS)}"
            folder.mkdir()
            told = config_for(self._stand_in.url)
            told["store"] = self._url
            told["web"] = {"listen": "127.0.0.1:0", "console_key": KEY}
            self.processes.append(Process(self._stack.enter_context(Relay(told, folder))))
        until(self.are_together)
        return self.processes

    def are_together(self):
        """All of them know of all of them, and who leads."""
        told = [process.fleet() for process in self.processes]
        return (
            {one["processes"] for one in told} == {len(told)}
            and len({one["leader"] for one in told}) == 1
            and told[0]["leader"] in {one["process"] for one in told}
            and all(one["reachable"] for one in told)
        )

    def leader(self):
        return next(
            process
            for process in self.processes
            if process.fleet()["leader"] == process.fleet()["process"]
        )


def break_down(process, stand_in):
    """The first target fails for this process until it leaves it alone; nobody notices."""
    stand_in.play({"fault": "overloaded", "key": "ude"})
    for _ in range(6):
        assert process.ask().status_code == 200
    health = process.target()
    assert health["state"] in {"open", "half_open"}
    assert health["told_by"] is None
    return process.fleet()["process"]
