"""What a minute allows each key, enforced where the board says so and otherwise only told."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

import msgspec

from understudy.mock.allowance import Allowance, Level, Shortage, Unit, Weight
from understudy.mock.bucket import Bucket

__all__ = ["Limit", "Limits", "Ration"]

#: Told where no limit is set, a minute: more than one process can be asked for.
_REQUESTS = 6_000_000
_TOKENS = 60_000_000_000
_INPUT, _OUTPUT = _TOKENS * 5 // 6, _TOKENS // 6
_WINDOW = 60.0
#: Rations that are remembered; a key that was forgotten begins with a full one.
_RATIONS = 4_096


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much a minute for each key that ends in `key`, of all models that the pattern `model`
    means together, as vendors limit a class of models.

    None: of that unit, as much as anybody wants. `requests` holds for every dialect, `tokens` for
    OpenAI's, `input_tokens` and `output_tokens` for Anthropic's.
    """

    model: str = "*"
    key: str = ""
    requests: float | None = None
    tokens: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a limit of nothing, or of less."""
        told = (self.requests, self.tokens, self.input_tokens, self.output_tokens)
        if any(limit is not None and limit <= 0 for limit in told):
            raise ValueError("a limit is more than 0 a minute")

    def means(self, key: str, model: str) -> bool:
        """Whether it is for this key and model."""
        return key.endswith(self.key) and fnmatch.fnmatchcase(model, self.model)


class Ration:
    """What one key has of the models of one limit."""

    def __init__(self, limit: Limit, now: float) -> None:
        self._buckets = {
            Unit.REQUESTS: Bucket(limit.requests or _REQUESTS, now),
            Unit.TOKENS: Bucket(limit.tokens or _TOKENS, now),
            Unit.INPUT_TOKENS: Bucket(limit.input_tokens or _INPUT, now),
            Unit.OUTPUT_TOKENS: Bucket(limit.output_tokens or _OUTPUT, now),
        }

    def admit(self, weights: Iterable[Weight], now: float) -> Shortage | None:
        """Take what a request takes if all that it needs is there; else say what lacks longest."""
        longest: Shortage | None = None
        for weight in weights:
            bucket = self._buckets[weight.unit]
            wait = bucket.wait(weight.amount, now)
            if wait > (longest.wait if longest else 0.0):
                longest = Shortage(
                    unit=weight.unit,
                    limit=bucket.limit,
                    used=bucket.limit - bucket.level(now),
                    asked=weight.amount,
                    wait=wait,
                )
        if longest is None:
            for weight in weights:
                if weight.is_taken:
                    self._buckets[weight.unit].take(weight.amount, now)
        return longest

    def refused(self, now: float) -> None:
        """A request that got no answer counts as one all the same, as far as there is one."""
        self._buckets[Unit.REQUESTS].drain(1.0, now)

    def produced(self, tokens: int, now: float) -> None:
        """So much more of an answer exists; it is counted even where it is more than was left."""
        self._buckets[Unit.OUTPUT_TOKENS].take(tokens, now)

    def told(self, now: float) -> Allowance:
        """What is left."""
        requests, tokens, read, written = (
            Level(bucket.limit, max(bucket.level(now), 0.0), bucket.full_in(now))
            for bucket in self._buckets.values()
        )
        return Allowance(now, requests, tokens, read, written)


class Limits:
    """Every limit that is set, and a count of what those keys spend that have none."""

    def __init__(self, limits: Iterable[Limit] = ()) -> None:
        self.all = tuple(limits)
        self._rations: dict[tuple[int, str], Ration] = {}
        self._window = 0
        self._spent: dict[str, tuple[int, int]] = {}

    def ration(self, key: str, model: str, now: float) -> Ration | None:
        """What the first limit that means them leaves this key and model; None: there is none."""
        for place, limit in enumerate(self.all):
            if not limit.means(key, model):
                continue
            held = self._rations.get((place, key))
            if held is None:
                held = self._rations[place, key] = Ration(limit, now)
                if len(self._rations) > _RATIONS:
                    del self._rations[next(iter(self._rations))]
            return held
        return None

    def spend(self, key: str, tokens: int, now: float) -> Allowance:
        """Count a request of a key without a limit (`now` is Unix seconds): by whole minutes, of
        far more than there is.
        """
        window = int(now // _WINDOW)
        if window != self._window:
            self._window = window
            self._spent.clear()
        requests, spent = self._spent.get(key, (0, 0))
        requests, spent = requests + 1, spent + tokens
        self._spent[key] = (requests, spent)
        full_in = (window + 1) * _WINDOW - now
        return Allowance(
            now,
            Level(_REQUESTS, _REQUESTS - requests, full_in),
            Level(_TOKENS, _TOKENS - spent, full_in),
            Level(_INPUT, _INPUT - spent * 5 // 6, full_in),
            Level(_OUTPUT, _OUTPUT - spent // 6, full_in),
        )
