"""What is told of jobs: by feature and priority, never by tenant or caller."""

from prometheus_client import CollectorRegistry, generate_latest

from understudy.services.job_metrics import JobMetrics, Line


def test_ages_lines_and_ends():
    registry = CollectorRegistry()
    meter = JobMetrics(lambda: [Line("chat", "interactive", 12.5, 3, 1)])
    registry.register(meter)
    meter.accepted("chat")
    meter.accepted("chat")
    meter.returned("chat")
    meter.ended("chat", "succeeded")
    meter.store_failed()
    text = generate_latest(registry).decode()
    for line in (
        'understudy_jobs_oldest_seconds{feature="chat",priority="interactive"} 12.5',
        'understudy_jobs_queued{feature="chat",priority="interactive"} 3.0',
        'understudy_jobs_running{feature="chat",priority="interactive"} 1.0',
        'understudy_jobs_accepted_total{feature="chat"} 2.0',
        'understudy_jobs_returned_total{feature="chat"} 1.0',
        'understudy_jobs_ended_total{feature="chat",status="succeeded"} 1.0',
        "understudy_store_failures_total 1.0",
    ):
        assert line in text
