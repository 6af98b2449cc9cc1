"""Bodies that are no request: each is told what is wrong with it, and nobody else notices."""

import json

import pytest

HELLO = {"model": "by-claude", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}

#: A dialect's known fields → values of wrong types.
MESSAGES_FIELDS = {
    "model": [7, None, "", [], {}],
    "messages": [7, None, "Hello", {}, [], [7], [{}], [{"role": "user"}],
                 [{"role": "nobody", "content": "x"}], [{"role": "user", "content": 7}],
                 [{"role": "user", "content": [7]}], [{"role": "user", "content": [{"type": 7}]}],
                 [{"role": "user", "content": [{"type": "text", "text": 7}]}]],
    "max_tokens": ["7", None, -1, 1.5, [], True],
    "stream": ["yes", 1, []],
    "system": [7, {}, [7], [{"type": "text", "text": 7}]],
    "temperature": ["hot", [], {}],
    "top_p": ["all", []],
    "top_k": ["all", 1.5],
    "stop_sequences": ["x", 7, [7]],
    "tools": [7, "x", [7], [{}], [{"name": 7, "input_schema": {}}],
              [{"name": "x", "input_schema": 7}]],
    "tool_choice": [7, "auto", [], {"type": 7}],
    "thinking": [7, "on", []],
    "metadata": [7, "x", []],
}  # fmt: skip
CHAT_FIELDS = {
    "model": [7, None, "", [], {}],
    "messages": [7, None, "Hello", {}, [], [7], [{}], [{"role": "nobody", "content": "x"}],
                 [{"role": "user", "content": 7}], [{"role": "user", "content": [7]}],
                 [{"role": "user", "content": [{"type": "text", "text": 7}]}]],
    "max_tokens": ["7", -1, 1.5, []],
    "max_completion_tokens": ["7", 1.5, []],
    "stream": ["yes", 1, []],
    "stream_options": [7, "x", []],
    "temperature": ["hot", [], {}],
    "top_p": ["all", []],
    "stop": [7, {}, [7]],
    "tools": [7, "x", [7], [{}], [{"type": "function", "function": {"name": 7}}]],
    "tool_choice": [7, []],
    "response_format": [7, "json", []],
    "n": ["two", []],
}  # fmt: skip
#: Where the dialect stays, the rest of the body is for the vendor to judge; what the stand-in is
#: not strict about is asked for in translation only.
LENIENT = {"metadata": ("by-gpt",), "top_k": ("by-gpt",)}
WRONG = [
    pytest.param(path, field, value, by, id=f"{path[4:8]}-{field}-{json.dumps(value)[:40]}-{by}")
    for path, fields in (
        ("/v1/messages", MESSAGES_FIELDS),
        ("/v1/chat/completions", CHAT_FIELDS),
    )
    for field, values in fields.items()
    for value in values
    for by in LENIENT.get(field, ("by-claude", "by-gpt"))
]


class TestBodies:
    @pytest.mark.parametrize(("path", "field", "value", "feature"), WRONG)
    def test_a_field_of_a_wrong_type_is_named(self, caller, path, field, value, feature):
        body = {"model": feature, "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
        if field == "stream_options":
            body["stream"] = True
        own = {"x-understudy-feature": feature}
        got = caller.post(path, json={**body, field: value}, headers=own)
        assert got.status_code == 400
        error = got.json()["error"]
        assert error["type"] == "invalid_request_error"
        named = f"{error['message']} {error.get('param')}"
        assert field in named
        assert (got.json().get("type") == "error") is (path == "/v1/messages")

    @pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
    @pytest.mark.parametrize(
        "body",
        [
            b"", b" ", b"null", b"7", b'"x"', b"[]", b"{", b"{}}", b"{'a': 1}", b"\xef\xbb\xbf{}",
            b'{"model": "by-claude", }', b'{"model": "by-claude"} {"model": "by-gpt"}',
            b'{"model": NaN}', b'{"model": Infinity}', b'{"model": "\xff\xfe"}',
            b'{"model": "\\ud800"}', b'{"\xff": 1}', b"[" * 100_000, b'{"a":' * 100_000,
            b'{"model": "by-claude", "max_tokens": 1e999, "messages": [{}]}',
            b'{"model": "by-claude", "max_tokens": ' + b"9" * 5000 + b', "messages": [{}]}',
            b'{"model": "by-claude", "max_tokens": 5, "messages": ' + b"[" * 50_000 + b"]" * 50_000
            + b"}",
            b'{"model": "by-gpt", "max_tokens": 5, "messages": [{"role": "user", "content": '
            + b"[" * 50_000 + b"]" * 50_000 + b"}]}",
        ],
        ids=lambda body: repr(body[:30]),
    )  # fmt: skip
    def test_what_is_no_body_of_the_dialect_is_400(self, caller, house, path, body):
        got = caller.post(path, content=body, headers={"content-type": "application/json"})
        assert got.status_code in {400, 404}
        assert got.json()["error"]["type"] in {"invalid_request_error", "not_found_error"}
        assert house.process.poll() is None

    @pytest.mark.parametrize("feature", ["by-claude", "by-gpt"])
    @pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
    def test_deep_nesting_where_anything_may_stand_is_survived(self, caller, house, path, feature):
        deep = '{"a":' * 5000 + "1" + "}" * 5000
        tool = {"name": "x", "input_schema": 0}
        if path != "/v1/messages":
            tool = {"type": "function", "function": {"name": "x", "parameters": 0}}
        body = {"model": feature, "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
        content = json.dumps({**body, "tools": [tool]})
        at = content.rindex("0")
        content = content[:at] + deep + content[at + 1 :]
        got = caller.post(path, content=content)
        assert got.status_code in {200, 400}
        assert house.process.poll() is None

    def test_a_field_that_stands_twice_counts_once(self, caller, house_stand_in):
        body = (
            b'{"model": "by-gpt", "model": "by-claude", "max_tokens": 5,'
            b' "messages": [{"role": "user", "content": "Hi"}]}'
        )
        got = caller.post("/v1/messages", content=body)
        assert got.headers["x-understudy-feature"] == "by-claude"
        assert house_stand_in.attempts()[-1].body.count(b'"model"') == 1

    @pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 400, "0.1e-400"])
    @pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
    @pytest.mark.parametrize("feature", ["by-claude", "by-gpt"])
    def test_a_number_beyond_all_numbers_is_no_fault_of_ours(self, caller, path, feature, number):
        body = (
            f'{{"model": "{feature}", "max_tokens": 5, "temperature": {number},'
            ' "messages": [{"role": "user", "content": "Hi"}]}'
        )
        assert caller.post(path, content=body).status_code in {200, 400}

    def test_the_process_served_on_through_all_of_this(self, house, caller):
        assert house.events("own_fault") == []
        got = caller.post("/v1/messages", json=HELLO)
        assert got.status_code == 200
        assert caller.get("/health/liveness").json() == {"status": "alive"}
