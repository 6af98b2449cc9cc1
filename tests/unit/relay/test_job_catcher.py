"""What a job's answer is kept of: all of it, or nothing."""

import pytest

from understudy.relay.jobs import catcher as module
from understudy.relay.jobs.catcher import Catcher

HEAD = b"date: Mon, 23 Nov 2026 00:00:00 GMT\r\ncontent-type: text/plain\r\nx-note: a: b\r\n"


def test_a_whole_answer_without_its_date():
    catcher = Catcher()
    catcher.respond(200, HEAD, b"body")
    answer = catcher.answer()
    assert (answer.status, answer.body) == (200, b"body")
    assert answer.headers == (("content-type", "text/plain"), ("x-note", "a: b"))
    assert catcher.done.is_set()
    assert catcher.is_whole


def test_a_stream_is_whole_at_its_end_and_not_before():
    catcher = Catcher()
    catcher.begin(200, HEAD)
    catcher.send(b"a")
    assert not catcher.done.is_set()
    catcher.send(b"b")
    catcher.end()
    assert catcher.answer().body == b"ab"


def test_what_is_cut_is_not_whole():
    catcher = Catcher()
    catcher.begin(200, HEAD)
    catcher.send(b"a")
    catcher.cut()
    assert catcher.done.is_set()
    assert not catcher.is_whole


@pytest.mark.parametrize("pieces", [1, 3])
def test_what_is_too_long_is_let_go_of_as_it_comes(monkeypatch, pieces):
    monkeypatch.setattr(module, "MAX_ANSWER", 1000)
    catcher = Catcher()
    catcher.begin(200, HEAD)
    for _ in range(pieces):
        catcher.send(b"x" * 900)
    assert catcher.is_too_long == catcher.done.is_set() == (pieces > 1)
    catcher.end()
    assert catcher.is_whole == (pieces == 1)
