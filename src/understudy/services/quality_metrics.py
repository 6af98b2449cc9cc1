"""Metrics of content health."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from understudy.policy.quality import QualityView

__all__ = ["QualityMetrics"]


class QualityMetrics(Collector):
    """What is exposed of content health; register it where the product's other metrics are.

    Args:
        views: gives each model as it stands now.
    """

    def __init__(self, views: Callable[[], list[QualityView]]) -> None:
        self._views = views

    def describe(self) -> list[Metric]:
        """Nothing is collected when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family, for the library."""
        doubted = GaugeMetricFamily(
            "understudy_quality_doubted",
            "1 while a model's answers are not what they usually are, by the sign that they show.",
            labels=("model", "sign"),
        )
        samples = CounterMetricFamily(
            "understudy_quality_samples",
            "Answers whose text was looked at.",
            labels=("model",),
        )
        shown = CounterMetricFamily(
            "understudy_quality_signs",
            "Answers that showed a sign, whether or not that is usual for the model.",
            labels=("model", "sign"),
        )
        for view in self._views():
            samples.add_metric((view.model,), view.samples)
            for sign in view.signs:
                doubted.add_metric((view.model, sign.sign), float(sign.doubted))
                shown.add_metric((view.model, sign.sign), sign.shown)
        yield from (doubted, samples, shown)
