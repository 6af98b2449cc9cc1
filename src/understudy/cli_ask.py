"""Asking a running product, and what all commands share: exit codes, what went wrong in a line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from cyclopts import Parameter

if TYPE_CHECKING:
    from understudy.config.shapes import ScalarShape
    from understudy.core.settings import Secret, Settings
    from understudy.web.client import AdminClient

__all__ = [
    "DEFAULT_FILE",
    "DONE",
    "FAILED",
    "KEY_VARIABLE",
    "WRONG",
    "ConfigPath",
    "FailedError",
    "Flag",
    "UsageError",
    "WebUrl",
    "ask",
    "client_for",
    "complain",
    "duration",
    "explain",
    "load_settings",
    "print_json",
    "shaped",
]

#: Exit codes: done; it could not run; the command or the configuration is wrong.
DONE, FAILED, WRONG = 0, 1, 2

DEFAULT_FILE = Path("understudy.yaml")
#: Holds the console key where the configuration does not.
KEY_VARIABLE = "UNDERSTUDY_CONSOLE_KEY"

T = TypeVar("T")

ConfigPath = Annotated[Path, Parameter(name=["--config", "-c"], help="The configuration.")]
Flag = Annotated[bool, Parameter(negative=())]
WebUrl = Annotated[str | None, Parameter(help="Of the web listener, if not as the configuration.")]


class UsageError(Exception):
    """A user's mistake, in one line."""


class FailedError(Exception):
    """It could not be done, in one line."""


def ask(call: Callable[[], T], node: str = "") -> T:
    """What a running product answers. `node`: the name that may have been misspelled.

    Raises:
        UsageError: it refuses.
        FailedError: it does not answer, or can't do it now.
    """
    from understudy.config.faults import nearest  # noqa: PLC0415
    from understudy.web.client import AdminError, RefusedError  # noqa: PLC0415

    try:
        return call()
    except RefusedError as refused:
        meant = nearest(node, refused.error.known)
        if refused.error.code == "unknown_node" and meant is not None:
            raise UsageError(f"there is no `{node}`; did you mean `{meant}`?") from None
        if refused.status >= 500:
            raise FailedError(str(refused)) from None
        raise UsageError(str(refused)) from None
    except AdminError as error:
        raise FailedError(str(error)) from None


def client_for(config: Path, url: str | None) -> AdminClient:
    """Who to ask, with which key: as told, or else as the configuration says.

    Raises:
        UsageError: neither says it.
        ConfigError: the file is wrong.
    """
    from understudy.config.places import BaseUrl  # noqa: PLC0415
    from understudy.config.shapes import SecretText  # noqa: PLC0415
    from understudy.web.client import AdminClient  # noqa: PLC0415

    key = None
    if os.environ.get(KEY_VARIABLE):
        key = shaped(KEY_VARIABLE, SecretText(), os.environ[KEY_VARIABLE])
    if url is not None:
        url = shaped("--url", BaseUrl(), url)
        if key is None and not config.exists():
            raise UsageError(f"there is no key: set {KEY_VARIABLE}, or name the file with -c")
    if url is None or key is None:
        settings = load_settings(config)
        url = url or _web_url(settings, config)
        key = key or _console_key(settings, config)
    return AdminClient(url, key)


def _console_key(settings: Settings, config: Path) -> Secret:
    if settings.console is None:
        raise UsageError(f"{config} has no `web.console_key`, which opens the operator's API")
    if settings.console.key is None:
        raise UsageError(f"{config} has only the digest of the key: set {KEY_VARIABLE} to the key")
    return settings.console.key


def _web_url(settings: Settings, config: Path) -> str:
    listen = settings.web
    if not listen.port:
        raise UsageError(f"{config} lets `web.listen` take any free port: say which with --url")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104
    return f"http://[{host}]:{listen.port}" if ":" in host else f"http://{host}:{listen.port}"


def shaped(what: str, shape: ScalarShape[T], text: str) -> T:
    """A text as the configuration would read it. `what`: where it came from.

    Raises:
        UsageError: it is not of the shape.
    """
    from understudy.config.document import Scalar  # noqa: PLC0415
    from understudy.config.shapes import Wrong  # noqa: PLC0415

    try:
        return shape.parse(Scalar(text))
    except Wrong as wrong:
        raise UsageError(f"{what} {wrong}; {shape.remedy}") from None


def load_settings(path: Path) -> Settings:
    """What a configuration says.

    Raises:
        UsageError: it can't be read.
        ConfigError: it is wrong.
    """
    from understudy.config import load  # noqa: PLC0415

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path} is not there; `understudy init {path}` writes one") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(explain(error)) from None
    return load(text, os.environ, source=str(path))


def duration(option: str, text: str) -> float:
    """Seconds, as an option says them.

    Raises:
        UsageError: it is no duration.
    """
    from understudy.core.units import parse_duration  # noqa: PLC0415

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option} is {error}; write 500ms, 10s, 5m or 2h") from None


def explain(error: OSError) -> str:
    """What the system would not do, in a few words."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def complain(*lines: str) -> None:
    """Say what is wrong, on standard error."""
    for line in lines:
        print(line, file=sys.stderr)


def print_json(value: object) -> None:
    """An answer for programs, indented for people."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
