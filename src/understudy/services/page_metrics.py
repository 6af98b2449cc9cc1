"""Metrics of the status pages that are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from understudy.services.witnesses import PageView

__all__ = ["PageMetrics"]


class PageMetrics(Collector):
    """What is exposed of status pages; register it where the product's other metrics are.

    Args:
        views: gives each page as it stands now.
    """

    def __init__(self, views: Callable[[], list[PageView]]) -> None:
        self._views = views

    def describe(self) -> list[Metric]:
        """Nothing is collected when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family, for the library."""
        states = GaugeMetricFamily(
            "understudy_status_page_state",
            "1 for what a provider's status page says of its API.",
            labels=("provider", "state"),
        )
        ages = GaugeMetricFamily(
            "understudy_status_page_age_seconds",
            "Time since a status page was last read.",
            labels=("provider",),
        )
        drifts = GaugeMetricFamily(
            "understudy_status_page_drift",
            "Differences between a status page's feed and the shape that its reader knows.",
            labels=("provider",),
        )
        for view in self._views():
            states.add_metric((view.provider, str(view.state)), 1.0)
            ages.add_metric((view.provider,), view.age)
            drifts.add_metric((view.provider,), float(len(view.drift)))
        yield from (states, ages, drifts)
