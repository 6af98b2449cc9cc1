"""What is told of callbacks: by webhook, never by tenant or job."""

from prometheus_client import CollectorRegistry, generate_latest

from understudy.ports import Undelivered
from understudy.services.webhook_metrics import WebhookMetrics


def test_ages_numbers_and_ends():
    registry = CollectorRegistry()
    meter = WebhookMetrics()
    registry.register(meter)
    meter.told("product", "failed")
    meter.told("product", "delivered")
    meter.told("product", "delivered")
    meter.counted([Undelivered("other", 100.0, 3)], 160.0)
    text = generate_latest(registry).decode()
    for line in (
        'understudy_webhook_oldest_seconds{webhook="other"} 60.0',
        'understudy_webhook_undelivered{webhook="other"} 3.0',
        'understudy_webhook_attempts_total{result="failed",webhook="product"} 1.0',
        'understudy_webhook_attempts_total{result="delivered",webhook="product"} 2.0',
    ):
        assert line in text
