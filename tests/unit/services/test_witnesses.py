"""What the status pages said, how old it is, and when it no longer says anything."""

import io
import json

import pytest

from understudy.core.settings import Provider
from understudy.providers.status_pages import State, UnreadablePageError
from understudy.services.logs import Log
from understudy.services.page_metrics import PageMetrics
from understudy.services.witnesses import Pace, Witnesses
from unit.providers.status_pages.page_fixtures import HTML, NOW, PAGES

FEED = "https://status.claude.com/api/v2/summary.json"


def provider(name="claude", page="https://status.claude.com", kind="anthropic"):
    return Provider(name=name, kind=kind, base_url="https://a", accounts=(), status_page=page)


CLAUDE = provider()


class Scene:
    """Witnesses with a log that can be read; jitter is drawn from `chance`."""

    def __init__(self, *providers, chance=0.5, pace=None):
        self.lines = io.StringIO()
        self.chance = chance
        self.witnesses = Witnesses(Log(self.lines), lambda: self.chance, pace)
        self.witnesses.follow(providers or (CLAUDE,), 0.0)

    def hear(self, page, now=0.0, tag=None, of=CLAUDE):
        self.witnesses.heard(of, FEED, PAGES[page], tag, now=now, wall=NOW)

    def said(self, now=0.0):
        (one,) = self.witnesses.testimonies(now)
        return one

    def due(self, now, suspected=()):
        return [one.name for one in self.witnesses.due(now, lambda name: name in suspected)]

    def log(self, event):
        lines = map(json.loads, self.lines.getvalue().splitlines())
        return [line for line in lines if line["event"] == event]


class TestWhatIsSaid:
    def test_a_page_that_was_read_is_a_testimony_with_its_age_and_its_source(self):
        scene = Scene()
        scene.hear("statuspage_api_outage", now=100.0)
        said = scene.said(130.0)
        assert (said.provider, said.state, said.age) == ("claude", State.PARTIAL_OUTAGE, 30.0)
        assert said.source == FEED
        assert "Elevated errors on Claude Opus 4.8" in said.words

    def test_before_it_is_read_it_says_nothing(self):
        said = Scene().said(5.0)
        assert (said.state, said.words, said.age) == (State.UNKNOWN, "not read yet", 5.0)

    @pytest.mark.parametrize("page", ["statuspage_operational", "statuspage_api_outage"])
    def test_what_is_older_than_ten_minutes_says_nothing(self, page):
        scene = Scene()
        scene.hear(page)
        assert scene.said(600.0).state is not State.UNKNOWN
        assert scene.said(600.1).state is State.UNKNOWN
        assert "10 min ago it said" in scene.said(600.1).words

    @pytest.mark.parametrize("page", ["statuspage_operational", "statuspage_api_outage"])
    def test_a_page_that_cannot_be_read_says_neither_what_it_said_nor_the_contrary(self, page):
        scene = Scene()
        scene.hear(page)
        scene.witnesses.failed(CLAUDE, FEED, "answers 405", now=60.0)
        said = scene.said(60.0)
        assert said.state is State.UNKNOWN
        assert said.words.startswith("could not be read: answers 405; 60 s ago it said: ")
        scene.hear(page, now=80.0)
        assert scene.said(80.0).state is not State.UNKNOWN

    def test_an_unreadable_body_leaves_the_page_to_whoever_reads_on(self):
        scene = Scene()
        with pytest.raises(UnreadablePageError):
            scene.witnesses.heard(CLAUDE, FEED, HTML, None, now=0.0, wall=NOW)
        assert scene.said().words == "not read yet"

    def test_unchanged_is_as_good_as_read_again(self):
        scene = Scene()
        scene.hear("statuspage_operational", now=0.0, tag='"a"')
        scene.witnesses.unchanged(CLAUDE, now=500.0)
        assert scene.said(900.0).state is State.OPERATIONAL
        assert scene.said(900.0).age == 400.0


class TestWhenToRead:
    def test_every_minute_while_all_is_well_and_every_20_s_under_suspicion(self):
        scene = Scene()
        assert scene.due(0.0) == ["claude"]
        scene.hear("statuspage_operational")
        assert scene.due(19.9, {"claude"}) == []
        assert scene.due(20.0, {"another"}) == []
        assert scene.due(20.0, {"claude"}) == ["claude"]
        scene.hear("statuspage_operational", now=21.0)
        assert scene.due(79.9) == []
        assert scene.due(80.0) == ["claude"]

    @pytest.mark.parametrize(("chance", "seconds"), [(0.0, 48.0), (0.5, 60.0), (1.0, 72.0)])
    def test_not_everyone_reads_at_once(self, chance, seconds):
        scene = Scene(chance=chance)
        scene.due(0.0)
        scene.hear("statuspage_operational")
        assert scene.due(seconds - 0.1) == []
        assert scene.due(seconds) == ["claude"]

    def test_a_page_is_not_read_twice_at_a_time(self):
        scene = Scene()
        scene.due(0.0)
        assert scene.due(1000.0) == []
        scene.witnesses.failed(CLAUDE, FEED, "answers 500", now=1000.0)
        assert scene.due(1000.0) == ["claude"]

    def test_a_provider_without_a_page_is_not_asked(self):
        scene = Scene(provider(page=None))
        assert scene.due(0.0) == []
        assert scene.witnesses.testimonies(0.0) == []

    def test_a_tag_is_sent_only_to_the_feed_that_gave_it_and_only_while_it_is_readable(self):
        scene = Scene()
        assert scene.witnesses.tag(CLAUDE, FEED) is None
        scene.hear("statuspage_operational", tag='W/"a"')
        assert scene.witnesses.tag(CLAUDE, FEED) == 'W/"a"'
        assert scene.witnesses.tag(CLAUDE, "https://elsewhere") is None
        scene.witnesses.failed(CLAUDE, FEED, "answers 500", now=1.0)
        assert scene.witnesses.tag(CLAUDE, FEED) is None


class TestReload:
    def test_what_is_known_stays_while_the_page_stays(self):
        scene = Scene()
        scene.hear("statuspage_operational")
        scene.witnesses.follow([provider()], 10.0)
        assert scene.said(10.0).state is State.OPERATIONAL

    def test_another_page_begins_anew_and_what_comes_late_from_the_old_one_is_dropped(self):
        scene = Scene()
        scene.due(0.0)
        new = provider(page="https://anthropic.statuspage.io")
        scene.witnesses.follow([new], 10.0)
        scene.hear("statuspage_operational", now=11.0)
        scene.witnesses.unchanged(CLAUDE, now=11.0)
        scene.witnesses.failed(CLAUDE, FEED, "answers 500", now=11.0)
        assert scene.said(11.0).words == "not read yet"
        assert scene.due(11.0) == ["claude"]

    def test_a_provider_that_is_gone_says_nothing_more(self):
        scene = Scene()
        scene.hear("statuspage_operational")
        scene.witnesses.follow([], 10.0)
        assert scene.witnesses.testimonies(10.0) == []


class TestTelling:
    def test_the_log_has_a_line_for_each_change_and_none_for_each_reading(self):
        scene = Scene()
        for now, page in enumerate(["operational", "operational", "api_outage", "api_outage"]):
            scene.hear(f"statuspage_{page}", now=float(now))
        for now in (5.0, 6.0):
            scene.witnesses.failed(CLAUDE, FEED, "answers 405", now=now)
        lines = scene.log("status_page")
        assert [line["state"] for line in lines] == ["operational", "partial_outage", "unknown"]
        assert lines[2]["text"].startswith("could not be read: answers 405")
        assert {line["provider"] for line in lines} == {"claude"}

    def test_the_log_is_told_of_a_changed_feed_once(self):
        scene = Scene()
        body = PAGES["statuspage_operational"].replace(b'"operational"', b'"fine"', 1)
        for now in range(3):
            scene.witnesses.heard(CLAUDE, FEED, body, None, now=float(now), wall=NOW)
            scene.hear("statuspage_operational", now=now + 0.5)
        (line,) = scene.log("status_page_drift")
        assert line["text"] == "components[].status: the new word `fine`"
        assert scene.said(3.0).state is State.OPERATIONAL

    def test_the_metrics_show_the_state_the_age_and_the_drift(self):
        scene = Scene()
        body = PAGES["statuspage_api_outage"].replace(b'"operational"', b'"fine"', 1)
        scene.witnesses.heard(CLAUDE, FEED, body, None, now=10.0, wall=NOW)
        metrics = PageMetrics(lambda: scene.witnesses.views(25.0))
        assert metrics.describe() == []
        samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in metrics.collect()
            for sample in family.samples
        }
        assert samples == {
            ("understudy_status_page_state", "claude", "partial_outage"): 1.0,
            ("understudy_status_page_age_seconds", "claude"): 15.0,
            ("understudy_status_page_drift", "claude"): 1.0,
        }

    def test_an_operator_sees_the_page_its_feed_and_why_it_is_silent(self):
        scene = Scene(pace=Pace(stale=30.0))
        scene.witnesses.failed(CLAUDE, FEED, "answers 500", now=5.0)
        (view,) = scene.witnesses.views(5.0)
        assert (view.status_page, view.source) == ("https://status.claude.com", FEED)
        assert (view.state, view.fault, view.drift) == (State.UNKNOWN, "answers 500", ())
