"""Counts what of an answer has been produced, for the log and the limits."""

from __future__ import annotations

from collections.abc import Callable

from understudy.mock.ask import Ask, Composition
from understudy.mock.board import Attempt
from understudy.mock.reply import Frame, Stage

__all__ = ["Meter"]

_OVER = frozenset({Stage.CLOSING, Stage.TERMINAL})


class Meter:
    """Writes into an attempt what the frames of its answer have cost, as they are produced, and
    tells `produced` of their tokens.

    Tokens that no frame shows (reasoning that stays hidden) are counted before the first that one
    does, and the prompt's with the first frame of all.
    """

    __slots__ = ("_attempt", "_hidden", "_input", "_produced")

    def __init__(
        self,
        attempt: Attempt,
        ask: Ask,
        made: tuple[Composition, ...],
        frames: tuple[Frame, ...],
        produced: Callable[[int], None] | None = None,
    ) -> None:
        self._attempt = attempt
        self._produced = produced
        self._input = ask.input_tokens
        shown = sum(frame.tokens for frame in frames)
        self._hidden = max(sum(answer.output_tokens for answer in made) - shown, 0)

    def __call__(self, frame: Frame) -> None:
        """A frame is about to be written."""
        attempt = self._attempt
        attempt.input_tokens = self._input
        tokens = frame.tokens
        if self._hidden and (tokens or frame.stage in _OVER):
            tokens += self._hidden
            self._hidden = 0
        attempt.output_tokens += tokens
        if tokens and self._produced is not None:
            self._produced(tokens)
