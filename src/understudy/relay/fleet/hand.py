"""The operators' hand: what one of them does in one process holds in all.

A pull or a restore holds at once where it is made. It is told to the other processes, written to
the store that they share, and to a file beside the configuration, so that a process that begins
while neither of both is there keeps what was pulled. The store is read when others are found again,
when somebody has come, and every few seconds: the latest word on a node holds everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from understudy.policy.pulls import By, Node, Pull, Reason, Restored, Word
from understudy.ports import Mark, PullStore, StoreError
from understudy.relay.fleet.words import pack, unpack
from understudy.services.pulls_file import write_pulls

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["Hand"]

TOPIC: Final = "pulls"
ACCEPTED_TOPIC: Final = "quality"
#: Seconds between two looks into the store, and until one that failed is tried again.
LOOK_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 1.0
#: Seconds that whoever pulls or starts waits for the store.
PATIENCE_SECONDS: Final = 1.0

_ENCODER: Final = msgspec.json.Encoder()
_MARK: Final = msgspec.json.Decoder(Mark)


class Hand:
    """What operators do, in one relay and in those that it shares with.

    Args:
        relay: whose targets they are about.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._file: Path | None = None
        self._store: PullStore | None = None
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        #: What the file holds is not what is pulled; and the log says so.
        self._is_unwritten = self._has_complained = False
        self._keeping: asyncio.Task[None] | None = None
        relay.fleet.on(TOPIC, self._hear)
        relay.fleet.on(ACCEPTED_TOPIC, self._hear_accepted)
        relay.fleet.watch(self._tell_all)

    # -- where it is kept ---------------------------------------------------------------------

    def keep_in(self, file: Path | None) -> None:
        """Keep what is pulled in this file from now on (`pulls_file`); None: in memory alone."""
        self._file = file

    async def share(self, store: PullStore) -> None:
        """Hold to what the store says, and keep it there from now on; should it be away, as soon as
        it is back.
        """
        self._store = store
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._agree()
        except (StoreError, TimeoutError):
            self._wake.set()
        self._keeping = asyncio.create_task(self._keep_agreeing(), name="sharing pulls")

    async def close(self) -> None:
        """Write what is not yet written, and stop."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    # -- what operators do --------------------------------------------------------------------

    def pull(self, node: Node, reason: Reason, by: By) -> Pull:
        """Take a node out of use."""
        relay = self._relay
        pull = Pull(node=node.key, reason=reason, by=by, at=self._moment(node))
        self._do(pull)
        relay.log.note("pulled", node=pull.node, reason=pull.reason, by=pull.by)
        return pull

    def restore(self, node: Node, *, slowly: bool) -> Pull | None:
        """Bring a node back, at once or step by step. The pull that is over; None: there is none of
        this very node.
        """
        relay = self._relay
        pull = relay.pulls.at(node.key)
        if pull is None:
            return None
        self._do(Restored(node=node.key, by=relay.fleet.name or "operator", at=self._moment(node)))
        if slowly:
            for target in relay.targets():
                if node.holds(target):
                    # Pulled since the start, it may be new to health, which ramps what it knows.
                    relay.board.of_target(target)
            relay.board.ramp(node.key, relay.now())
        relay.log.note("restored", node=pull.node, slowly=slowly)
        return pull

    def accept(self, model: str) -> str | None:
        """The answers of a model are as they should be. What was doubted; None: nothing was."""
        reason = self._accept(model)
        if reason is not None:
            self._relay.fleet.tell(ACCEPTED_TOPIC, model.encode())
        return reason

    async def kept(self) -> tuple[bool, str | None]:
        """Write down what was done: whether a restart will remember it, and what an operator has to
        know about that.
        """
        self._has_complained = False
        warning = await self._write()
        is_kept = self._file is not None and warning is None
        if self._file is None:
            warning = "nothing is kept here beyond a restart"
        if self._store is None:
            return is_kept, warning
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._agree()
        except (StoreError, TimeoutError):
            self._wake.set()
            away = "the store can't be reached: other processes will follow when it is back"
            return is_kept, away if warning is None else f"{warning}; {away}"
        return True, None

    def _do(self, word: Word) -> None:
        self._relay.pulls.take(word)
        self._is_unwritten = True
        self._tell([word])
        self._wake.set()

    def _moment(self, node: Node) -> float:
        relay = self._relay
        return relay.pulls.later(node.key, relay.now() + relay.wall)

    def _accept(self, model: str) -> str | None:
        relay = self._relay
        reason = relay.quality.doubted.get(model)
        if reason is None or not relay.quality.accept(model, relay.now()):
            return None
        relay.log.note("answers accepted", model=model, reason=reason)
        return reason

    # -- the others ---------------------------------------------------------------------------

    def _tell_all(self) -> None:
        """Somebody is there who may know nothing of it, though the store may not be."""
        self._tell(self._relay.pulls.words())
        self._wake.set()

    def _tell(self, words: list[Word]) -> None:
        for body in pack(_ENCODER.encode(_mark(word)) for word in words):
            self._relay.fleet.tell(TOPIC, body)

    def _hear(self, sender: str, body: bytes) -> None:
        marks = []
        for piece in unpack(body):
            try:
                marks.append(_MARK.decode(piece))
            except (msgspec.DecodeError, UnicodeDecodeError):
                # A newer program's, perhaps.
                continue
        if self._follow(marks, settled=False):
            self._wake.set()

    def _hear_accepted(self, sender: str, body: bytes) -> None:
        self._accept(body.decode("utf-8", "replace"))

    def _follow(self, marks: list[Mark], *, settled: bool) -> bool:
        """Hold to what others say, or the store (`settled`); whether any of it was news."""
        pulls, log, is_new = self._relay.pulls, self._relay.log, False
        for mark in marks:
            word = _word(mark)
            if word is None or not pulls.take(word, settled=settled):
                continue
            is_new = self._is_unwritten = True
            if isinstance(word, Pull):
                log.note("pulled", node=word.node, reason=word.reason, by=word.by, told=True)
            else:
                log.note("restored", node=word.node, by=word.by, told=True)
        return is_new

    async def _keep_agreeing(self) -> None:
        """Again and again, until it is cancelled."""
        while True:
            seconds = LOOK_SECONDS
            try:
                await self._agree()
            except StoreError:
                # Said by those who look after jobs.
                seconds = AGAIN_SECONDS
            except Exception as error:  # noqa: BLE001 - a task's edge
                self._relay.log.own_fault("", "sharing pulls", error)
            await self._write()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            self._wake.clear()

    async def _agree(self) -> None:
        """Bring what is known here and in the store together."""
        store = self._store
        if store is None:
            return
        kept = await store.marks()
        self._follow(kept, settled=True)
        moments = {mark.node: mark.at for mark in kept}
        later = [
            word
            for word in self._relay.pulls.words()
            if word.node not in moments or word.at > moments[word.node]
        ]
        if later:
            await store.mark([_mark(word) for word in later])
            # Those who did not hear it when it was said.
            self._tell(later)

    async def _write(self) -> str | None:
        """Bring the file up to date; why it could not be."""
        async with self._turn:
            if self._file is None or not self._is_unwritten:
                return None
            pulls = self._relay.pulls
            # Alone, what is over is over.
            words = pulls.words() if self._store is not None else list(pulls)
            self._is_unwritten = False
            try:
                # Beside the loop: the disk may be slow.
                await asyncio.to_thread(write_pulls, self._file, words)
            except OSError as error:
                self._is_unwritten = True
                reason = error.strerror or type(error).__name__
                warning = f"done, but a restart will forget it: {self._file}: {reason}"
                if not self._has_complained:
                    self._has_complained = True
                    self._relay.log.note("state not written", text=warning)
                return warning
        return None


def _mark(word: Word) -> Mark:
    reason = word.reason if isinstance(word, Pull) else None
    return Mark(node=word.node, at=word.at, by=word.by, reason=reason)


def _word(mark: Mark) -> Word | None:
    """None: it is no word of ours."""
    try:
        node = Node.parse(mark.node).key
    except ValueError:
        return None
    if mark.reason is None:
        return Restored(node=node, by=mark.by, at=mark.at)
    return Pull(node=node, reason=mark.reason, by=mark.by, at=mark.at)
