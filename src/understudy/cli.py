"""The command line.

Exit codes: 0 done; 1 it could not run (an address is taken, a file can't be written); 2 the command
or the configuration is wrong. Whatever a user can cause is answered in a line on standard error,
never with a traceback. What a command needs is imported when it runs, so that `check` is quick.
"""

from __future__ import annotations

import base64
import math
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Never

import msgspec
from cyclopts import App, CycloptsError, Parameter

from understudy import __version__
from understudy.cli_ask import (
    DEFAULT_FILE,
    DONE,
    FAILED,
    WRONG,
    ConfigPath,
    FailedError,
    Flag,
    UsageError,
    WebUrl,
    ask,
    client_for,
    complain,
    duration,
    explain,
    load_settings,
    print_json,
    shaped,
)
from understudy.cli_jobs import jobs

if TYPE_CHECKING:
    from understudy.core.settings import Listen, Settings
    from understudy.web.client import AdminClient
    from understudy.web.wire import Done

__all__ = ["app", "main", "run"]

#: More than the cores of any machine that this is for.
MOST_WORKERS = 128
#: Seconds between two looks of `status`.
WATCH_SECONDS = 2.0

app = App(
    name="understudy",
    help="Keeps the AI in a product working when a model provider isn't.",
    version=__version__,
    help_formatter="plain",
)
keys = App(name="keys", help="Makes keys.", help_formatter="plain")
targets = App(
    name="targets", help="Takes targets out of use, and brings them back.", help_formatter="plain"
)
app.command(jobs)
app.command(keys)
app.command(targets)


def main() -> Never:
    """Run the command in `sys.argv` and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(tokens: Sequence[str]) -> int:
    """Run one command. Returns its exit code; prints what went wrong."""
    from understudy.config.faults import ConfigError  # noqa: PLC0415 - as the module says

    try:
        code = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except ConfigError as error:
        complain(*error.lines())
        return WRONG
    except UsageError as error:
        complain(f"understudy: {error}")
        return WRONG
    except CycloptsError as error:
        complain(f"understudy: {' '.join(str(error).split())} (see `understudy --help`)")
        return WRONG
    except FailedError as error:
        complain(f"understudy: {error}")
        return FAILED
    except OSError as error:
        complain(f"understudy: {explain(error)}")
        return FAILED
    return code if isinstance(code, int) else DONE


@app.command
def serve(
    config: ConfigPath = DEFAULT_FILE,
    *,
    workers: int = 1,
    grace: str = "30s",
    state: Path | None = None,
    seat: Annotated[str | None, Parameter(show=False)] = None,
) -> int:
    """Run the product. SIGTERM drains it, SIGHUP reloads the configuration.

    Parameters
    ----------
    workers
        How many processes serve. More than one need a PostgreSQL as store, and are replaced one by
        one on SIGUSR2.
    grace
        How long requests may go on after SIGTERM, such as 30s.
    state
        Where it keeps what operators have pulled. By default beside the configuration: to
        understudy.yaml belongs understudy.state.json.
    seat
        Of one of several workers; for their supervisor to say.
    """
    seconds = duration("--grace", grace)
    settings = load_settings(config)  # What is wrong with it is said before anything is built.
    if not 1 <= workers <= MOST_WORKERS:
        raise UsageError(f"--workers is not a number of processes; write 1 to {MOST_WORKERS}")
    if workers > 1 or seat is not None:
        _check_shared(settings)
    from understudy.supervisor import Plan, Seat, supervise  # noqa: PLC0415

    if workers > 1:
        return supervise(Plan(config, workers, seconds, state), settings)
    from understudy.app import serve as run_product  # noqa: PLC0415
    from understudy.ports import StoreError  # noqa: PLC0415
    from understudy.services.pulls_file import DamagedStateError  # noqa: PLC0415

    try:
        taken = None if seat is None else Seat.read(seat)
        return run_product(config, grace=seconds, state=state, seat=taken)
    except msgspec.DecodeError:
        raise UsageError("--seat is for a supervisor to say; write --workers") from None
    except DamagedStateError as error:
        raise FailedError(str(error)) from None
    except StoreError as error:
        raise FailedError(f"store: {error}") from None


@app.command
def demo() -> int:
    """Run everything in one process, with stand-in providers. Needs no key."""
    from understudy.app import demo as run_demo  # noqa: PLC0415

    return run_demo()


@app.command
def check(
    config: ConfigPath = DEFAULT_FILE,
    *,
    schema: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Say what is wrong with a configuration: a line for each fault, and exit code 2.

    Parameters
    ----------
    schema
        Print the JSON Schema of the configuration instead.
    """
    if schema:
        from understudy.config import json_schema  # noqa: PLC0415

        print_json(json_schema())
        return DONE
    settings = load_settings(config)
    print(f"{config}: fine: {_summarise(settings)}")
    for notice in settings.notices:
        print(f"notice: {notice}")
    return DONE


@app.command
def init(
    file: Annotated[Path, Parameter(help="Where to write it.")] = DEFAULT_FILE,
    *,
    force: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Write a commented configuration from the keys found in the environment.

    Parameters
    ----------
    force
        Overwrite a file that is there.
    """
    from understudy.config.starter import STAND_IN_ADDRESS, starter  # noqa: PLC0415

    made = starter(os.environ)
    try:
        with file.open("w" if force else "x", encoding="utf-8") as target:
            target.write(made.text)
    except FileExistsError:
        raise UsageError(f"{file} is there already; --force overwrites it") from None
    if made.found:
        print(f"wrote {file}, with {', '.join(made.found)}")
    else:
        print(f"wrote {file}; no key was found, so it uses stand-in providers")
    print("next:")
    if not made.found:
        print(f"  understudy mock --listen {STAND_IN_ADDRESS}   (in a terminal of its own)")
    print(f"  understudy check -c {file}")
    print(f"  understudy serve -c {file}")
    return DONE


@app.command
def mock(*, listen: str, pace: float = 0.0) -> int:
    """Play a provider that speaks every dialect, until SIGTERM or Ctrl-C.

    Parameters
    ----------
    listen
        HOST:PORT; port 0 takes a free one.
    pace
        Tokens a second of its answers; 0 is at once.
    """
    address = _address("--listen", listen)
    if not 0 <= pace < math.inf:
        raise UsageError("--pace is not a number of tokens a second; write 0 or more")
    import uvloop  # noqa: PLC0415

    from understudy import mock as stand_in  # noqa: PLC0415

    def announce(server: stand_in.MockServer) -> None:
        print(f"stand-in provider: {server.url}")
        print("ready", flush=True)

    speed = stand_in.Pace(tokens_per_second=pace)
    uvloop.run(stand_in.run(address.host, address.port, pace=speed, on_ready=announce))
    return DONE


@keys.command
def new(name: str, *, tenant: str | None = None) -> int:
    """Make a caller's key: print it once, with the line for the configuration.

    Parameters
    ----------
    name
        The caller's name.
    tenant
        The tenant that its requests belong to.
    """
    from understudy.config.grammar import LABEL  # noqa: PLC0415
    from understudy.core.settings import digest_key  # noqa: PLC0415

    for what, label in (("name", name), ("tenant", tenant)):
        if label is not None and re.fullmatch(LABEL.pattern, label, re.ASCII) is None:
            raise UsageError(f"this {what} can't be used; write {LABEL.words}")
    key = f"usk_{secrets.token_urlsafe(32)}"
    fields = [f'name: "{name}"', f'key_digest: "sha256:{digest_key(key)}"']
    if tenant is not None:
        fields.append(f'tenant: "{tenant}"')
    print("The key, shown this once (give it to the caller):")
    print(key)
    print("The line for `callers:` in the configuration:")
    print(f"  - {{{', '.join(fields)}}}")
    return DONE


@keys.command
def encryption() -> int:
    """Make a key that jobs are sealed with: `jobs.encryption_key`."""
    print(secrets.token_urlsafe(32))
    return DONE


@keys.command
def webhook() -> int:
    """Make a secret that signs what a webhook is told: `jobs.webhooks.*.secret`."""
    print(f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}")
    return DONE


@app.command
def status(
    config: ConfigPath = DEFAULT_FILE,
    *,
    url: WebUrl = None,
    once: Flag = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Show the health of a running product: every 2 s on a terminal, else once.

    Once, it exits with 0 if every feature can be served, and with 1 if one can't.

    Parameters
    ----------
    once
        Print it once, on a terminal too.
    as_json
        Print it once, as JSON.
    """
    client = client_for(config, url)
    if as_json:
        health = ask(client.health)
        print_json(health)
    elif sys.stdout.isatty() and not once:
        return _watch(client)
    else:
        from understudy.web.status_table import status_lines  # noqa: PLC0415

        health = ask(client.health)
        print("\n".join(status_lines(health, client.url)))
    served = all(feature.served_by is not None for feature in health.features)
    return DONE if served else FAILED


@targets.command
def pull(
    node: str,
    *,
    reason: str,
    by: str | None = None,
    config: ConfigPath = DEFAULT_FILE,
    url: WebUrl = None,
) -> int:
    """Take a node out of use until it is restored. It holds for the next choice of a target.

    Parameters
    ----------
    node
        provider, provider@account, provider/model or provider@account/model.
    reason
        Why, for the journal and for whoever restores it.
    by
        Who, by default the user's name.
    """
    from understudy.web.wire import PullRequest  # noqa: PLC0415

    client = client_for(config, url)
    who = by or os.environ.get("LOGNAME") or os.environ.get("USER") or "operator"
    done = ask(lambda: client.pull(node, PullRequest(reason=reason, by=who)), node)
    print(f"{done.pull.node} is pulled: no request is sent there until it is restored")
    return _kept(done)


@targets.command
def restore(
    node: str, *, slowly: Flag = False, config: ConfigPath = DEFAULT_FILE, url: WebUrl = None
) -> int:
    """Bring a pulled node back.

    Parameters
    ----------
    node
        As it was pulled.
    slowly
        Over two minutes, from a tenth of its traffic on, instead of at once.
    """
    from understudy.web.wire import RestoreRequest  # noqa: PLC0415

    client = client_for(config, url)
    done = ask(lambda: client.restore(node, RestoreRequest(slowly=slowly)), node)
    print(f"{done.pull.node} is restored{', step by step' if slowly else ''}")
    return _kept(done)


def _watch(client: AdminClient) -> int:
    """Show the table until Ctrl-C. Once it has begun, a missing answer is shown as well."""
    from understudy.web.client import AdminError  # noqa: PLC0415
    from understudy.web.status_table import status_lines  # noqa: PLC0415

    colour = "NO_COLOR" not in os.environ  # https://no-color.org
    health = ask(client.health)
    trouble: list[str] = []
    print("\x1b[2J", end="")
    try:
        while True:
            size = shutil.get_terminal_size()
            shown = status_lines(health, client.url, width=size.columns, colour=colour)
            lines = [*trouble, *shown][: size.lines - 1]
            print("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J", end="")
            sys.stdout.flush()
            time.sleep(WATCH_SECONDS)
            try:
                health, trouble = client.health(), []
            except AdminError as error:
                trouble = [f"{error}. This is what it was:", ""]
    except KeyboardInterrupt:
        return DONE


def _kept(done: Done) -> int:
    if done.warning is not None:
        complain(f"understudy: {done.warning}")
    return DONE


def _check_shared(settings: Settings) -> None:
    """Several processes need a place for what they share.

    Raises:
        UsageError: there is none.
    """
    from understudy.core.store_place import MemoryPlace, PostgresPlace  # noqa: PLC0415

    if not isinstance(settings.store, PostgresPlace):
        whose = "process's memory" if isinstance(settings.store, MemoryPlace) else "SQLite file"
        raise UsageError(
            f"--workers: several processes can't share one {whose} (`store: {settings.store}`); "
            "write `store: postgresql://USER:PASSWORD@HOST/DATABASE`, or leave --workers out"
        )


def _summarise(settings: Settings) -> str:
    accounts = sum(len(provider.accounts) for provider in settings.providers.values())
    return ", ".join(
        [
            f"{_count(len(settings.providers), 'provider')} with {_count(accounts, 'account')}",
            _count(len(settings.features), "feature"),
            _count(len(settings.callers), "caller"),
        ]
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _address(option: str, text: str) -> Listen:
    from understudy.config.places import Address  # noqa: PLC0415

    return shaped(option, Address(), text)
