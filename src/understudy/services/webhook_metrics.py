"""Metrics of callbacks. Age before number, as for jobs (`understudy.services.job_metrics`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from understudy.ports import Undelivered

__all__ = ["Told", "WebhookMetrics"]

#: What came of an attempt. `given_up`: it was the last.
Told = Literal["delivered", "failed", "given_up"]


class WebhookMetrics(Collector):
    """What is exposed of callbacks; register it where the product's other metrics are."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, Told], int] = {}
        self._waiting: Sequence[Undelivered] = ()
        self._counted_at = 0.0

    def told(self, webhook: str, what: Told) -> None:
        """An attempt has ended so."""
        row = webhook, what
        self._told[row] = self._told.get(row, 0) + 1

    def counted(self, waiting: Sequence[Undelivered], now: float) -> None:
        """What waits in the store, at a moment in Unix seconds."""
        self._waiting = waiting
        self._counted_at = now

    def describe(self) -> list[Metric]:
        """Nothing is collected when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family, for the library."""
        labels = ("webhook",)
        oldest = GaugeMetricFamily(
            "understudy_webhook_oldest_seconds",
            "How long the oldest callback waits to be delivered.",
            labels=labels,
        )
        undelivered = GaugeMetricFamily(
            "understudy_webhook_undelivered", "Callbacks that wait to be delivered.", labels=labels
        )
        for row in self._waiting:
            oldest.add_metric((row.webhook,), max(0.0, self._counted_at - row.oldest))
            undelivered.add_metric((row.webhook,), row.count)
        attempts = CounterMetricFamily(
            "understudy_webhook_attempts",
            "Attempts to deliver a callback, by what came of them.",
            labels=("webhook", "result"),
        )
        for told, count in self._told.items():
            attempts.add_metric(told, count)
        yield from (oldest, undelivered, attempts)
