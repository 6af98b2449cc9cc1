"""Counters of the data path, exposed to Prometheus.

The path adds to plain numbers held by reference; the library makes the exposition of them when it
is asked. A histogram's observation is one search in its bounds and one addition.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from understudy.core.outcomes import Attempt, Record, RequestOutcome, Result

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

#: Seconds. OpenTelemetry's GenAI conventions use the same doubling from 10 ms to 82 s.
SECONDS: Final = tuple(0.01 * 2**step for step in range(14))
#: Targets with labels of their own: callers may name models (`provider/*`).
TARGETS_KEPT: Final = 1000
_OTHERS = ("other", "other")
OVERHEAD_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)


class _Histogram:
    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.total += value

    def family_buckets(self) -> list[tuple[str, float]]:
        running = 0
        rows: list[tuple[str, float]] = []
        for bound, count in zip(self.bounds, self.buckets, strict=False):
            running += count
            rows.append((f"{bound:g}", running))
        rows.append(("+Inf", running + self.buckets[-1]))
        return rows


class _TargetMeter:
    """What is counted of one target at one account."""

    __slots__ = ("faults", "first_content", "input_tokens", "output_tokens", "results")

    def __init__(self) -> None:
        self.results: dict[str | None, int] = dict.fromkeys(map(str, Result), 0)
        self.faults: dict[tuple[str, str], int] = {}
        self.first_content = _Histogram(SECONDS)
        self.input_tokens = 0
        self.output_tokens = 0


class _FeatureMeter:
    """What is counted of one feature."""

    __slots__ = ("continued", "duration", "outcomes")

    def __init__(self) -> None:
        self.outcomes: dict[str | None, int] = dict.fromkeys(map(str, RequestOutcome), 0)
        #: Streams that went on at another target, by how they ended.
        self.continued: dict[str | None, int] = dict.fromkeys(map(str, RequestOutcome), 0)
        self.duration = _Histogram(SECONDS)


class Metrics(Collector):
    """The product's metrics.

    Args:
        open_requests: counts requests under way.
        tasks: counts the event loop's tasks.
        states: gives (target key, state) of each breaker, state closed, open or half_open.
    """

    def __init__(
        self,
        open_requests: Callable[[], int],
        tasks: Callable[[], int],
        states: Callable[[], list[tuple[str, str]]],
    ) -> None:
        self._open_requests = open_requests
        self._tasks = tasks
        self._states = states
        self._targets: dict[tuple[str, str], _TargetMeter] = {}
        self._features: dict[str, _FeatureMeter] = {}
        self._rejected: dict[str, int] = {}
        self._overhead = _Histogram(OVERHEAD_SECONDS)
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def attempt(self, attempt: Attempt) -> None:
        """An attempt has ended."""
        place = (attempt.target, attempt.account)
        meter = self._targets.get(place)
        if meter is None:
            if len(self._targets) >= TARGETS_KEPT:
                place = _OTHERS
            meter = self._targets.setdefault(place, _TargetMeter())
        meter.results[attempt.result] += 1
        if attempt.first_content_ms is not None:
            meter.first_content.observe(attempt.first_content_ms / 1000.0)
        if attempt.fault is not None:
            row = (str(attempt.fault.kind), str(attempt.fault.scope))
            meter.faults[row] = meter.faults.get(row, 0) + 1
        usage = attempt.usage
        if usage is not None:
            meter.input_tokens += usage.input
            meter.output_tokens += usage.output

    def request(self, record: Record, seconds: float) -> None:
        """A request has ended, `seconds` after it arrived."""
        meter = self._features.get(record.feature)
        if meter is None:
            meter = self._features[record.feature] = _FeatureMeter()
        meter.outcomes[record.outcome] += 1
        meter.duration.observe(seconds)
        spent = 0.0
        was_continued = False
        for attempt in record.attempts:
            spent += attempt.ended_ms or 0.0
            was_continued = was_continued or attempt.from_char > 0
        if was_continued:
            meter.continued[record.outcome] += 1
        self._overhead.observe(max(0.0, seconds - spent / 1000.0))

    def rejected(self, code: str) -> None:
        """A request was turned away before any attempt (a wrong key, a bad body)."""
        self._rejected[code] = self._rejected.get(code, 0) + 1

    def expose(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self.registry)

    def describe(self) -> list[Metric]:
        """Nothing is collected when the registry is made."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family, for the library."""
        yield from self._of_features()
        yield from self._of_targets()
        yield _histogram(
            "understudy_overhead_seconds",
            "Time of a request outside of its attempts.",
            (),
            {(): self._overhead},
        )
        under_way = GaugeMetricFamily("understudy_open_requests", "Requests under way.")
        under_way.add_metric((), self._open_requests())
        yield under_way
        tasks = GaugeMetricFamily("understudy_tasks", "Tasks of the event loop.")
        tasks.add_metric((), self._tasks())
        yield tasks
        breakers = GaugeMetricFamily(
            "understudy_breaker_open", "1 open, 0.5 half open, 0 closed.", labels=("target",)
        )
        for name, state in self._states():
            breakers.add_metric((name,), {"open": 1.0, "half_open": 0.5}.get(state, 0.0))
        yield breakers

    def _of_features(self) -> Iterator[Metric]:
        features = self._features.items()
        yield _counter(
            "understudy_requests",
            "Requests by how they ended.",
            ("feature", "outcome"),
            {(f, o): count for f, m in features for o, count in m.outcomes.items() if count},
        )
        yield _counter(
            "understudy_continued_streams",
            "Streams that went on at another target after their first content.",
            ("feature", "outcome"),
            {(f, o): count for f, m in features for o, count in m.continued.items() if count},
        )
        yield _counter(
            "understudy_rejected_requests",
            "Requests turned away before any attempt.",
            ("code",),
            {(code,): count for code, count in self._rejected.items()},
        )
        yield _histogram(
            "understudy_request_seconds",
            "Time of a whole request.",
            ("feature",),
            {(f,): meter.duration for f, meter in features},
        )

    def _of_targets(self) -> Iterator[Metric]:
        targets = self._targets.items()
        yield _counter(
            "understudy_attempts",
            "Attempts by how they ended.",
            ("target", "account", "result"),
            {(*t, r): count for t, m in targets for r, count in m.results.items() if count},
        )
        yield _counter(
            "understudy_faults",
            "Faults of attempts.",
            ("target", "account", "kind", "scope"),
            {(*t, *row): count for t, m in targets for row, count in m.faults.items()},
        )
        yield _counter(
            "understudy_tokens",
            "Tokens that providers reported.",
            ("target", "account", "direction"),
            {
                (*t, direction): count
                for t, m in targets
                for direction, count in (("input", m.input_tokens), ("output", m.output_tokens))
            },
        )
        yield _histogram(
            "understudy_first_content_seconds",
            "Time of an attempt to its first content.",
            ("target", "account"),
            {t: meter.first_content for t, meter in targets},
        )


def _counter(
    name: str, text: str, labels: tuple[str, ...], rows: Mapping[Any, int]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in rows.items():
        family.add_metric(values, count)
    return family


def _histogram(
    name: str, text: str, labels: tuple[str, ...], rows: Mapping[Any, _Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, histogram in rows.items():
        family.add_metric(values, histogram.family_buckets(), histogram.total)
    return family
