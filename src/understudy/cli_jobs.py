"""`understudy jobs`: what waits and why, one job, the end of some, a backlog going down."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from understudy.cli_ask import (
    DEFAULT_FILE,
    DONE,
    FAILED,
    ConfigPath,
    FailedError,
    Flag,
    UsageError,
    WebUrl,
    ask,
    client_for,
    complain,
    duration,
    print_json,
)

if TYPE_CHECKING:
    from understudy.web.client import AdminClient
    from understudy.web.wire_jobs import LaneRow

__all__ = ["jobs"]

#: Seconds between two looks of `drain`.
LOOK_SECONDS = 1.0
#: Off a terminal a line is printed after so many looks, and when what holds it up changes.
LOOKS_A_LINE = 10

Feature = Annotated[str | None, Parameter(help="Only jobs of this feature.")]
Tenant = Annotated[str | None, Parameter(help="Only jobs of this tenant; '' is without one.")]
AsJson = Annotated[bool, Parameter(name="--json", negative=(), help="Print it as JSON.")]

jobs = App(name="jobs", help="Deferred requests: see docs/jobs.md.", help_formatter="plain")


@jobs.command(name="list")
def list_(
    *,
    feature: Feature = None,
    tenant: Tenant = None,
    status: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    limit: int = 50,
    oldest: Flag = False,
    as_json: AsJson = False,
    config: ConfigPath = DEFAULT_FILE,
    url: WebUrl = None,
) -> int:
    """Show what waits and runs, by feature, priority and tenant, and the newest jobs.

    Parameters
    ----------
    status
        Only jobs in one of these: queued, running, succeeded, failed, expired, cancelled.
    limit
        How many jobs, 1,000 at most.
    oldest
        The oldest jobs instead of the newest.
    """
    from understudy.web.jobs_table import page_lines  # noqa: PLC0415

    client = client_for(config, url)
    page = ask(
        lambda: client.jobs(
            feature=feature,
            tenant=tenant,
            status=",".join(status) or None,
            order="oldest" if oldest else None,
            limit=str(limit),
        )
    )
    if as_json:
        print_json(page)
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(page_lines(page, client.url, width=width)))
    return DONE


@jobs.command
def show(
    job_id: str,
    *,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigPath = DEFAULT_FILE,
    url: WebUrl = None,
) -> int:
    """Show one job and all that has happened to it; never what it asks or was answered.

    Parameters
    ----------
    job_id
        As the 202 told it: job_…
    """
    from understudy.web.jobs_table import detail_lines  # noqa: PLC0415

    client = client_for(config, url)
    detail = ask(lambda: client.job(job_id, tenant))
    if as_json:
        print_json(detail)
    else:
        print("\n".join(detail_lines(detail)))
    return DONE


@jobs.command
def cancel(
    job_id: str | None = None,
    *,
    feature: Feature = None,
    tenant: Tenant = None,
    yes: Flag = False,
    config: ConfigPath = DEFAULT_FILE,
    url: WebUrl = None,
) -> int:
    """End a job, or all that have not ended of a feature, of a tenant, or of both.

    Parameters
    ----------
    job_id
        Which; or else --feature or --tenant.
    yes
        End all of them without being asked again.
    """
    if job_id is None and feature is None and tenant is None:
        raise UsageError("say which job, or whose: ID, --feature or --tenant")
    client = client_for(config, url)
    if job_id is None:
        return _cancel_all(client, feature, tenant, yes=yes)
    if feature is not None:
        raise UsageError("ID names one job; leave --feature out")
    detail = ask(lambda: client.cancel_job(job_id, tenant))
    if detail.job.status != "cancelled":
        complain(f"understudy: {job_id} has ended before: it is {detail.job.status}")
        return FAILED
    print(f"{job_id} is cancelled")
    return DONE


def _cancel_all(client: AdminClient, feature: str | None, tenant: str | None, *, yes: bool) -> int:
    from understudy.web.wire_jobs import CancelRequest  # noqa: PLC0415

    lanes = ask(lambda: client.lanes(feature=feature, tenant=tenant)).lanes
    count = _left(lanes)
    if count and not yes:
        raise UsageError(f"that ends {_jobs(count)}; add --yes if it is meant")
    ended, left = 0, bool(count)
    while left:
        done = ask(lambda: client.cancel_jobs(CancelRequest(feature=feature, tenant=tenant)))
        ended += done.cancelled
        left = done.left
    print(f"{_jobs(ended)} cancelled")
    return DONE


@jobs.command
def drain(
    *,
    feature: Feature = None,
    tenant: Tenant = None,
    timeout: str | None = None,
    config: ConfigPath = DEFAULT_FILE,
    url: WebUrl = None,
) -> int:
    """Watch until no job waits or runs: how many, how fast, how long yet, and what holds them up.

    It changes nothing. It exits with 0 when all are done, and with 1 when the time is over.

    Parameters
    ----------
    timeout
        How long to watch, such as 10m; else until they are done.
    """
    seconds = None if timeout is None else duration("--timeout", timeout)
    client = client_for(config, url)
    try:
        left = _watch(client, feature, tenant, seconds)
    except KeyboardInterrupt:
        print()
        return FAILED
    if left:
        raise FailedError(f"{_jobs(left)} left after {timeout}")
    print("no job waits or runs")
    return DONE


def _watch(
    client: AdminClient, feature: str | None, tenant: str | None, seconds: float | None
) -> int:
    """Show how it goes until nothing is left, or the time is over; how many are left then.

    Once it has begun, a missing answer is shown as well: the product may be restarting.
    """
    from understudy.web.client import AdminError  # noqa: PLC0415
    from understudy.web.jobs_table import Pace, drain_line  # noqa: PLC0415

    screen, pace = _Screen(), Pace()
    lanes = ask(lambda: client.lanes(feature=feature, tenant=tenant)).lanes
    began = time.monotonic()
    while left := _left(lanes):
        pace.saw(time.monotonic(), left)
        held = any(lane.held_up_by is not None for lane in lanes)
        screen.show(drain_line(lanes, pace), about="held up" if held else "")
        if seconds is not None and time.monotonic() - began >= seconds:
            break
        time.sleep(LOOK_SECONDS)
        try:
            lanes = client.lanes(feature=feature, tenant=tenant).lanes
        except AdminError as error:
            screen.show(str(error), about="trouble")
    screen.leave()
    return left


class _Screen:
    """One line that changes, on a terminal; else a line now and then."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._looks = 0
        self._about = ""

    def show(self, line: str, *, about: str) -> None:
        """How it stands now. `about`: off a terminal, what makes it worth a line at once."""
        if self._is_terminal:
            width = shutil.get_terminal_size().columns
            print(f"\r{line[: width - 1]}\x1b[K", end="", flush=True)
            return
        if self._looks % LOOKS_A_LINE == 0 or about != self._about:
            print(line, flush=True)
            self._looks = 0
        self._looks += 1
        self._about = about

    def leave(self) -> None:
        """What comes next stands on a line of its own."""
        if self._is_terminal:
            print()


def _left(lanes: Sequence[LaneRow]) -> int:
    return sum(lane.queued + lane.running for lane in lanes)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"
