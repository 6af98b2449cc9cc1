"""What each entry of the fault catalogue must show on the wire, in every dialect and mode."""
# ruff: noqa: E501 - a row of a table stands on one line

import gzip

import pytest

from unit.mock import mock_stream_checks as streams
from unit.mock.mock_case import Case, in_order, is_right
from unit.mock.mock_error_table import ERRORS, RETRY_AFTER
from unit.mock.mock_wire import Seen

# -- what must be seen


def is_error(name, *, as_if=None):
    def check(case):
        assert case.seen.whole
        assert case.seen.headers["content-type"] == "application/json"
        expected = case.error(as_if or name)
        error = case.seen.json["error"]
        code = error.get("details", {}).get("error_code") if case.is_messages else error["code"]
        assert (case.seen.status, error["type"], code) == expected
        assert case.words(name) in error["message"]
        assert case.seen.headers.get("retry-after") == RETRY_AFTER.get(name)
        if case.is_messages:
            assert case.seen.json["type"] == "error"
            assert case.seen.json["request_id"] == case.seen.headers["request-id"]

    return check


def breaks_midway(case):
    """Some of the text came, not all of it, and the framing never ended."""
    assert case.seen.status == 200
    assert not case.seen.whole
    if case.stream:
        assert 0 < len(case.seen.text) < len(case.right.text)
        assert case.right.text.startswith(case.seen.text)
        assert not case.seen.reasons
        assert not case.seen.terminal
    else:
        assert 0 < len(case.seen.body) < len(case.right.body)


def fails_within_stream(name):
    def check(case):
        kind, code = case.error(name)[1:]
        assert case.seen.status == 200
        assert case.seen.whole
        if case.stream and case.is_responses:
            event, data = case.seen.events[-1]
            assert (event, data["type"], data["code"]) == ("error", "error", code or kind)
            assert data["message"]
        else:
            error = (case.seen.objects[-1] if case.stream else case.seen.json)["error"]
            assert error["type"] == kind
            assert case.is_messages or error["code"] == code
        if case.stream:
            assert 0 < len(case.seen.text) < len(case.right.text)
            assert not case.seen.terminal
            assert case.seen.events[-1][0] == (
                "" if case.dialect == "chat_completions" else "error"
            )
            in_order(case)

    return check


def is_edge_page(status):
    def check(case):
        assert case.seen.status == status
        assert case.seen.headers["server"] == "cloudflare"
        assert case.seen.headers["content-type"].startswith("text/html")
        assert f"{status}: ".encode() in case.seen.body
        assert case.seen.whole

    return check


def responds(status, *, content_type=None, body=b"", **headers):
    def check(case):
        assert case.seen.status == status
        assert case.seen.whole
        assert (case.seen.headers.get("content-type") or "").startswith(content_type or "")
        assert ("content-type" in case.seen.headers) == bool(content_type)
        assert body in case.seen.body
        assert bool(body) == bool(case.seen.body)
        assert (
            headers.items()
            <= {k.replace("-", "_"): v for k, v in case.seen.headers.items()}.items()
        )

    return check


def ends_with(end, check=breaks_midway):
    def both(case):
        assert case.seen.end == end
        check(case)

    return both


def left_hanging(case):
    breaks_midway(case)
    assert case.attempt.hung
    assert case.attempt.client_closed


def cut_after_tokens(case):
    breaks_midway(case)
    assert case.seen.end == "eof"
    assert 60 <= len(case.seen.text) <= 110  # 20 tokens of four characters and a space or so


def waits(*expected, check=is_right):
    def both(case):
        assert tuple(case.waits) == expected
        check(case)

    return both


def waits_at_every_part(seconds):
    def check(case):
        is_right(case)
        assert set(case.waits) == {seconds}
        assert len(case.waits) >= (len(case.seen.events) if case.stream else 3)

    return check


def waits_at_every_header(case):
    is_right(case)
    assert case.waits == [1.0] * (len(case.seen.head.split("\r\n")) + 1)


def byte_by_byte(case):
    is_right(case)
    assert case.waits == [0] * len(case.seen.raw)


def ends_within_character(case):
    assert case.seen.end == "eof"
    assert not case.seen.terminal
    with pytest.raises(UnicodeDecodeError):
        case.seen.body.decode()
    assert case.seen.body[-1] >= 0xC2
    if case.stream:
        assert case.seen.whole


def ends_within_event(case):
    assert case.seen.whole
    assert case.seen.body[-1:] != b"\n"
    assert 0 < len(case.seen.text) < len(case.right.text)
    assert not case.seen.terminal


def ends_within_chunk(case):
    breaks_midway(case)
    _, left, _ = case.seen.chunks
    assert left
    assert case.seen.end == "eof"


def length_is_wrong(by):
    def check(case):
        assert int(case.seen.headers["content-length"]) == len(case.right.body) + by
        assert case.seen.body == case.right.body
        assert case.seen.end == "eof"

    return check


def ends_without_terminal(case):
    assert case.seen.whole
    assert case.seen.text == case.right.text
    assert not case.seen.reasons
    assert not case.seen.terminal


def only_stop_missing(case):
    assert case.seen.text == case.right.text
    assert case.seen.reasons
    assert not case.seen.terminal


def only_finish_missing(case):
    assert case.seen.text == case.right.text
    assert not case.seen.reasons
    assert case.seen.terminal


def error_and_last_word(case):
    assert 0 < len(case.seen.text) < len(case.right.text)
    assert case.seen.terminal
    if case.is_responses:
        error, last = case.seen.objects[-2:]
        assert (error["type"], error["code"]) == ("error", 500)
        assert last["type"] == "response.completed"
        return
    assert "error" in case.seen.objects[-2 if case.is_messages else -1]
    assert not case.seen.reasons
    if not case.is_messages:
        assert case.seen.objects[-1]["error"]["code"] == 500


def bare_line(case):
    assert case.seen.body.endswith(
        b'\n{"error":"an error was encountered while running the model"}\n'
    )
    assert not case.seen.terminal


def one_event_unparsable(case):
    broken = [data for _, data in case.seen.events if isinstance(data, str) and data != "[DONE]"]
    assert len(broken) == 1
    assert case.seen.text == case.right.text
    assert case.seen.terminal


def one_event_huge(case):
    assert max(map(len, case.seen.chunks[0])) > 2 * 1024 * 1024
    assert case.seen.terminal


def has_strange(needle):
    def check(case):
        is_right(case)
        assert needle in case.seen.body
        assert needle not in case.right.body

    return check


def reason_is(reason):
    def check(case):
        is_right(case)
        assert case.seen.reasons == [reason]

    return check


def reasons_empty(case):
    is_right(case)
    told = [c["finish_reason"] for data in case.seen.objects for c in data.get("choices", ())]
    assert None not in told
    assert set(told) == {"", "stop"}


def no_usage(case):
    is_right(case)
    assert b'"usage":{' in case.right.body
    assert b'"usage":{' not in case.seen.body


def crlf_and_bom(case):
    is_right(case)
    assert case.seen.body.startswith(b"\xef\xbb\xbf")
    assert b"\n" not in case.seen.body.replace(b"\r\n", b"")


def empty_but_ended(case):
    assert case.seen.text == ""
    assert case.seen.reasons == [case.reason("end_turn", "stop", "completed")]
    assert case.seen.terminal == case.stream


def refused(text):
    def check(case):
        assert (case.seen.text == "") == (text == "")
        assert case.right.text.startswith(case.seen.text)
        assert case.seen.reasons == [case.reason("refusal", "content_filter", "content_filter")]
        if case.is_messages:
            assert b'"stop_details":{"type":"refusal"' in case.seen.body

    return check


def refused_in_words(case):
    assert case.seen.text == ""
    assert case.seen.reasons == [case.reason("", "stop", "completed")]
    assert b'"refusal":"I can\'t help with that request."' in case.seen.body


def ends_well_but(check):
    def both(case):
        assert case.seen.text != case.right.text
        assert case.seen.reasons == case.right.reasons
        assert case.seen.terminal == case.stream
        assert check(case.seen.text, case.right.text)

    return both


def arguments_broken(case):
    assert case.seen.reasons == [case.reason("tool_use", "tool_calls", "completed")]
    assert case.seen.arguments.endswith(", oops")


def gzipped(case):
    assert case.seen.headers["content-encoding"] == "gzip"
    assert gzip.decompress(case.seen.body) == case.right.body


def unpacks_to_much(case):
    assert len(case.seen.body) < 64 * 1024
    assert len(gzip.decompress(case.seen.body)) == 16 * 1024 * 1024


def problem_json(case):
    assert case.seen.status == 522
    problem = case.seen.json
    assert (problem["cloudflare_error"], problem["retryable"], problem["retry_after"]) == (
        True,
        True,
        120,
    )
    assert "error" not in problem


def not_http(case):
    assert case.seen.raw == b"SSH-2.0-OpenSSH_9.6\r\n"
    assert case.seen.end == "eof"


def both_lengths(case):
    assert "content-length" in case.seen.headers
    assert case.seen.chunked


def header_of_256k(case):
    is_right(case)
    assert len(case.seen.headers["x-filler"]) == 256 * 1024


def limits_are_garbage(case):
    is_right(case)
    limits = {n: v for n, v in case.seen.headers.items() if "ratelimit" in n}
    assert len(limits) == (12 if case.is_messages else 6)
    assert limits.keys() == {n for n in case.right.headers if "ratelimit" in n}
    assert {"soon", "-1", ""} <= set(limits.values())


def early_hints_first(case):
    first, _, rest = case.seen.raw.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 103 Early Hints\r\nlink: ")
    is_right(Case(Seen(rest, case.seen.end), case.right, case.dialect, case.stream, [], None))


def has_trailer(case):
    assert case.seen.chunked
    assert case.seen.raw.endswith(b"0\r\nx-mock-trailer: seen\r\n\r\n")
    assert case.seen.body.count(b"model") == case.right.body.count(b"model")


def ended_by_close(case):
    assert not {"content-length", "transfer-encoding"} & case.seen.headers.keys()
    assert case.seen.end == "eof"
    assert len(case.seen.body) == len(case.right.body)


def closed_unannounced(case):
    is_right(case)
    assert "connection" not in case.seen.headers
    assert case.seen.end == "eof"


CHECKS = {
    **{name: is_error(name) for name in ERRORS},
    **{f"retry_after_{n}": is_error(f"retry_after_{n}", as_if="rate_limited") for n in ("missing", "zero", "negative", "date", "10h", "garbage")},
    "flapping": is_error("flapping", as_if="overloaded"),
    "overloaded_mid_stream": fails_within_stream("overloaded"),
    "internal_error_mid_stream": fails_within_stream("internal_error"),
    "rate_limited_mid_stream": fails_within_stream("rate_limited"),
    "vllm_flat_error": responds(400, content_type="application/json", body=b'{"object":"error","message"'),
    "vllm_engine_dead": responds(500, content_type="application/json", body=b'"code":500'),
    "ollama_queue_full": responds(503, content_type="application/json", body=b'{"error":"server busy'),
    "llamacpp_loading": responds(503, content_type="application/json", body=b'"message":"Loading model"'),
    "llamacpp_context": responds(400, content_type="application/json", body=b'"type":"exceed_context_size_error"'),
    **{f"edge_{status}": is_edge_page(status) for status in (502, 520, 521, 522, 523, 524, 525, 526, 530)},
    "edge_problem": problem_json,
    "edge_520_empty": responds(520, server="cloudflare"),
    "challenge_403": responds(403, content_type="text/html", body=b"Just a moment...", cf_mitigated="challenge"),
    "request_too_large_edge": responds(413, content_type="text/html", body=b"413 Request Entity Too Large"),
    "redirect_to_metadata": responds(302, location="http://169.254.169.254/latest/meta-data/iam/security-credentials/"),
    "html_200": responds(200, content_type="text/html", body=b"<!DOCTYPE html>"),
    "empty_200": responds(200, content_type="application/json"),
    "wrong_body_200": responds(200, content_type="application/json", body=b"Returning 200 anyway"),
    "wrong_content_type": lambda case: (is_right(case), responds(200, content_type="application/octet-stream", body=b"model")(case)),
    "gzip_unasked": gzipped,
    "gzip_bomb": unpacks_to_much,
    "not_http": not_http,
    "conflicting_lengths": both_lengths,
    "oversized_header": header_of_256k,
    "garbage_limits": limits_are_garbage,
    "interim_response": early_hints_first,
    "chunked_trailers": has_trailer,
    "close_delimited": ended_by_close,
    "idle_close": closed_unannounced,
    "reset": ends_with("reset"),
    "close": ends_with("eof"),
    "half_close": left_hanging,
    "hang": left_hanging,
    "cut_after": cut_after_tokens,
    "stall_after": waits(60.0),
    "first_token_late": waits(30.0),
    "headers_late": waits(30.0),
    "slow_headers": waits_at_every_header,
    "slow_drip": waits_at_every_part(2.0),
    "byte_sliced": byte_by_byte,
    "truncated_utf8": ends_within_character,
    "truncated_sse": ends_within_event,
    "truncated_chunk": ends_within_chunk,
    "length_too_long": length_is_wrong(100),
    "length_too_short": length_is_wrong(-10),
    "no_terminal": ends_without_terminal,
    "stop_missing": only_stop_missing,
    "done_missing": only_stop_missing,
    "finish_missing": only_finish_missing,
    "error_then_done": error_and_last_word,
    "bare_error_line": bare_line,
    "malformed_event": one_event_unparsable,
    "oversized_event": one_event_huge,
    "ping_only": streams.noise_without_end((0, 0), b"event: ping", b": ping"),
    "stall_with_pings": streams.noise_without_end(streams.AFTER_20, b"event: ping", b": ping"),
    "stall_with_comments": streams.noise_without_end(streams.AFTER_20, b": keep-alive\n\n"),
    "stall_with_empty_deltas": streams.empty_deltas_without_end,
    "drip_after": streams.drips,
    "pings_first": streams.pings_come_first,
    "response_failed": streams.response_failed("server_error"),
    "response_failed_rate_limited": streams.response_failed("rate_limit_exceeded"),
    "error_nested": streams.error_in_an_object,
    "error_then_failed": streams.error_and_failure,
    "sequence_gap": streams.one_number_missing,
    "done_after_completed": streams.done_is_said,
    "habit_overlap": streams.goes_on(streams.overlaps),
    "habit_preamble": streams.goes_on(streams.has_preamble),
    "habit_restart": streams.goes_on(streams.starts_again),
    "habit_fence": streams.goes_on(streams.opens_the_fence_again),
    "habit_paraphrase": streams.goes_on(streams.says_it_otherwise),
    "habit_none": streams.goes_on(streams.says_nothing),
    "habit_lost_space": streams.goes_on(streams.loses_white_space),
    "pings": has_strange(b": keep-alive\n\n"),
    "crlf_stream": crlf_and_bom,
    "unknown_event": has_strange(b'"outlook":"fair"'),
    "unknown_fields": has_strange(b'"x_experiment":{"arm":7'),
    "unknown_reason": reason_is("changed_its_mind"),
    "empty_reason": reasons_empty,
    "usage_missing": no_usage,
    "empty_answer": empty_but_ended,
    "refusal": refused(""),
    "refusal_midway": refused("some"),
    "refusal_in_words": refused_in_words,
    "garbled": ends_well_but(lambda text, right: "模型" in text and text[:20] == right[:20]),
    "repetition": ends_well_but(lambda text, right: text.count(" ".join(right.split(" ")[:6])) > 40),
    "half_answer": ends_well_but(lambda text, right: right.startswith(text) and len(text) < len(right)),
    "prose_for_json": ends_well_but(lambda text, _: text.startswith("Sure! Here is the answer")),
    "broken_arguments": arguments_broken,
}  # fmt: skip
