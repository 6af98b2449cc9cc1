"""Deferred jobs: requests that are kept, and carried out when a target can serve them."""

from understudy.relay.jobs.jobs import Jobs

__all__ = ["Jobs"]
