"""Jobs as people see them on a terminal: ages before numbers, and nothing that a terminal obeys."""

import msgspec
import pytest

from understudy.web.jobs_table import Pace, detail_lines, drain_line, page_lines
from understudy.web.wire_jobs import EventRow, JobDetail, JobRow, JobsPage, LaneRow

AT = "2026-11-23T12:00:00.000Z"


def lane(queued=3, running=1, age=200.0, held=None, **more):
    told = {"feature": "chat", "priority": "interactive", "tenant": "acme", **more}
    return LaneRow(queued=queued, running=running, age=age, held_up_by=held, **told)


def job(**more):
    told = {
        "id": "job_1",
        "status": "queued",
        "age": 30.0,
        "feature": "chat",
        "priority": "interactive",
        "tenant": None,
        "caller": "web",
        "operation": "messages",
        "attempts": 2,
        "created_at": "2026-11-23T11:59:30.000Z",
        "expires_at": "2026-11-23T15:00:00.000Z",
        "ready_at": "2026-11-23T11:59:30.000Z",
        "finished_at": None,
        "worker": None,
        "lease_until": None,
        "webhook": None,
    }
    return JobRow(**{**told, **more})


def pace(*seen):
    made = Pace()
    for at, left in seen:
        made.saw(at, left)
    return made


def test_a_page_has_a_sum_its_lanes_and_its_jobs():
    page = JobsPage(at=AT, lanes=[lane(), lane(tenant=None, age=90.0)], jobs=[job()], after="x")
    assert page_lines(page, "http://web") == [
        f"http://web  {AT}  the oldest waits 3 min; 6 wait, 2 run",
        "",
        "OLDEST  WAIT  RUN  FEATURE  PRIORITY     TENANT  HELD UP BY",
        "3 min   3     1    chat     interactive  acme",
        "90 s    3     1    chat     interactive  -",
        "",
        "AGE   STATUS  ID     FEATURE  TENANT  CALLER  TRIES  EXPIRES IN",
        "30 s  queued  job_1  chat     -       web     2      3 h",
        "",
        "There are more: --limit, or a narrower choice.",
    ]


def test_an_empty_page_says_so():
    page = JobsPage(at=AT, lanes=[], jobs=[], after=None)
    assert page_lines(page, "http://web") == [f"http://web  {AT}  none waits, 0 run"]


def test_one_job_with_what_happened_to_it():
    told = {"code": msgspec.Raw(b'"at_capacity"'), "message": msgspec.Raw(b'"Too\\u001b[2J many"')}
    events = [
        EventRow(number=1, at=AT, kind="queued", told={}),
        EventRow(number=2, at=AT, kind="attempted", told=told),
    ]
    detail = JobDetail(at=AT, job=job(webhook="hook"), position=4, estimate=None, events=events)
    text = "\n".join(detail_lines(detail))
    assert "position    4" in text
    assert "estimate    nobody can say" in text
    assert "webhook     hook" in text
    assert "attempted  code: at_capacity, message: Too�[2J many" in text


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ([], None),
        ([(0, 100)], None),
        ([(0, 100), (4, 80)], None),
        ([(0, 100), (10, 80)], "2.0/s less; empty in about 2 s"),
        ([(0, 1000), (30, 10), (100, 4)], "1/s"),
        ([(0, 100), (10, 130)], "3.0/s more"),
        ([(0, 100), (10, 100)], "it does not get less"),
    ],
)
def test_a_backlog_tells_how_fast_it_goes_as_soon_as_that_is_known(seen, words):
    line = drain_line([lane()], pace(*seen))
    assert line.startswith("the oldest waits 3 min; 3 wait, 1 run")
    if words is None:
        assert "/s" not in line
    elif words == "1/s":
        # What is longer ago than a minute counts no more.
        assert "/s" not in line
    else:
        assert words in line


def test_what_holds_them_up_is_told_once():
    lanes = [lane(held="a@main/m: open\x1b[2J"), lane(tenant="b", held="a@main/m: open\x1b[2J")]
    line = drain_line(lanes, pace())
    assert line.endswith("held up by a@main/m: open�[2J")
