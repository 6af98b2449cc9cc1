"""What Prometheus sees of content health."""

import pytest
from prometheus_client import CollectorRegistry

from understudy.policy.quality import Quality, Signs
from understudy.services.quality_metrics import QualityMetrics

MODEL = {"model": "anthropic/claude-sonnet-5"}
SIGN = MODEL | {"sign": "endless repetition"}


@pytest.fixture
def quality():
    return Quality()


@pytest.fixture
def read(quality):
    registry = CollectorRegistry()
    registry.register(QualityMetrics(lambda: quality.views(1000.0)))
    return registry.get_sample_value


def test_samples_signs_and_doubts_are_counted(quality, read):
    for turn in range(200):
        quality.sampled(MODEL["model"], "assistant", Signs(loops=False), float(turn))
    assert read("understudy_quality_samples_total", MODEL) == 200.0
    assert read("understudy_quality_doubted", SIGN) == 0.0
    for turn in range(200, 220):
        quality.sampled(MODEL["model"], "assistant", Signs(loops=True), float(turn))
    assert read("understudy_quality_signs_total", SIGN) == 20.0
    assert read("understudy_quality_doubted", SIGN) == 1.0


def test_nothing_is_exposed_of_what_nobody_has_called(read):
    assert read("understudy_quality_samples_total", MODEL) is None
