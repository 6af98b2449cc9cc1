"""What `understudy status` shows on a terminal: words first, and nothing that a terminal obeys."""

import msgspec
import pytest

from understudy.services.health_view import HealthView
from understudy.web.status_table import status_lines

URL = "http://127.0.0.1:8081"
#: How the row of the one target begins.
ROW = "    anthropic@main/sonnet"


def health(**changes):
    known = {
        "state": "closed",
        "score": 0.0,
        "suspicious": False,
        "fault": None,
        "next_try_in": None,
        "share": 1.0,
        "proved": True,
        "last_good": "2026-11-22T10:00:00Z",
        "pull": None,
        "told_by": None,
    }
    assert changes.keys() <= known.keys()
    return {**known, **changes}


def crowd(*allowances, bears=None, waiting=0):
    return {
        "allowances": list(allowances),
        "under_way": 7,
        "bears": bears,
        "waiting": waiting,
        "waiting_background": 0,
    }


def allowance(unit, limit, left):
    return {"unit": unit, "limit": limit, "left": left, "age": 3.0}


def view(*, target=None, obstacle=None, served_by="anthropic@main/sonnet", limits=None, **changes):
    shown = {
        "node": "anthropic@main/sonnet",
        "model": "sonnet",
        "health": target or health(),
        "features": ["chat"],
        "obstacle": obstacle,
        "next_probe_in": 61.2,
        "retries": {"first_attempts": 40, "retries": 3, "open": 1, "allowed": True},
        "limits": limits or crowd(),
    }
    account = {"node": "anthropic@main", "health": health(), "targets": [shown]}
    feature = {
        "name": "chat",
        "title": "Chat",
        "served_by": served_by,
        "tier": "same" if served_by else None,
        "preferred": bool(served_by),
        "targets": [],
    }
    whole = {
        "at": "2026-11-22T10:00:05Z",
        "features": [feature],
        "network": {"targets": 2, "serving": 1},
        "providers": [{"node": "anthropic", "health": health(), "accounts": [account]}],
        "pulls": [],
        "causes": [],
        "testimonies": [],
        "quality": [],
    }
    return msgspec.convert({**whole, **changes}, HealthView)


def lines(shown, **options):
    return status_lines(shown, URL, **options)


def line_of(shown, words, **options):
    return next(line for line in lines(shown, **options) if words in line)


def test_the_head_says_where_when_and_how_much_serves():
    assert lines(view())[0] == f"{URL}  2026-11-22T10:00:05Z  1 of 2 targets serve"


def test_a_row_says_what_is_known_of_a_target():
    row = line_of(view(), ROW).split()
    known = ["anthropic@main/sonnet", "closed", "0.0", "100%", "5", "s", "ago"]
    assert row == [*known, "61", "s", "3/40", "7"]


def test_a_row_says_what_a_target_can_take_and_who_waits():
    tokens, requests = allowance("input_tokens", 1000.0, 900.0), allowance("requests", 50.0, 6.0)
    shown = view(limits=crowd(tokens, requests, bears=20, waiting=3))
    assert line_of(shown, ROW).split()[-4:] == ["7/20", "+3", "12%", "requests"]


def test_a_caller_who_is_refused_is_named():
    limited = {
        "key": "tenant:acme",
        "limit": "tokens",
        "ago": 3.2,
        "requests_left": None,
        "tokens_left": 120,
        "under_way": 5,
    }
    told = line_of(view(limited=[limited]), "LIMIT")
    assert told == ("LIMIT  tenant acme: refused for tokens 3 s ago (120 tokens left, 5 under way)")


def test_the_columns_stand_below_their_names():
    told = lines(view())
    head = next(line for line in told if line.startswith("NODE"))
    row = next(line for line in told if ROW in line)
    assert row[head.index("STATE") :].startswith("closed")
    assert row[head.index("RETRIES") :].startswith("3/40")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("open", "open"),
        ("half_open", "half open"),
        ("slow_start", "slow start"),
        ("never_proved", "never proved"),
        ("pulled", "pulled"),
    ],
)
def test_a_state_is_a_word_with_colours_and_without(state, words):
    shown = view(target=health(state=state))
    assert words in line_of(shown, ROW)
    assert words in line_of(shown, ROW, colour=True)


def test_an_outage_shows_why_and_when_it_is_tried_again():
    fault = {
        "kind": "overload",
        "scope": "model",
        "status": 529,
        "code": "overloaded_error",
        "message": "Overloaded",
        "retry_after": None,
    }
    shown = view(target=health(state="open", score=20.0, fault=fault, next_try_in=12.3))
    row = line_of(shown, "529")
    assert row.endswith("overload 529 overloaded_error: Overloaded")
    assert "20.0" in row
    assert " 12 s " in row


def test_a_pull_shows_who_and_why():
    pull = {
        "node": "anthropic",
        "reason": "it invents",
        "by": "ann",
        "at": "2026-11-22T09:00:00Z",
    }
    shown = view(target=health(state="pulled", pull=pull))
    assert line_of(shown, ROW).endswith("pulled by ann: it invents")


def test_what_stands_above_a_target_is_its_reason_too():
    shown = view(obstacle="anthropic@main: account, next try in 290 s")
    assert line_of(shown, ROW).endswith("anthropic@main: account, next try in 290 s")


def test_a_suspicion_is_marked_and_what_never_worked_says_so():
    row = line_of(view(target=health(suspicious=True, score=3.4, last_good=None)), "3.4?")
    assert "never" in row


def test_a_feature_that_nothing_serves_says_so():
    assert "nobody" in line_of(view(served_by=None), "chat ")


def test_a_substitute_is_named_as_one():
    shown = view()
    shown.features[0].preferred = False
    shown.features[0].tier = "substitute"
    row = line_of(shown, "chat ")
    assert row.endswith("anthropic@main/sonnet, not the first choice (substitute)")


def test_causes_come_with_what_speaks_for_and_against_them():
    cause = {
        "kind": "provider_down",
        "node": "anthropic",
        "about": "acme",
        "share": 0.82,
        "evidence_for": ["two accounts fail"],
        "evidence_against": ["its page says nothing"],
    }
    said = {
        "provider": "anthropic",
        "source": "https://s.example",
        "state": "operational",
        "words": "API: operational",
        "age": 30.0,
    }
    told = lines(view(causes=[cause], testimonies=[said]))
    assert "CAUSE  provider_down at anthropic, tenant acme (82%)" in told
    assert "  + two accounts fail" in told
    assert "  - its page says nothing" in told
    assert "PAGE   anthropic: API: operational (https://s.example, 30 s ago)" in told


EVIL = "\x1b]0;owned\x07\x1b[2J\u202e\r\nx"


def test_nothing_that_a_provider_or_a_person_writes_is_obeyed_by_the_terminal():
    fault = {
        "kind": "outage",
        "scope": "model",
        "status": 500,
        "code": EVIL,
        "message": EVIL,
        "retry_after": None,
    }
    pull = {"node": "a", "reason": EVIL, "by": EVIL, "at": "2026-11-22T09:00:00Z"}
    cause = {
        "kind": EVIL,
        "node": EVIL,
        "about": EVIL,
        "share": 1.0,
        "evidence_for": [EVIL],
        "evidence_against": [EVIL],
    }
    said = {"provider": EVIL, "source": EVIL, "state": "x", "words": EVIL, "age": 0.0}
    shown = [
        view(target=health(fault=fault)),
        view(target=health(pull=pull)),
        view(obstacle=EVIL, served_by=EVIL, causes=[cause], testimonies=[said]),
    ]
    for one in shown:
        assert all(line.isprintable() for line in lines(one))


def test_no_line_is_longer_than_the_terminal_is_wide():
    shown = view(obstacle="x" * 300)
    assert max(map(len, lines(shown, width=60))) == 60
    assert line_of(shown, ROW, width=150).endswith("…")


def test_colours_add_nothing_but_colours():
    shown = view(target=health(state="open"))
    for plain, painted in zip(lines(shown), lines(shown, colour=True), strict=True):
        bare = painted
        while "\x1b[" in bare:
            before, _, rest = bare.partition("\x1b[")
            bare = before + rest.partition("m")[2]
        assert bare == plain


@pytest.mark.parametrize(
    ("fleet", "words"),
    [
        (
            {"process": "b-2", "processes": 3, "leader": "a-1", "reachable": True},
            "3 processes, a-1 leads; this is b-2",
        ),
        (
            {"process": "b-2", "processes": 1, "leader": None, "reachable": True},
            "1 process, nobody leads; this is b-2",
        ),
        (
            {"process": "b-2", "processes": 3, "leader": None, "reachable": False},
            "PostgreSQL can't be reached: 3 processes at last, each decides by itself",
        ),
    ],
)
def test_who_serves_together_stands_below_the_head(fleet, words):
    assert lines(view(fleet=fleet))[1] == words


def test_of_one_that_is_alone_nothing_is_said_of_others():
    assert lines(view())[1] == ""


def test_what_another_process_has_found_is_said_to_be_told():
    fault = {
        "kind": "outage",
        "scope": "model",
        "status": 500,
        "code": None,
        "message": "down",
        "retry_after": None,
    }
    shown = view(target=health(state="open", fault=fault, told_by="a-1"))
    (row,) = (line for line in lines(shown) if line.startswith(ROW))
    assert row.endswith("outage 500: down (told by a-1)")
