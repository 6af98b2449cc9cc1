"""What the stand-in tells of rate limits: a window of a minute for each key. It enforces none."""

from __future__ import annotations

import msgspec

__all__ = ["Allowance", "Limits"]

_WINDOW = 60.0


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """A key's limits a minute and what is left of them until `reset_at` (Unix seconds)."""

    requests: int
    requests_left: int
    tokens: int
    tokens_left: int
    reset_at: float
    now: float


class Limits:
    """Counts requests and tokens for each key in the current minute."""

    def __init__(self, *, requests: int = 4_000, tokens: int = 2_400_000) -> None:
        self._requests = requests
        self._tokens = tokens
        self._window = 0
        self._spent: dict[str, tuple[int, int]] = {}

    def spend(self, key: str, tokens: int, now: float) -> Allowance:
        """Count one request of `tokens` tokens at `now` (Unix seconds), and tell what is left."""
        window = int(now // _WINDOW)
        if window != self._window:
            self._window = window
            self._spent.clear()
        requests, spent = self._spent.get(key, (0, 0))
        requests, spent = requests + 1, spent + tokens
        self._spent[key] = (requests, spent)
        return Allowance(
            requests=self._requests,
            requests_left=max(self._requests - requests, 0),
            tokens=self._tokens,
            tokens_left=max(self._tokens - spent, 0),
            reset_at=(window + 1) * _WINDOW,
            now=now,
        )
