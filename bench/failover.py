"""A provider fails under load: how many callers notice?

Two features prefer different providers, so that half of the traffic meets the sick one first. For
each kind of sickness a fresh Understudy, which has only seen health, is put under load; a second
later the provider falls ill, and is well again before the load ends. Every answer is read whole.

    python bench/failover.py [--seconds 8] [--modes 529,500,reset,hang]
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from gateways import (
    PROVIDER_KEY,
    Launch,
    started,
    understudy_command,
    understudy_config,
)
from load import Result, Target, body_file, wrk
from process import RUN, Stub, ends_on_signals, fresh_run_folder, stub

__all__ = ["MODES", "Episode", "measure"]

#: How provider one falls ill, in turn.
MODES = ("529", "500", "reset", "hang")
#: Seconds of health before, of sickness, and of health after.
BEFORE, SICK, AFTER = 1, 8, 4
#: Health after a provider that hung. A stream is given up after `first_token`; a whole answer shows
#: nothing before it is complete, and is given the time that its `max_tokens` may take (15 s here).
AFTER_HANG = 20
#: Seconds without an answer, at the end, after which a caller is stuck. Less than AFTER.
PATIENCE = 2


@dataclass(frozen=True)
class Episode:
    """One sickness and what came of it."""

    mode: str
    seconds: int
    requests: int
    #: Answers that a caller could not have used.
    failures: int
    fault: str
    #: Requests that reached provider one while it was sick, and in all the time.
    attempts_sick: int
    attempts: int
    #: The longest that a caller waited for a whole answer.
    longest_ms: float


def _launch(one: Stub, two: Stub, port: int) -> Launch:
    config = RUN / "failover.yaml"
    account = f"accounts: {{main: {{api_key: {PROVIDER_KEY}}}}}"
    providers = f"""\
  one: {{kind: openai, base_url: "{one.url}/v1", {account}}}
  two: {{kind: openai, base_url: "{two.url}/v1", {account}}}"""
    features = """\
  a: {title: A, targets: [one/gpt-bench, two/gpt-bench], first_token: 1s}
  b: {title: B, targets: [two/gpt-bench, one/gpt-bench], first_token: 1s}"""
    config.write_text(understudy_config(port, providers, features))
    return Launch([understudy_command(), "serve", "-c", str(config)])


def _episode(mode: str, sick: int, connections: int) -> Episode:
    bodies = [body_file(name, stream=stream) for stream in (False, True) for name in ("a", "b")]
    seconds = BEFORE + sick + (AFTER_HANG if mode == "hang" else AFTER)
    with ExitStack() as stack:
        one, two = (stack.enter_context(stub(name)) for name in ("stub-one", "stub-two"))
        server = stack.enter_context(started("understudy", lambda port: _launch(one, two, port)))

        def load() -> Result:
            target = Target(server.url, {})
            return wrk(
                target,
                bodies,
                seconds=seconds,
                connections=connections,
                check=True,
                patience=PATIENCE,
            )

        with ThreadPoolExecutor(1) as beside:
            running = beside.submit(load)
            time.sleep(BEFORE)
            before = one.requests()
            one.mode(mode)
            time.sleep(sick)
            one.mode("ok")
            after = one.requests()
            result = running.result()
        attempts = one.requests()
    return Episode(
        mode=mode,
        seconds=sick,
        requests=result.requests,
        failures=result.errors,
        fault=result.fault,
        attempts_sick=after - before,
        attempts=attempts,
        longest_ms=result.max_us / 1000,
    )


def measure(
    modes: tuple[str, ...] = MODES, sick: int = SICK, connections: int = 32
) -> list[Episode]:
    """One episode for each mode.

    Raises:
        StartError: Understudy did not come up.
    """
    episodes = []
    for mode in modes:
        episode = _episode(mode, sick, connections)
        episodes.append(episode)
        print(
            f"  {mode:6} {episode.requests} requests, {episode.failures} failures seen by callers"
            f" ({episode.fault or 'none'}), {episode.attempts_sick} attempts at the sick provider"
        )
    return episodes


def main() -> int:
    """Prints a line for each mode; 1 where a caller noticed."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--modes", default=",".join(MODES))
    options.add_argument("--seconds", type=int, default=SICK, help="of sickness")
    options.add_argument("--connections", type=int, default=32)
    chosen = options.parse_args()
    ends_on_signals()
    fresh_run_folder()
    episodes = measure(tuple(chosen.modes.split(",")), chosen.seconds, chosen.connections)
    return 1 if any(episode.failures for episode in episodes) else 0


if __name__ == "__main__":
    sys.exit(main())
