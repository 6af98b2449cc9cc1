"""What each engine's page says, and which bodies say nothing."""

import json

import pytest

from understudy.providers.status_pages import (
    Shape,
    State,
    UnreadablePageError,
    drift,
    feeds,
    judge,
    read_page,
)
from unit.providers.status_pages.page_fixtures import HTML, KINDS, NOW, PAGES

UP, SLOW, PART, DOWN, WORKS, UNKNOWN = (
    State.OPERATIONAL,
    State.DEGRADED,
    State.PARTIAL_OUTAGE,
    State.MAJOR_OUTAGE,
    State.MAINTENANCE,
    State.UNKNOWN,
)


def read(name):
    return read_page(None, PAGES[name], NOW)


def changed(name, change):
    page = json.loads(PAGES[name])
    change(page)
    return json.dumps(page).encode()


# page → shape, overall, what its verdict on the API is, a part of the words
SAID = {
    "statuspage_operational": (Shape.STATUSPAGE, UP, UP, "Claude API (api.anthropic.com): operat"),
    "statuspage_console_degraded": (Shape.STATUSPAGE, SLOW, UP, "operational"),
    "statuspage_api_outage": (
        Shape.STATUSPAGE, PART, PART, "incident “Elevated errors on Claude Opus 4.8” (identified)",
    ),
    "compatible_operational": (Shape.COMPATIBLE, UP, UP, "no component is known to be the API"),
    "compatible_api_degraded": (
        Shape.COMPATIBLE, SLOW, SLOW, "Chat Completions, Responses: degraded; incident “Elevated",
    ),
    "compatible_trouble_elsewhere": (
        Shape.COMPATIBLE, SLOW, UNKNOWN, "does not list all of the API",
    ),
    "native_operational": (Shape.NATIVE, UP, UP, "Chat Completions, Responses: operational"),
    "native_api_outage": (
        Shape.NATIVE, DOWN, DOWN, "Chat Completions: partial outage; Responses: major outage; inc",
    ),
    "widget_operational": (Shape.WIDGET, UP, UP, "overall operational"),
    "widget_api_outage": (Shape.WIDGET, DOWN, PART, "Inference API: partial outage"),
    "google_past_only": (Shape.GOOGLE, UP, UP, "no open incident names Gemini"),
    "google_other_product": (Shape.GOOGLE, SLOW, UP, "no open incident names Gemini"),
    "google_gemini_disruption": (
        Shape.GOOGLE, PART, PART, "Gemini on Agent Platform: partial outage; incident “Vertex",
    ),
}  # fmt: skip


def test_every_recorded_page_is_in_the_table():
    assert SAID.keys() == PAGES.keys()


@pytest.mark.parametrize("name", SAID)
def test_a_recorded_page_says(name):
    shape, overall, state, words = SAID[name]
    report = read(name)
    assert (report.shape, report.overall) == (shape, overall)
    verdict = judge(report, KINDS[name])
    assert verdict.state is state
    assert words in verdict.words
    assert read_page(shape, PAGES[name], NOW) == report


@pytest.mark.parametrize("name", SAID)
def test_a_recorded_page_has_not_changed_its_shape(name):
    assert drift(PAGES[name]) == ()


def test_components_keep_the_pages_own_words():
    report = read("statuspage_api_outage")
    assert [(one.name, one.state, one.raw) for one in report.components] == [
        ("claude.ai", UP, "operational"),
        ("Claude Console (platform.claude.com)", UP, "operational"),
        ("Claude API (api.anthropic.com)", PART, "partial_outage"),
        ("Claude Code", PART, "partial_outage"),
    ]


def test_incidents_have_their_times_their_stage_and_what_they_affect():
    (incident,) = read("statuspage_api_outage").incidents
    assert (incident.stage, incident.impact) == ("identified", PART)
    assert incident.updated_at - incident.started_at == pytest.approx(1743.9)
    assert [one.name for one in incident.affected] == [
        "Claude API (api.anthropic.com)",
        "Claude Code",
    ]
    (incident,) = read("native_api_outage").incidents
    assert [one.name for one in incident.affected] == ["Responses", "Chat Completions"]
    assert incident.updated_at > incident.started_at
    assert [one.affected for one in read("compatible_api_degraded").incidents] == [None, None]


def test_a_page_that_does_not_tell_of_incidents_has_not_said_that_there_are_none():
    assert read("compatible_operational").incidents is None
    assert read("statuspage_operational").incidents == ()


def test_a_maintenance_counts_from_when_it_is_in_progress():
    def begin(page):
        page["scheduled_maintenances"][0]["status"] = "in_progress"

    assert len(read("statuspage_api_outage").incidents) == 1
    report = read_page(None, changed("statuspage_api_outage", begin), NOW)
    assert [one.stage for one in report.incidents] == ["maintenance", "identified"]


def test_googles_incident_ends_when_its_end_is_reached():
    def end(page):
        page[0]["end"] = "2026-10-08T23:59:00+00:00"

    body = changed("google_gemini_disruption", end)
    before, after = 1_791_500_000.0, 1_791_590_000.0
    assert judge(read_page(None, body, before), "openai-compatible").state is PART
    assert judge(read_page(None, body, after), "openai-compatible").state is UP


def test_an_incident_of_googles_that_lost_its_end_is_not_open_again():
    report = read_page(None, changed("google_past_only", lambda page: page[0].pop("end")), NOW)
    assert report.overall is UP
    assert judge(report, "openai-compatible").state is UP


# body → a part of the reason why it says nothing
UNREADABLE = {
    "empty": (b"", "is empty"),
    "html": (HTML, "HTML"),
    "text": (b"OK", "not JSON"),
    "truncated": (PAGES["statuspage_operational"][:-20], "not JSON"),
    "trailing": (PAGES["statuspage_operational"] + b"{}", "not JSON"),
    "not utf-8": (b'{"page": {"id": "\xff"}}', "not JSON"),
    "too deep": (b'{"page":' * 5000, "not JSON"),
    "null": (b"null", "known engine"),
    "another API": (b'{"data": []}', "known engine"),
    "no page id": (changed("statuspage_operational", lambda p: p["page"].pop("id")), "`id`"),
    "an empty page id": (b'{"page": {"id": ""}, "components": []}', "$.page.id"),
    "null components": (
        changed("statuspage_operational", lambda p: p.update(components=None)),
        "$.components",
    ),
    "no components": (
        changed("compatible_operational", lambda p: p.pop("components")),
        "components",
    ),
    "nothing of what is affected": (
        changed("native_operational", lambda p: p["summary"].pop("affected_components")),
        "affected_components",
    ),
    "no maintenances": (
        changed("widget_operational", lambda p: p.pop("in_progress_maintenances")),
        "in_progress_maintenances",
    ),
    "no past": (b"[]", "not even past ones"),
    "an end that is no time": (
        changed("google_past_only", lambda p: p[0].update(end="soon")),
        "no time",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_body_that_says_nothing(name):
    body, reason = UNREADABLE[name]
    with pytest.raises(UnreadablePageError) as caught:
        read_page(None, body, NOW)
    assert reason in caught.value.reason


@pytest.mark.parametrize("shape", Shape)
def test_no_reader_takes_another_engines_page(shape):
    for name, body in PAGES.items():
        if SAID[name][0] is shape or {SAID[name][0], shape} == {Shape.STATUSPAGE, Shape.COMPATIBLE}:
            continue
        with pytest.raises(UnreadablePageError):
            read_page(shape, body, NOW)


# What is done to a page, the kind that reads it → the verdict
def set_status(index, status):
    return lambda page: page["components"][index].update(status=status)


def only(*names):
    def change(page):
        page["components"] = [c for c in page["components"] if c["name"] in names]

    return change


JUDGED = {
    "a new word is neither well nor broken": (
        "statuspage_operational", set_status(2, "sharded_outage"), "anthropic", UNKNOWN,
    ),
    "a component without its status is unknown": (
        "statuspage_operational", lambda p: p["components"][2].pop("status"), "anthropic", UNKNOWN,
    ),
    "the id holds when the name has changed": (
        "statuspage_api_outage", lambda p: p["components"][2].update(name="Platform"),
        "anthropic", PART,
    ),
    "a name counts for nothing where the id is there": (
        "statuspage_operational",
        lambda p: p["components"].append(
            {"id": "x", "name": "Claude API exports", "status": "major_outage"}
        ),
        "anthropic", UP,
    ),
    "the name serves when the id has changed": (
        "statuspage_api_outage", lambda p: p["components"][2].update(id="new"), "anthropic", PART,
    ),
    "the whole page counts where nothing is known to be the API": (
        "statuspage_api_outage", only("claude.ai"), "anthropic", PART,
    ),
    "another indicator is unknown": (
        "statuspage_api_outage",
        lambda p: (only("claude.ai")(p), p["status"].update(indicator="meltdown")),
        "anthropic", UNKNOWN,
    ),
    "maintenance is a state of its own": (
        "statuspage_operational", set_status(2, "under_maintenance"), "anthropic", WORKS,
    ),
    "what is broken stands though another part is unknown": (
        "compatible_api_degraded", set_status(5, "new_word"), "openai", SLOW,
    ),
    "an API for something else is none": (
        "compatible_operational", set_status(4, "major_outage"), "openai", UP,
    ),
    "another vendor's page, by its words": (
        "statuspage_api_outage", only("Claude API (api.anthropic.com)"), "openai-compatible", PART,
    ),
    "an affected component that is not named leaves the others unknown": (
        "native_operational",
        lambda p: p["summary"]["affected_components"].append({"status": "full_outage"}),
        "openai", UNKNOWN,
    ),
    "an affected component that is not listed is known by its id": (
        "native_operational",
        lambda p: (
            p["summary"]["components"].pop(0),
            p["summary"]["affected_components"].append(
                {"component_id": "01JMXBRMFE6N2NNT7DG6XZQ6PW", "status": "full_outage"}
            ),
        ),
        "openai", DOWN,
    ),
    "an incident that does not say what it affects": (
        "widget_api_outage", lambda p: p["ongoing_incidents"][0].pop("affected_components"),
        "openai-compatible", UNKNOWN,
    ),
    "an incident of products that are not told": (
        "google_gemini_disruption", lambda p: p[0].pop("affected_products"), "openai", UNKNOWN,
    ),
    "a product by its id, whatever it is called": (
        "google_gemini_disruption",
        lambda p: p[0]["affected_products"][0].update(title="X", current_title="X"),
        "openai", PART,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", JUDGED)
def test_the_verdict(name):
    page, change, kind, state = JUDGED[name]
    assert judge(read_page(None, changed(page, change), NOW), kind).state is state


def test_the_words_show_a_word_that_is_new():
    body = changed("statuspage_operational", set_status(2, "sharded_outage"))
    assert "`sharded_outage`" in judge(read_page(None, body, NOW), "anthropic").words


def test_the_words_are_short_and_hold_no_control_characters():
    def shout(page):
        page["incidents"] = [page["incidents"][0] | {"name": "a\r\n\x1b[31m" + "b" * 5000}] * 50

    words = judge(read_page(None, changed("statuspage_api_outage", shout), NOW), "anthropic").words
    assert len(words) <= 500
    assert words.isprintable()
    assert "47 more" in words


# What is done to a page → what the alarm says
DRIFTED = {
    "a new word": (
        "statuspage_operational", set_status(0, "sharded_outage"),
        ("components[].status: the new word `sharded_outage`",),
    ),
    "a new indicator": (
        "compatible_operational", lambda p: p["status"].update(indicator="meltdown"),
        ("status.indicator: the new word `meltdown`",),
    ),
    "a missing key": (
        "statuspage_operational", lambda p: p.pop("incidents"), ("incidents: missing",),
    ),
    "another type": (
        "native_operational", lambda p: p["summary"].update(ongoing_incidents={}),
        ("summary.ongoing_incidents: an object, not a list",),
    ),
    "null": (
        "google_past_only", lambda p: p[0].update(most_recent_update=None),
        ("[].most_recent_update: null, not an object",),
    ),
    "several": (
        "widget_api_outage",
        lambda p: p["ongoing_incidents"][0].update(status=7, current_worst_impact="mild"),
        (
            "ongoing_incidents[].status: a number, not a text",
            "ongoing_incidents[].current_worst_impact: the new word `mild`",
        ),
    ),
    "a key more is none": (
        "statuspage_operational", lambda p: p.update(banner="Hello"), (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRIFTED)
def test_the_alarm_for_a_page_that_has_changed(name):
    page, change, expected = DRIFTED[name]
    assert drift(changed(page, change)) == expected


def test_the_alarm_for_what_is_no_page_at_all():
    assert drift(HTML) == ("the page: is HTML or XML, not JSON",)
    assert drift(b'{"data": []}') == ("the page: JSON, but of no known engine",)


def test_the_alarm_names_at_most_twenty_things():
    def rename(page):
        page["components"] = [{"id": "x", "name": "x", "status": f"s{n}"} for n in range(100)]

    assert len(drift(changed("statuspage_operational", rename))) == 20


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("https://status.claude.com", ["https://status.claude.com/api/v2/summary.json"]),
        ("http://127.0.0.1:81", ["http://127.0.0.1:81/api/v2/summary.json"]),
        ("https://status.example.com/s.json", ["https://status.example.com/s.json"]),
        ("https://neonstatus.com/api/v1/summary", ["https://neonstatus.com/api/v1/summary"]),
        ("https://status.cloud.google.com", ["https://status.cloud.google.com/incidents.json"]),
        (
            "https://status.openai.com",
            [
                "https://status.openai.com/proxy/status.openai.com",
                "https://status.openai.com/api/v2/summary.json",
            ],
        ),
    ],
)
def test_where_a_page_is_read(page, expected):
    assert list(feeds(page)) == expected
