"""How fast answers come."""

from __future__ import annotations

import msgspec

__all__ = ["Pace"]


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times of an answer that nothing is wrong with. All 0: at once, in one write."""

    #: Tokens a second; 0 for no limit.
    tokens_per_second: float = 0.0
    #: Seconds from the request to the first content.
    first_token: float = 0.0
    #: Tokens in one event of a stream.
    tokens_per_event: int = 4

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be."""
        if self.tokens_per_second < 0 or self.first_token < 0 or self.tokens_per_event < 1:
            raise ValueError("a pace is not negative, and an event carries a token at least")

    @property
    def slow(self) -> bool:
        """Whether there is anything to wait for."""
        return bool(self.first_token or self.tokens_per_second)

    def after(self, tokens: int) -> float:
        """Seconds that `tokens` tokens take."""
        return tokens / self.tokens_per_second if self.tokens_per_second else 0.0
