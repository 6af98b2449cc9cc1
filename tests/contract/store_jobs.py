"""Jobs to put into stores."""

import itertools

from understudy.ports import Answer, Lane, NewJob, Request

ANSWER = Answer(200, (("content-type", "application/json"), ("x-note", "a, b")), b'{"ok": true}')
NUMBERS = itertools.count()


def new_job(job_id=None, **changes):
    """A job of tenant `acme`, accepted at 100 and to be done by 1,000, unless told otherwise."""
    told = {
        "id": job_id or f"job_{next(NUMBERS)}",
        "tenant": "acme",
        "caller": "web",
        "feature": "chat",
        "operation": "messages",
        "priority": "interactive",
        "request": Request(b'{"model": "m"}'),
        "body_digest": "digest-1",
        "created_at": 100.0,
        "expires_at": 1000.0,
    }
    return NewJob(**{**told, **changes})


def lanes_of(*tenants, feature="chat", priority="interactive"):
    return [Lane(priority, tenant, feature) for tenant in tenants]


async def claim(store, *lanes, limit=100, now=200.0, lease=30.0, worker="w1"):
    """Claimed jobs, of tenant `acme`'s usual lane unless told otherwise."""
    return await store.claim(
        worker=worker, lanes=lanes or lanes_of("acme"), limit=limit, lease=lease, now=now
    )


async def claim_one(store, **terms):
    """The one job that is claimed."""
    (claimed,) = await claim(store, limit=1, **terms)
    return claimed


async def accepted(store, *news):
    """Keep all of these, together."""
    for new in news:
        await store.accept(new)
    return news


def at_once(_attempts):
    """The rest of those that were left behind: none."""
    return 0.0
