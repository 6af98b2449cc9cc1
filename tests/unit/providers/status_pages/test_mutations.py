"""A page that has been damaged never says what the whole one did not."""

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from understudy.providers.status_pages import (
    Report,
    Shape,
    State,
    UnreadablePageError,
    drift,
    judge,
    read_page,
)
from unit.providers.status_pages.page_fixtures import KINDS, NOW, PAGES

WRONG = [None, True, 7, -1.5, "", "another word", [], {}, [[]], {"id": 1}]
#: Keys whose texts are words for a state: there, another text is damage as well.
WORDS = {"status", "indicator", "impact", "current_status", "current_worst_impact"}


def places(value, at=()):
    """The path of everything in a JSON value."""
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*at, key)
            yield from places(one, (*at, key))


ORIGINALS = {name: json.loads(body) for name, body in PAGES.items()}
PLACES = {name: list(places(page)) for name, page in ORIGINALS.items()}


@st.composite
def damaged(draw):
    """A page's name, and its JSON with keys dropped and values of other types put in."""
    name = draw(st.sampled_from(sorted(PAGES)))
    page = copy.deepcopy(ORIGINALS[name])
    for at in draw(st.lists(st.sampled_from(PLACES[name]), min_size=1, max_size=3, unique=True)):
        damage(page, at, draw)
    return name, page


def damage(page, at, draw):
    *way, last = at
    for key in way:
        try:
            page = page[key]
        except (KeyError, IndexError, TypeError):
            return  # An earlier damage has taken it away.
    if isinstance(page, list) and isinstance(last, int) and last < len(page):
        page[last] = draw(wrong(page[last], last))
    elif isinstance(page, dict) and last in page:
        if draw(st.booleans()):
            del page[last]
        else:
            page[last] = draw(wrong(page[last], last))


def wrong(value, key):
    """Values of other types; for a word, also other texts."""
    return st.sampled_from([w for w in WRONG if key in WORDS or type(w) is not type(value)])


def states(report: Report) -> set[State]:
    """All that a page says; Google's, by silence, also that what it does not list is well."""
    affected = [one for i in report.incidents or () for one in i.affected or ()]
    said = {report.overall, *(one.state for one in (*report.components, *affected))}
    return said | {State.OPERATIONAL} if report.shape is Shape.GOOGLE else said


def read(name: str, body: bytes) -> Report | None:
    try:
        return read_page(None, body, NOW)
    except UnreadablePageError:
        return None


@given(damaged())
def test_damage_makes_a_page_say_less_never_something_else(case):
    name, page = case
    report = read(name, json.dumps(page).encode())
    drift(json.dumps(page).encode())
    if report is None:
        return
    whole = read_page(None, PAGES[name], NOW)
    said = states(whole) | {State.UNKNOWN}
    assert {report.overall, *(one.state for one in report.components)} <= said
    by_id = {one.id: one.state for one in whole.components}
    for one in report.components:
        assert one.state in {by_id.get(one.id, one.state), State.UNKNOWN} or not one.id
    verdict, before = judge(report, KINDS[name]), judge(whole, KINDS[name])
    assert verdict.state in said | {before.state}
    if before.state is not State.OPERATIONAL:
        assert verdict.state is not State.OPERATIONAL


@given(st.sampled_from(sorted(PAGES)), st.data())
def test_a_truncated_page_says_nothing(name, data):
    body = PAGES[name].rstrip()
    assert read(name, body[: data.draw(st.integers(0, len(body) - 1))]) is None


@given(st.binary(max_size=200))
def test_whatever_is_sent_nothing_else_is_raised(body):
    read("", body)
    drift(body)


KEYS = st.sampled_from(["page", "summary", "components", "ongoing_incidents", "id", "status"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
)


@given(ANYTHING)
def test_whatever_json_is_sent_nothing_else_is_raised(value):
    body = json.dumps(value).encode()
    read("", body)
    drift(body)
