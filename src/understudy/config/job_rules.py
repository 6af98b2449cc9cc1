"""What the file says of jobs, right as a whole: what is promised of them, and who is told."""

from __future__ import annotations

from understudy.config.faults import Report, suggest
from understudy.config.grammar import FeatureEntry, JobsEntry, RootEntry
from understudy.core.settings import JobRules, Webhook
from understudy.core.store_place import MemoryPlace

__all__ = ["job_rules", "webhook_of"]


def job_rules(root: RootEntry, report: Report) -> JobRules:
    """The rules. What is taken as a job is promised to outlive the process that took it."""
    entry = root.jobs
    deferring = [f for f in root.features.values() if f is not None and f.defer]
    # A store that is there but faulty says enough.
    if isinstance(root.store, MemoryPlace) and not report.has_fault_below(("store",)):
        for feature in deferring:
            report.fault(
                (*feature.at, "defer"),
                "takes jobs, which a store in memory forgets with the process",
                "add `store: sqlite:///understudy.db` (or `postgresql://…`), or write `false`",
            )
    key = entry.encryption_key
    if key is not None and not key.reveal():
        key = None
    if key is None and deferring and not report.has_fault_below(("jobs",)):
        report.notice(
            ("jobs", "encryption_key"),
            "is empty or missing, so requests and results stand in the store as they are",
        )
    return JobRules(
        kept=entry.kept,
        encryption_key=key,
        earlier_keys=entry.earlier_keys,
        webhooks=_webhooks(entry),
    )


def _webhooks(entry: JobsEntry) -> dict[str, Webhook]:
    return {
        name: Webhook(name=name, url=webhook.url, secrets=webhook.secret)
        for name, webhook in entry.webhooks.items()
        if webhook is not None
    }


def webhook_of(feature: FeatureEntry, root: RootEntry, report: Report) -> str | None:
    """Who is told of a feature's jobs."""
    if feature.webhook is None:
        return None
    name = feature.webhook.name
    if name not in root.jobs.webhooks:
        remedy = suggest(name, root.jobs.webhooks)
        report.fault(feature.webhook.at, "is none of `jobs.webhooks`", remedy)
    if not feature.defer:
        report.fault(
            feature.webhook.at,
            "is told of jobs, and this feature takes none",
            "add `defer: true`, or leave the key out",
        )
    return name
