"""What a power loss can leave of files, given what was written to them and what was synced.

What the model takes a disk and its file system to promise, and nothing beyond:

- What was written before an `fsync` of the file that has returned is there. So are the folder's
  names as they were before an `fsync` of the folder that has returned.
- Of anything later each write may be there or not, in any order, each sector of it by itself; a
  sector holds what was written or what stood there before, and bytes beside a write do not change
  (SQLite's "powersafe overwrite", https://www.sqlite.org/psow.html). A file may have grown by a
  write whose bytes are not there: it then ends in zeros or in garbage. Names may be there or gone,
  each by itself.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import compress, product

from durability.vfs import Delete, Open, Step, Sync, SyncFolder, Truncate, Write

__all__ = ["Disk", "Files"]

Files = dict[str, bytes]

#: So few changes that every subset of them is looked at.
EXHAUSTIVE = 5
SECTORS = (512, 4096)


@dataclass
class _File:
    """One file: what is on the disk for sure, and what was done to it since."""

    sure: bytearray = field(default_factory=bytearray)
    since: list[Write | Truncate] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.since:
            _apply(self.sure, change)
        self.since.clear()


_Change = Write | Truncate
#: A file's name, and the number of a change since it was synced.
_Place = tuple[str, int]
#: Does to a file's bytes what of one of its changes is there: all of it, some, or nothing.
_Pick = Callable[[bytearray, _Place, _Change], None]
_Names = Mapping[str, _File | None]


class Disk:
    """A folder's files, as one step after another is done to them.

    Args:
        files: what is on it, all of it for sure.
        lies: it says that it has synced, and has not.
    """

    def __init__(self, files: Files | None = None, *, lies: bool = False) -> None:
        self._lies = lies
        self._names: dict[str, _File] = {
            name: _File(bytearray(data)) for name, data in (files or {}).items()
        }
        #: What a name may stand for after a power loss, the last of them first.
        self._maybe: dict[str, list[_File | None]] = {
            name: [file] for name, file in self._names.items()
        }
        #: The file that was changed last.
        self._last = ""

    def do(self, step: Step) -> None:
        """The next step."""
        match step:
            case Open(name):
                if name not in self._names:
                    self._name(name, _File())
            case Delete(name):
                self._name(name, None)
            case Write(name) | Truncate(name):
                self._names[name].since.append(step)
                self._last = name
            case Sync(name) if not self._lies:
                self._names[name].sync()
            case SyncFolder() if not self._lies:
                self._maybe = {name: [file] for name, file in self._names.items()}

    def _name(self, name: str, file: _File | None) -> None:
        if file is None:
            self._names.pop(name, None)
        else:
            self._names[name] = file
        self._maybe[name] = [file, *self._maybe.get(name, [None])]

    def states(self, chance: random.Random, samples: int) -> Iterator[Files]:
        """Files that a power loss here can leave: everything done, nothing that was not synced, the
        last change alone, and torn; every subset where changes are few, else so many drawn ones.
        """
        yield self._files({name: maybe[0] for name, maybe in self._maybe.items()}, _everything)
        yield self._files({name: maybe[-1] for name, maybe in self._maybe.items()}, _nothing)
        files = {name: file for name, file in self._names.items() if file.since}
        changes = [(name, n) for name, file in files.items() for n in range(len(file.since))]
        if self._last in files:
            last = self._last, len(files[self._last].since) - 1
            yield self._files(dict(self._names), _only({last}))
            yield self._files(dict(self._names), _torn(chance, last))
        for names in self._namings(chance):
            if changes and len(changes) <= EXHAUSTIVE:
                for picks in product((False, True), repeat=len(changes)):
                    yield self._files(names, _only(set(compress(changes, picks))))
            for _ in range(samples):
                yield self._files(names, _drawn(chance))

    def _namings(self, chance: random.Random) -> Iterator[_Names]:
        """Ways in which names may stand; some of them."""
        yield dict(self._names)
        unsure = {name: maybe for name, maybe in self._maybe.items() if len(maybe) > 1}
        if unsure:
            yield dict(self._names) | {name: chance.choice(maybe) for name, maybe in unsure.items()}

    def _files(self, names: _Names, pick: _Pick) -> Files:
        return {
            name: bytes(_content(name, file, pick))
            for name, file in names.items()
            if file is not None
        }


def _content(name: str, file: _File, pick: _Pick) -> bytearray:
    data = bytearray(file.sure)
    for number, change in enumerate(file.since):
        pick(data, (name, number), change)
    return data


def _everything(data: bytearray, place: _Place, change: _Change) -> None:
    _apply(data, change)


def _nothing(data: bytearray, place: _Place, change: _Change) -> None:
    """Only what was synced."""


def _only(picked: set[_Place]) -> _Pick:
    def pick(data: bytearray, place: _Place, change: _Change) -> None:
        if place in picked:
            _apply(data, change)

    return pick


def _torn(chance: random.Random, last: _Place) -> _Pick:
    """All of it, but of the last change only some sectors."""
    sector, garbage = chance.choice(SECTORS), chance.random() < 0.5

    def pick(data: bytearray, place: _Place, change: _Change) -> None:
        if place == last and isinstance(change, Write):
            _tear(data, change, chance, sector, garbage=garbage)
        else:
            _apply(data, change)

    return pick


def _drawn(chance: random.Random) -> _Pick:
    """Each change with a chance that holds for the state, some of them torn."""
    share = chance.choice((0.1, 0.5, 0.9, 0.97))
    tears = chance.choice((0.0, 0.2, 1.0))
    sector, garbage = chance.choice(SECTORS), chance.random() < 0.5

    def pick(data: bytearray, place: _Place, change: _Change) -> None:
        if chance.random() < share:
            if isinstance(change, Write) and chance.random() < tears:
                _tear(data, change, chance, sector, garbage=garbage)
            else:
                _apply(data, change)
        elif isinstance(change, Write) and chance.random() < 0.3:
            # Its room was made, its bytes are not there.
            _grow(data, change.offset + len(change.data), chance, garbage=garbage)

    return pick


def _apply(data: bytearray, change: _Change) -> None:
    if isinstance(change, Truncate):
        del data[change.size :]
        _grow(data, change.size)
    else:
        _grow(data, change.offset)
        data[change.offset : change.offset + len(change.data)] = change.data


def _tear(
    data: bytearray, write: Write, chance: random.Random, sector: int, *, garbage: bool
) -> None:
    at, end = write.offset, write.offset + len(write.data)
    if chance.random() < 0.5:
        _grow(data, end, chance, garbage=garbage)
    while at < end:
        until = min((at // sector + 1) * sector, end)
        if chance.random() < 0.5:
            _grow(data, at, chance, garbage=garbage)
            data[at:until] = write.data[at - write.offset : until - write.offset]
        at = until


def _grow(
    data: bytearray, size: int, chance: random.Random | None = None, *, garbage: bool = False
) -> None:
    missing = size - len(data)
    if missing > 0:
        data += chance.randbytes(missing) if chance is not None and garbage else bytes(missing)
