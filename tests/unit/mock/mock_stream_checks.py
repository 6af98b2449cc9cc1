"""What entries must show whose streams do not get on, fail in Responses' own forms, or go on."""

from understudy.mock import tokens
from unit.mock.mock_case import in_order, is_right


def noise_without_end(text, *needles):
    """Bytes keep coming, 15 s apart, and none of them is content."""

    def check(case):
        needle = needles[0 if case.is_messages or len(needles) == 1 else 1]
        assert case.seen.body.count(needle) >= 3
        assert case.right.text.startswith(case.seen.text)
        low, high = text
        assert low <= len(case.seen.text) <= high
        assert not case.seen.whole
        assert set(case.waits) == {15.0}
        assert case.attempt.client_closed

    return check


def empty_deltas_without_end(case):
    last = case.seen.events[-1]
    assert case.seen.events[-3:] == [last] * 3
    assert "" in _values(last[1])
    noise_without_end(AFTER_20, b"delta")(case)


def _values(data):
    """Every value within `data`."""
    if not isinstance(data, dict | list):
        return [data]
    inner = data.values() if isinstance(data, dict) else data
    return [value for part in inner for value in _values(part)]


#: Characters of 20 tokens.
AFTER_20 = (60, 110)


def drips(case):
    is_right(case)
    assert set(case.waits) == {2.0}
    assert 0 < len(case.waits) < len(case.seen.events)


def pings_come_first(case):
    is_right(case)
    assert case.waits == [15.0] * 10
    before, _, _ = case.seen.body.partition(case.right.text[:4].encode())
    assert before.count(b"ping\n") == 10 + case.is_messages


def response_failed(code):
    def check(case):
        assert case.seen.status == 200
        assert case.seen.whole
        response = case.seen.objects[-1]["response"] if case.stream else case.seen.json
        assert (response["status"], response["error"]["code"]) == ("failed", code)
        assert response["error"]["message"]
        assert (response["output"], response["usage"]) == ([], None)
        if case.stream:
            assert case.seen.events[-1][0] == "response.failed"
            assert 0 < len(case.seen.text) < len(case.right.text)
            in_order(case)

    return check


def error_in_an_object(case):
    event, data = case.seen.events[-1]
    assert (event, data["type"]) == ("error", "error")
    assert (data["error"]["code"], data["error"]["type"]) == ("server_error", "server_error")
    assert 0 < len(case.seen.text) < len(case.right.text)
    in_order(case)


def error_and_failure(case):
    assert [name for name, _ in case.seen.events[-2:]] == ["error", "response.failed"]
    error, failed = case.seen.objects[-2:]
    assert error["error"]["message"] == failed["response"]["error"]["message"]
    assert not case.seen.terminal
    in_order(case)


def one_number_missing(case):
    missing = set(case.right.numbers) - set(case.seen.numbers)
    assert len(missing) == 1
    assert case.seen.terminal
    assert 0 < len(case.right.text) - len(case.seen.text) <= 25


def done_is_said(case):
    is_right(case)
    assert case.seen.events[-1] == ("", "[DONE]")
    assert case.right.events[-1][0] == "response.completed"


# -- how an answer goes on: `case.right` is the rest of it, as it should be


def goes_on(check):
    def both(case):
        assert case.attempt.continues
        assert case.seen.reasons == case.right.reasons
        assert case.seen.terminal == case.stream
        check(case.seen.text, case.before, case.right.text)
        used = case.attempt.output_tokens
        assert used == tokens.count(case.seen.text)

    return both


def overlaps(text, before, rest):
    assert text == before[-30:] + rest


def has_preamble(text, before, rest):
    assert text == f"Sure, here is the continuation:\n\n{rest}"


def starts_again(text, before, rest):
    assert text == before + rest


def opens_the_fence_again(text, before, rest):
    assert text == f"```python\n{rest}"


def says_it_otherwise(text, before, rest):
    whole = before + rest
    assert len(text) > 200
    assert not any(text[i : i + 24] in whole for i in range(len(text) - 24))


def says_nothing(text, before, rest):
    assert (text, bool(rest)) == ("", True)


def loses_white_space(text, before, rest):
    assert rest[0].isspace()
    assert text == rest.lstrip()
