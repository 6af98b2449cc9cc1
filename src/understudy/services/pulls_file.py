"""Where pulls survive a restart: a small JSON file beside the configuration.

It is written whole, beside itself, and put in its own place by a rename, each step on the disk
before the next: whatever moment the power fails in, the old pulls stand there or the new ones
(https://man7.org/linux/man-pages/man2/fsync.2.html: a rename is safe once its directory is synced).
A file that can't be read stops the process from starting: a model that someone pulled for a reason
must not come back because a disk was full.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from understudy.policy.pulls import Node, Pull, Restored, Word

__all__ = ["DamagedStateError", "can_write", "read_pulls", "state_path", "write_pulls"]


class DamagedStateError(Exception):
    """The file is there and holds no pulls that can be read: its text names it and the way out."""


class _State(msgspec.Struct, kw_only=True):
    """What the file holds."""

    version: Literal[1]
    pulls: list[Pull]
    #: Where processes share what is pulled: a pull of which this one hears later may be over.
    restored: list[Restored] = []


_DECODER = msgspec.json.Decoder(_State)
_ENCODER = msgspec.json.Encoder()


def state_path(config: Path) -> Path:
    """The file that belongs to a configuration: `understudy.state.json` to `understudy.yaml`."""
    return config.with_name(f"{config.stem}.state.json")


def read_pulls(path: Path) -> list[Word]:
    """What was pulled, and what restored, when the file was written last; nothing if there is none.

    Raises:
        DamagedStateError: the file is there and can't be read.
    """
    try:
        state = _DECODER.decode(path.read_bytes())
        words: list[Word] = [*state.pulls, *state.restored]
        return [msgspec.structs.replace(word, node=Node.parse(word.node).key) for word in words]
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except (msgspec.DecodeError, ValueError) as error:
        reason = str(error)
    raise DamagedStateError(
        f"{path} keeps what operators have pulled and can't be read ({reason}); put it right, or "
        "delete it to start with nothing pulled"
    )


def can_write(path: Path) -> bool:
    """Whether pulls could be kept there, as far as the folder's permissions say."""
    return os.access(path.resolve().parent, os.W_OK | os.X_OK)


def write_pulls(path: Path, words: Iterable[Word]) -> None:
    """Replace what the file holds; when this returns, it is on the disk.

    Raises:
        OSError: it could not be; a restart may find what stood there before.
    """
    place = path.resolve()
    pulls: list[Pull] = []
    restored: list[Restored] = []
    for word in words:
        if isinstance(word, Pull):
            pulls.append(word)
        else:
            restored.append(word)
    state = _State(version=1, pulls=pulls, restored=restored)
    body = msgspec.json.format(_ENCODER.encode(state), indent=1)
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - of a descriptor, not a path
            file.write(body + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, place)  # noqa: PTH105 - beside os.fsync, in the same words
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - as above
        raise
    folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
