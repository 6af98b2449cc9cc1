"""What the look of a body and the HTTP status mean where no provider's own words decide."""

import json

import pytest

from understudy.core.faults import Kind, Scope
from understudy.providers.anthropic import ANTHROPIC
from understudy.providers.evidence import of_reply
from understudy.providers.openai import OPENAI
from understudy.providers.registry import MANNERS
from understudy.providers.rules import ruling
from understudy.providers.statuses import STATUSES
from unit.providers.provider_replies import CHALLENGE, openai_error, page, sample

A, E, P, R, M = Scope.ACCOUNT, Scope.EDGE, Scope.PROVIDER, Scope.REQUEST, Scope.MODEL
HTML = {"content-type": "text/html; charset=UTF-8", "server": "cloudflare"}
BLANK = openai_error("Something")


def cloudflare(status, error_code, **more):
    return {
        "cloudflare_error": True,
        "error_code": error_code,
        "status": status,
        "title": f"Error {error_code}",
        **more,
    }


NO_REACH = "the edge does not reach the provider"
FAILED_EDGE = "the edge itself failed"

SAMPLES = [
    sample(
        "an HTML page in place of an answer",
        "200 HTML",
        200,
        page("Sign in"),
        Kind.MALFORMED,
        E,
        headers=HTML,
    ),
    sample(
        "an HTML page in place of an answer",
        "200 HTML under another content type",
        200,
        page("Sign in"),
        Kind.MALFORMED,
        E,
        headers={"content-type": "application/json"},
    ),
    sample("an unknown error under a success", "200 error", 200, BLANK, Kind.OUTAGE, M),
    sample("an empty body in place of an answer", "200 empty", 200, b" \n", Kind.MALFORMED, P),
    sample("an empty body in place of an answer", "204", 204, b"", Kind.MALFORMED, P),
    sample("a body that is not an answer", "200 text", 200, b"pong", Kind.MALFORMED, P),
    sample("a body that is not an answer", "200 cut JSON", 200, b'{"id":"x"', Kind.MALFORMED, P),
    sample("a body that is not an answer", "200 list", 200, [], Kind.MALFORMED, P),
    *(
        sample("a redirect, which is never followed", str(s), s, b"", Kind.MALFORMED, P)
        for s in (301, 302, 303, 307, 308, 304)
    ),
    sample("a status that no HTTP answer has", "101", 101, b"", Kind.MALFORMED, P),
    sample("an impossible status", "999", 999, b"", Kind.MALFORMED, P),
    sample("the key was not accepted", "401 bare", 401, b"", Kind.ACCOUNT, A),
    sample("payment required", "402", 402, BLANK, Kind.ACCOUNT, A),
    sample("turned away by the edge", "403 challenge", 403, CHALLENGE, Kind.OUTAGE, E),
    sample(
        "turned away by the edge",
        "403 by header",
        403,
        b"blocked",
        Kind.OUTAGE,
        E,
        headers={"cf-mitigated": "challenge"},
    ),
    sample("turned away by the edge", "403 1020", 403, b"error code: 1020", Kind.OUTAGE, E),
    sample("not allowed for this key", "403", 403, BLANK, Kind.CONFIG, A),
    sample("no such path", "404 path", 404, openai_error("Not Found"), Kind.CONFIG, P),
    sample("no such model", "404 model", 404, BLANK, Kind.CONFIG, M),
    sample(
        "nothing that speaks this API is at that address",
        "404 HTML",
        404,
        page("404"),
        Kind.CONFIG,
        P,
        headers=HTML,
    ),
    sample("nothing that speaks this API is at that address", "405", 405, b"", Kind.CONFIG, P),
    sample("a model that is gone", "410", 410, BLANK, Kind.CONFIG, M),
    sample("the request timed out", "408", 408, b"", Kind.SLOW, P),
    sample("a conflict", "409", 409, BLANK, Kind.OUTAGE, R),
    sample("the request is too large", "413", 413, BLANK, Kind.CALLER, R),
    sample(
        "the request is too large",
        "413 by the edge, as HTML",
        413,
        page("413 Request Entity Too Large"),
        Kind.CALLER,
        R,
        headers=HTML,
    ),
    sample("throttled by the edge", "429 HTML", 429, page("1015"), Kind.THROTTLED, E, headers=HTML),
    sample(
        "throttled by the edge",
        "429 by Cloudflare",
        429,
        cloudflare(429, 1015, retry_after=30),
        Kind.THROTTLED,
        E,
        retry_after=30.0,
        code="1015",
    ),
    sample(
        "the money is spent",
        "429 of money",
        429,
        openai_error("You are out of credits"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "throttled",
        "429 of money, and yet it says when to come back",
        429,
        openai_error("Daily usage limit"),
        Kind.THROTTLED,
        A,
        headers={"retry-after": "60"},
        retry_after=60.0,
    ),
    sample("throttled", "429 empty", 429, b"", Kind.THROTTLED, A),
    *(
        sample("rejected as a bad request", str(s), s, BLANK, Kind.CALLER, R)
        for s in (400, 406, 415, 418, 422, 431, 451, 499)
    ),
    sample("not implemented", "501", 501, b"", Kind.ADAPTABLE, R),
    sample("overloaded", "503", 503, BLANK, Kind.OVERLOAD, M),
    sample("overloaded, says the edge", "503 text", 503, b"no healthy upstream", Kind.OVERLOAD, E),
    sample("overloaded (529)", "529 empty", 529, b"", Kind.OVERLOAD, M),
    sample("no answer in time", "504", 504, BLANK, Kind.SLOW, M),
    sample("no answer in time, says the edge", "504 HTML", 504, page("504"), Kind.SLOW, E),
    sample(FAILED_EDGE, "500 HTML", 500, page("Internal server error"), Kind.OUTAGE, E),
    sample(FAILED_EDGE, "502 HTML", 502, page("502 Bad Gateway"), Kind.OUTAGE, E),
    *(
        sample(FAILED_EDGE, f"{s} line", s, f"error code: {s}".encode(), Kind.OUTAGE, E)
        for s in (520, 521, 522, 523, 524, 525, 526, 530)
    ),
    sample(
        FAILED_EDGE,
        "522 by Cloudflare, with the wait in its body",
        522,
        cloudflare(522, 522, retryable=True, retry_after=120),
        Kind.OUTAGE,
        E,
        retry_after=120.0,
        code="522",
    ),
    sample(NO_REACH, "502 empty", 502, b"", Kind.OUTAGE, E),
    sample(NO_REACH, "520 empty", 520, b"", Kind.OUTAGE, E),
    sample(NO_REACH, "502 other JSON", 502, {"ok": False}, Kind.OUTAGE, E),
    sample("failed inside", "500", 500, BLANK, Kind.OUTAGE, M),
    sample("failed inside", "502 in the provider's own words", 502, BLANK, Kind.OUTAGE, M),
    sample("failed inside", "599", 599, b"", Kind.OUTAGE, M),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
@pytest.mark.parametrize("kind", MANNERS)
def test_a_reply_is_taken_for_what_it_is(kind, sample):
    fault = MANNERS[kind].read_fault(sample.reply())
    assert (fault.kind, fault.scope) == (sample.kind, sample.scope)
    assert fault.retry_after == sample.retry_after
    assert fault.status == sample.status
    assert sample.code in {None, fault.code}
    assert fault.message
    assert ruling(STATUSES, of_reply(sample.reply())).case == sample.case


def test_every_row_of_the_table_has_its_sample():
    assert {rule.case for rule in STATUSES} == {sample.case for sample in SAMPLES}


def test_the_title_of_an_edges_page_is_kept():
    fault = ANTHROPIC.read_fault(sample("", "", 403, CHALLENGE, "", "").reply())
    assert fault.message == "HTTP 403, turned away by the edge: Just a moment..."


@pytest.mark.parametrize(
    "body",
    [
        b"Dear customer, the answer is 42",
        b'["Dear customer"]',
        json.dumps({"message": "Dear customer", "type": "reply"}).encode(),
        json.dumps({"detail": "Dear customer"}).encode(),
    ],
)
def test_what_may_be_an_answer_is_never_repeated_in_a_fault(body):
    fault = OPENAI.read_fault(sample("", "", 200, body, "", "").reply())
    assert fault.kind is Kind.MALFORMED
    assert "Dear" not in fault.message


def test_a_retry_after_header_wins_over_the_body():
    body = cloudflare(522, 522, retry_after=120)
    reply = sample("", "", 522, body, "", "", headers={"retry-after": "7"}).reply()
    assert ANTHROPIC.read_fault(reply).retry_after == 7.0
