"""Records what the SQLite library in this process writes to its files, and when it syncs them.

The library that Python's `sqlite3` is linked with is told to use another VFS by default
(https://www.sqlite.org/c3ref/vfs.html). It is the default one with three things in the way: files
are opened by it and then have their `xWrite`, `xTruncate` and `xSync` replaced by ones that take
down what they are asked and pass it on; deletions are taken down; and so is what it opens a folder
for, which it does to sync it (`openDirectory` among the system calls of SQLite's os_unix.c). So
what runs is SQLite's own code on a real file system, and nothing is guessed about what it flushes
when.
"""

import contextlib
import ctypes
import os
import stat
from collections.abc import Iterator
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int64, c_void_p, cast
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Delete",
    "Log",
    "NoLibraryError",
    "Note",
    "Open",
    "Step",
    "Sync",
    "SyncFolder",
    "Truncate",
    "Write",
    "recorded",
]

#: https://www.sqlite.org/c3ref/c_open_autoproxy.html
OPEN_CREATE = 0x00000004
OK = 0


class NoLibraryError(Exception):
    """Python's `sqlite3` is not linked with a library that can be reached."""


@dataclass(frozen=True)
class Open:
    """A file is opened, and made if it is not there."""

    name: str


@dataclass(frozen=True)
class Write:
    """Bytes of a file."""

    name: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    """A file has this size from now on."""

    name: str
    size: int


@dataclass(frozen=True)
class Sync:
    """All that was written to the file is on the disk when this returns."""

    name: str


@dataclass(frozen=True)
class Delete:
    """The name is gone."""

    name: str


@dataclass(frozen=True)
class SyncFolder:
    """All names are on the disk as they are."""


@dataclass(frozen=True)
class Note:
    """Something that whoever records has said in between."""

    text: str
    value: object


Step = Open | Write | Truncate | Sync | Delete | SyncFolder | Note
Log = list[Step]


class _File(Structure):
    """`sqlite3_file`."""


class _Methods(Structure):
    """`sqlite3_io_methods`."""


_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
_CLOSE = CFUNCTYPE(c_int, c_void_p)

_Methods._fields_ = [
    ("version", c_int),
    ("close", _CLOSE),
    ("read", c_void_p),
    ("write", _WRITE),
    ("truncate", _TRUNCATE),
    ("sync", _SYNC),
    # File size, locks, control, sectors; since version 2 shared memory, since 3 mapped pages.
    *((f"rest_{number}", c_void_p) for number in range(13)),
]
_File._fields_ = [("methods", POINTER(_Methods))]


class _Vfs(Structure):
    """`sqlite3_vfs`."""


# Names by address: the library keeps the pointer, and what stands behind the name.
_OPEN = CFUNCTYPE(c_int, POINTER(_Vfs), c_void_p, POINTER(_File), c_int, POINTER(c_int))
_DELETE = CFUNCTYPE(c_int, POINTER(_Vfs), c_char_p, c_int)
_SET_CALL = CFUNCTYPE(c_int, POINTER(_Vfs), c_char_p, c_void_p)
_GET_CALL = CFUNCTYPE(c_void_p, POINTER(_Vfs), c_char_p)
_OPEN_FOLDER = CFUNCTYPE(c_int, c_char_p, POINTER(c_int))

_Vfs._fields_ = [
    ("version", c_int),
    ("file_size", c_int),
    ("max_path", c_int),
    ("next", c_void_p),
    ("name", c_char_p),
    ("data", c_void_p),
    ("open", _OPEN),
    ("delete", _DELETE),
    # Access, full path, four of libraries, randomness, sleep, time, the last error, time again.
    *((f"rest_{number}", c_void_p) for number in range(11)),
    ("set_call", _SET_CALL),
    ("get_call", _GET_CALL),
    ("next_call", c_void_p),
]


def _library() -> ctypes.CDLL:
    """The library that `sqlite3` is linked with.

    Raises:
        NoLibraryError: this Python has it built in, with nothing of it to be called from outside.
    """
    import _sqlite3  # noqa: PLC0415 - it is what loads the library

    mapped = Path("/proc/self/maps").read_text(encoding="utf-8")
    paths = {line.split(maxsplit=5)[-1] for line in mapped.splitlines() if "libsqlite3" in line}
    for path in (*paths, _sqlite3.__file__):
        library = ctypes.CDLL(path)
        if hasattr(library, "sqlite3_vfs_find"):
            library.sqlite3_vfs_find.restype = POINTER(_Vfs)
            library.sqlite3_vfs_find.argtypes = [c_char_p]
            library.sqlite3_vfs_register.argtypes = [POINTER(_Vfs), c_int]
            library.sqlite3_vfs_unregister.argtypes = [POINTER(_Vfs)]
            return library
    raise NoLibraryError("Python's sqlite3 has SQLite built in; use one that is linked with it")


class _Recorder:
    """The VFS in the way. Every callback of it is kept alive here."""

    def __init__(self, library: ctypes.CDLL, folder: Path, log: Log) -> None:
        self._folder = str(folder)
        self._log = log
        self._below = library.sqlite3_vfs_find(None)
        self.vfs = _Vfs.from_buffer_copy(self._below.contents)
        self.vfs.name = b"recorder"
        self._open, self._delete = _OPEN(self._opened), _DELETE(self._deleted)
        self.vfs.open, self.vfs.delete = self._open, self._delete
        #: By the address of the file: its name, and what it had for methods.
        self._files: dict[int, tuple[str, _Methods]] = {}
        self._methods: dict[int, _Methods] = {}
        self._callbacks = (
            _WRITE(self._written),
            _TRUNCATE(self._truncated),
            _SYNC(self._synced),
            _CLOSE(self._closed),
        )
        found = self._below.contents.get_call(self._below, b"openDirectory")
        self._real_folder = cast(found, _OPEN_FOLDER)
        self._open_folder = _OPEN_FOLDER(self._folder_opened)

    def folder_call(self, *, ours: bool) -> None:
        """Look at what folders are opened, or let that be."""
        call = cast(self._open_folder, c_void_p) if ours else None
        self._below.contents.set_call(self._below, b"openDirectory", call)

    def _opened(self, _vfs, name, file, flags, out):
        code = self._below.contents.open(self._below, name, file, flags, out)
        path = os.fsdecode(ctypes.string_at(name)) if name else ""
        if code == OK and path.startswith(self._folder):
            told = os.path.relpath(path, self._folder)
            self._log.append(Open(told))
            self._replace(file, told)
        return code

    def _replace(self, file, name: str) -> None:
        address = ctypes.addressof(file.contents)
        before = file.contents.methods
        kept = ctypes.addressof(before.contents)
        if kept not in self._methods:
            ours = _Methods.from_buffer_copy(before.contents)
            ours.write, ours.truncate, ours.sync, ours.close = self._callbacks
            self._methods[kept] = ours
        self._files[address] = name, before.contents
        file.contents.methods = ctypes.pointer(self._methods[kept])

    def _written(self, file: int, data: int, count: int, offset: int) -> int:
        name, below = self._files[file]
        self._log.append(Write(name, offset, ctypes.string_at(data, count)))
        return below.write(file, data, count, offset)

    def _truncated(self, file: int, size: int) -> int:
        name, below = self._files[file]
        self._log.append(Truncate(name, size))
        return below.truncate(file, size)

    def _synced(self, file: int, flags: int) -> int:
        name, below = self._files[file]
        code = below.sync(file, flags)
        self._log.append(Sync(name))
        return code

    def _closed(self, file: int) -> int:
        _, below = self._files.pop(file)
        # The library looks at the file's methods no more.
        return below.close(file)

    def _deleted(self, _vfs, name: bytes, sync: int) -> int:
        # Before the folder is synced, which is a part of it.
        path = os.fsdecode(name)
        if path.startswith(self._folder) and Path(path).exists():
            self._log.append(Delete(os.path.relpath(path, self._folder)))
        return self._below.contents.delete(self._below, name, sync)

    def _folder_opened(self, name: bytes, out) -> int:
        if os.path.dirname(os.fsdecode(name)) == self._folder:  # noqa: PTH120 - as it is told
            self._log.append(SyncFolder())
        return self._real_folder(name, out)


@contextlib.contextmanager
def recorded(folder: Path) -> Iterator[Log]:
    """What SQLite does to files in that folder (which is given as it is resolved) goes to the log,
    and so does an `os.fsync` of the folder.

    Raises:
        NoLibraryError: SQLite can't be reached.
    """
    library = _library()
    log: Log = []
    recorder = _Recorder(library, folder, log)
    sync = os.fsync

    def synced(handle: int) -> None:
        sync(handle)
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            log.append(SyncFolder())

    if library.sqlite3_vfs_register(byref(recorder.vfs), 1) != OK:
        raise NoLibraryError("SQLite takes no VFS")
    recorder.folder_call(ours=True)
    os.fsync = synced
    try:
        yield log
    finally:
        os.fsync = sync
        recorder.folder_call(ours=False)
        library.sqlite3_vfs_unregister(byref(recorder.vfs))
