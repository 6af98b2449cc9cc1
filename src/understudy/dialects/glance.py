"""The part of a `StreamGlance` that all dialects share: cutting, holding back, ending.

A dialect adds what its events mean (`_is_dull`, `_look`, `_is_whole`, `_closing`, `_cut`). This is
the hottest code of the product: a read that is one dull event costs one look, and nothing is cut,
copied or built.

What is held back
-----------------
With `HOLD_TOOLS` everything from the first event of a tool call on waits, with `HOLD_TEXT`
everything from the first event of content on; with either, the event that says why the answer
ended waits too. All of it is returned, in order, when the terminal signal has come: a stream that
breaks before that has told its caller nothing that must be taken back. Pings and comments do not
wait. After a fault nothing that was held is ever returned.
"""

from __future__ import annotations

from typing import Final

from understudy.core.faults import Fault, Kind, Scope
from understudy.dialects.base import ReadError
from understudy.dialects.sse import EventTooLargeError, SseSplitter
from understudy.dialects.stream_glance import StreamGlance

__all__ = ["MAX_HELD_BYTES", "PassingGlance"]

#: What one stream may hold back: several times the largest answer that any model gives.
MAX_HELD_BYTES: Final = 16 * 1024 * 1024


class PassingGlance(StreamGlance):
    """Implements `understudy.dialects.stream_glance.StreamGlance`, for a dialect to complete."""

    __slots__ = (
        "_hold",
        "_holding",
        "_kept",
        "_read_error",
        "_splitter",
        "_steady",
    )

    def __init__(self, read_error: ReadError, hold: int = 0) -> None:
        super().__init__()
        self._read_error = read_error
        self._splitter = SseSplitter()
        #: Content has been seen, nothing is held or pending, and neither fault nor end has come.
        self._steady = False
        self._hold = hold
        #: From here on events are kept.
        self._holding = False
        self._kept: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        """See `StreamGlance.feed`. What follows a fault or the end is not returned."""
        if self._steady and self._is_dull(data):
            return data  # One read, one event: nothing to cut, nothing to note.
        if self._is_over():
            return b""
        try:
            passed = self._read(self._splitter.feed(data))
        except EventTooLargeError as error:
            passed = self._read(error.events)
            if not self._is_over():
                self._fail(_malformed("an event in the stream is too large"))
        self._steady = (
            self.has_content
            and not self._holding
            and not self._is_over()
            and self._splitter.at_boundary
        )
        return data if passed == data else passed

    def finish(self) -> Fault | None:
        """See `StreamGlance.finish`."""
        if not self._is_over():
            if self._is_whole():
                self.ended = True
                self.tail = self._release() + self._closing()
            else:
                self._fail(self._cut(self._splitter.pending))
        return self.fault

    # -- what a dialect adds

    def _is_dull(self, raw: bytes) -> bool:
        """Whether this is one whole event that only adds content to what has begun; `progress`
        then has it. Asked once content has been seen. Where not, `_look` decides.
        """
        raise NotImplementedError

    def _look(self, raw: bytes) -> bool:
        """Note what one event says, in the attributes and by `_fail`.

        Returns:
            Whether it is no part of the answer and need not wait for what is held back.
        """
        raise NotImplementedError

    def _is_whole(self) -> bool:
        """Whether a stream that closes now, without its terminal signal, is whole all the same."""
        raise NotImplementedError

    def _closing(self) -> bytes:
        """What the caller of such a stream still waits for."""
        raise NotImplementedError

    def _cut(self, pending: bytes) -> Fault:
        """The fault of a stream that closed too early, with these bytes of an event."""
        raise NotImplementedError

    # -- what it uses

    def _content(self, raw: bytes) -> None:
        """This event carries content."""
        self.has_content = True
        self.progress += len(raw)

    def _wait(self, hold: int) -> None:
        """Hold back from this event on, if any of these (`HOLD_TOOLS` …) is to be held."""
        if self._hold & hold:
            self._holding = True

    def _fail(self, fault: Fault) -> None:
        """This event, and what is held back, must not be forwarded."""
        self.fault = fault
        self._kept.clear()
        self.held = 0

    def _is_over(self) -> bool:
        """A fault or the end has come.

        A method, because both change inside other calls: a type checker that has seen one of them
        unset believes it to be so until the function ends, and so does code compiled by mypyc.
        """
        return self.ended or self.fault is not None

    def _read(self, events: list[bytes]) -> bytes:
        passed: list[bytes] = []
        for raw in events:
            aside = not (self.has_content and self._is_dull(raw)) and self._look(raw)
            if self.ended:
                passed += (self._release(), raw)
                break
            if self._is_over():
                break
            if not self._holding or aside:
                passed.append(raw)
                continue
            self._keep(raw)
            if self._is_over():
                break
        return passed[0] if len(passed) == 1 else b"".join(passed)

    def _keep(self, raw: bytes) -> None:
        """Hold an event back."""
        self._kept.append(raw)
        self.held += len(raw)
        if self.held > MAX_HELD_BYTES:
            self._fail(_malformed("a part of the stream that must be whole is too large"))

    def _release(self) -> bytes:
        held = b"".join(self._kept)
        self._kept.clear()
        self.held = 0
        return held


def _malformed(message: str) -> Fault:
    return Fault(kind=Kind.MALFORMED, scope=Scope.PROVIDER, status=200, message=message)
