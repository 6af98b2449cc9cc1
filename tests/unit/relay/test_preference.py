"""What a caller prefers, in RFC 7240's grammar; nothing in it is ever an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.relay.jobs.preference import WAIT_SECONDS_MAX, read_preference


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("respond-async", 0.0),
        ("Respond-Async", 0.0),
        ("respond-async, wait=10", 10.0),
        ("wait=10,respond-async", 10.0),
        ('respond-async; foo="a, b", wait="7"', 7.0),
        ("  respond-async  ,  wait = 5 ", 5.0),
        ("handling=lenient, respond-async, wait=3, wait=9", 3.0),
        ("respond-async, wait=soon", 0.0),
        ("respond-async, wait=-1", 0.0),
        ("respond-async, wait=1e3", 0.0),
        ("respond-async, wait=٣", 0.0),
        ("respond-async, wait=999999999999", 0.0),
        ("respond-async, wait=900", WAIT_SECONDS_MAX),
        ('return="a \\" , b", respond-async', 0.0),
        (",,respond-async,,", 0.0),
    ],
)
def test_asks_for_an_answer_later(header, wait):
    assert read_preference(header).wait == wait


@pytest.mark.parametrize(
    "header",
    [
        "",
        "wait=10",
        "return=minimal",
        "respond-asynchronously",
        'x="respond-async',
        "a; respond-async",
    ],
)
def test_asks_for_nothing_of_that_kind(header):
    assert read_preference(header) is None


@given(st.text(alphabet='respond-async,;="\\ wait0123', max_size=60))
def test_is_never_an_error(header):
    found = read_preference(header)
    assert found is None or 0.0 <= found.wait <= WAIT_SECONDS_MAX
