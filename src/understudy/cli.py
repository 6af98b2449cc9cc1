"""The command line.

Exit codes: 0 done; 1 it could not run (an address is taken, a file can't be written); 2 the command
or the configuration is wrong. Whatever a user can cause is answered in a line on standard error,
never with a traceback. What a command needs is imported when it runs, so that `check` is quick.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Never

import msgspec
from cyclopts import App, CycloptsError, Parameter

from understudy import __version__

if TYPE_CHECKING:
    from understudy.core.settings import Listen, Settings

__all__ = ["app", "main", "run"]

DONE, FAILED, WRONG = 0, 1, 2

_DEFAULT_FILE = Path("understudy.yaml")

ConfigPath = Annotated[Path, Parameter(name=["--config", "-c"], help="The configuration.")]

app = App(
    name="understudy",
    help="Keeps the AI in a product working when a model provider isn't.",
    version=__version__,
    help_formatter="plain",
)
keys = App(name="keys", help="Keys of callers.", help_formatter="plain")
app.command(keys)


class UsageError(Exception):
    """A user's mistake, in one line."""


def main() -> Never:
    """Run the command in `sys.argv` and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(tokens: Sequence[str]) -> int:
    """Run one command. Returns its exit code; prints what went wrong."""
    from understudy.config.faults import ConfigError  # noqa: PLC0415 - as the module says

    try:
        code = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except ConfigError as error:
        _complain(*error.lines())
        return WRONG
    except UsageError as error:
        _complain(f"understudy: {error}")
        return WRONG
    except CycloptsError as error:
        _complain(f"understudy: {' '.join(str(error).split())} (see `understudy --help`)")
        return WRONG
    except OSError as error:
        _complain(f"understudy: {_explain(error)}")
        return FAILED
    return code if isinstance(code, int) else DONE


@app.command
def serve(config: ConfigPath = _DEFAULT_FILE, *, grace: str = "30s") -> int:
    """Run the product. SIGTERM drains it, SIGHUP reloads the configuration.

    Parameters
    ----------
    grace
        How long requests may go on after SIGTERM, such as 30s.
    """
    seconds = _duration("--grace", grace)
    _load(config)  # What is wrong with it is said before anything is built.
    from understudy.app import serve as run_product  # noqa: PLC0415

    return run_product(config, grace=seconds)


@app.command
def demo() -> int:
    """Run everything in one process, with stand-in providers. Needs no key."""
    from understudy.app import demo as run_demo  # noqa: PLC0415

    return run_demo()


@app.command
def check(
    config: ConfigPath = _DEFAULT_FILE,
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

        print(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode())
        return DONE
    settings = _load(config)
    print(f"{config}: fine: {_summarise(settings)}")
    for notice in settings.notices:
        print(f"notice: {notice}")
    return DONE


@app.command
def init(
    file: Annotated[Path, Parameter(help="Where to write it.")] = _DEFAULT_FILE,
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


def _load(path: Path) -> Settings:
    from understudy.config import load  # noqa: PLC0415

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path} is not there; `understudy init {path}` writes one") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(_explain(error)) from None
    return load(text, os.environ, source=str(path))


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


def _duration(option: str, text: str) -> float:
    from understudy.core.units import parse_duration  # noqa: PLC0415

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option} is {error}; write 500ms, 10s, 5m or 2h") from None


def _address(option: str, text: str) -> Listen:
    from understudy.config.document import Scalar  # noqa: PLC0415
    from understudy.config.places import Address  # noqa: PLC0415
    from understudy.config.shapes import Wrong  # noqa: PLC0415

    shape = Address()
    try:
        return shape.parse(Scalar(text))
    except Wrong as wrong:
        raise UsageError(f"{option} {wrong}; {shape.remedy}") from None


def _explain(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def _complain(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)
