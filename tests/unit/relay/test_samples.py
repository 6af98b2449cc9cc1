"""Which answers are read for their content, and that reading finds what is in them."""

import io
import json

import pytest

from understudy.core.outcomes import Attempt
from understudy.core.settings import Feature
from understudy.policy.plans import Plan, Target
from understudy.policy.quality import Quality
from understudy.relay.http import Incoming
from understudy.relay.order import Order
from understudy.relay.places import Place, Route
from understudy.relay.runtime import DIALECTS
from understudy.relay.samples import LARGEST, Samples
from understudy.relay.tape import Tape
from understudy.services.logs import Log

TARGET = Target(
    provider="anthropic",
    account="main",
    model="claude-sonnet-5",
    tier="same",
    operations=frozenset(DIALECTS),
    key="anthropic@main/claude-sonnet-5",
    account_key="anthropic@main",
    name="anthropic/claude-sonnet-5",
)
SECRET = "canary-7431"
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


class Bench:
    """Samples with a log that can be read."""

    def __init__(self):
        self.lines = io.StringIO()
        self.quality = Quality()
        self.samples = Samples(self.quality, Log(self.lines), lambda: 0.5)
        self.now = 0.0

    def wants(self, order, after=10.0, **attempt):
        self.now += after
        tried = Attempt(TARGET.name, "main", "same", "", 0.0, **attempt)
        return self.samples.wants(order, TARGET, tried, self.now)

    def shown(self):
        """Sign → answers that showed it."""
        (view,) = self.quality.views(self.now)
        return {sign.sign: sign.shown for sign in view.signs}

    def log(self):
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]


@pytest.fixture
def bench():
    return Bench()


def order(operation="messages", *, ask="Tell me.", feature="assistant", is_probe=False, **body):
    fields = {"model": "m", "max_tokens": 100, **body}
    if operation == "responses":
        fields = {"model": "m", "input": ask, **body}
    else:
        fields.setdefault("messages", [{"role": "user", "content": ask}])
    raw = json.dumps(fields).encode()
    return Order(
        request_id="req_1",
        operation=operation,
        request=Incoming(
            method="POST",
            path="",
            query="",
            headers={},
            own={},
            body=raw,
            caller=None,
            arrived=0.0,
            operation=operation,
        ),
        envelope=DIALECTS[operation].read_envelope(raw),
        place=Place(
            route=Route(feature=Feature(name=feature, title="", targets=()), targets=(TARGET,)),
            plan=Plan(targets=(TARGET,)),
            model=None,
            tenant=None,
        ),
        runtime=None,
        limits=None,
        is_probe=is_probe,
    )


def messages(*content, stop="end_turn"):
    usage = {"input_tokens": 1, "output_tokens": 1}
    return json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": list(content),
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }
    ).encode()


def text(words):
    return {"type": "text", "text": words}


def chat(words, stop="stop"):
    choice = {"index": 0, "finish_reason": stop, "message": {"role": "assistant", "content": words}}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return json.dumps(body).encode()


def stream(words):
    events = [
        {"type": "message_start", "message": json.loads(messages()) | {"stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": text("")},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]
    return [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events]


SCRIPT, LOOP, STRUCTURE = "letters of a foreign script", "endless repetition", "broken structure"


class TestWhatIsRead:
    @pytest.mark.parametrize(
        ("operation", "body"),
        [("messages", messages(text("Hello ครับ"))), ("chat_completions", chat("Hello ครับ"))],
    )
    def test_foreign_letters_in_a_whole_answer(self, bench, operation, body):
        bench.samples.whole(order(operation), TARGET, body, 1.0)
        assert bench.shown()[SCRIPT] == 1

    def test_letters_that_the_request_has_are_not_foreign(self, bench):
        asked = order(system="ตอบเป็นภาษาไทย")
        bench.samples.whole(asked, TARGET, messages(text("สวัสดีครับ")), 1.0)
        asked = order(ask="ok", messages=[{"role": "user", "content": [text("สวัสดี")]}])
        bench.samples.whole(asked, TARGET, messages(text("ครับ")), 2.0)
        assert bench.shown()[SCRIPT] == 0

    def test_what_an_image_says_is_not_known(self, bench):
        image = {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}}
        asked = order(messages=[{"role": "user", "content": [text("Read this."), image]}])
        bench.samples.whole(asked, TARGET, messages(text("สวัสดี")), 1.0)
        assert SCRIPT not in bench.shown()

    def test_a_stream_by_what_its_caller_was_sent(self, bench):
        tape = Tape(DIALECTS["messages"])
        for piece in stream("again and " * 200):
            tape.add(piece)
        bench.samples.streamed(order(stream=True), TARGET, tape.read().transcript, 1.0)
        assert bench.shown()[LOOP] == 1

    def test_a_stream_without_its_end_is_not_read(self, bench):
        tape = Tape(DIALECTS["messages"])
        for piece in stream("Hello")[:4]:
            tape.add(piece)
        bench.samples.streamed(order(stream=True), TARGET, tape.read().transcript, 1.0)
        assert bench.quality.views(1.0) == []

    @pytest.mark.parametrize(("words", "broken"), [('{"n": 1}', 0), ('{"n": "1"}', 1)])
    def test_structured_output_by_its_schema(self, bench, words, broken):
        form = {"format": {"type": "json_schema", "schema": SCHEMA}}
        bench.samples.whole(order(output_config=form), TARGET, messages(text(words)), 1.0)
        form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
        asked = order("chat_completions", response_format=form)
        bench.samples.whole(asked, TARGET, chat(words), 2.0)
        assert bench.shown()[STRUCTURE] == 2 * broken

    @pytest.mark.parametrize(("given", "broken"), [({"n": 1}, 0), ({"m": 1}, 1)])
    def test_a_tool_call_by_the_tools_schema(self, bench, given, broken):
        asked = order(tools=[{"name": "count", "input_schema": SCHEMA}])
        call = {"type": "tool_use", "id": "t", "name": "count", "input": given}
        bench.samples.whole(asked, TARGET, messages(call, stop="tool_use"), 1.0)
        assert bench.shown()[STRUCTURE] == broken

    @pytest.mark.parametrize(("words", "wrong"), [("ok", 0), ("ครับ", 1)])
    def test_a_probe_by_its_word(self, bench, words, wrong):
        bench.samples.whole(order(is_probe=True), TARGET, messages(text(words)), 1.0)
        assert bench.shown()["a wrong word"] == wrong

    @pytest.mark.parametrize("body", [b"no json", b"{}", b"[]", b" " * (LARGEST + 1)])
    def test_what_is_no_answer_or_too_large_is_let_go(self, bench, body):
        bench.samples.whole(order(), TARGET, body, 1.0)
        assert bench.quality.views(1.0) == []

    def test_a_large_request_is_not_read(self, bench):
        asked = order(ask="a" * (LARGEST + 1))
        bench.samples.whole(asked, TARGET, messages(text("สวัสดี")), 1.0)
        bench.samples.whole(asked, TARGET, messages(text("Hello")), 2.0)
        (view,) = bench.quality.views(2.0)
        assert view.samples == 2
        assert bench.shown()[SCRIPT] == 0


class TestHowManyAreRead:
    def _known(self, bench):
        for _ in range(100):
            bench.samples.whole(order(), TARGET, messages(text("Hello")), 0.0)

    def test_one_a_second_of_a_model_that_is_known(self, bench):
        self._known(bench)
        taken = sum(bench.wants(order(), after=0.01) for _ in range(1000))
        assert 9 <= taken <= 11

    def test_more_while_little_is_known(self, bench):
        taken = sum(bench.wants(order(), after=0.01) for _ in range(1000))
        assert 90 <= taken <= 110

    @pytest.mark.parametrize(
        ("asked", "attempt"),
        [
            (order(), {"from_char": 12}),
            (order("chat_completions", n=2), {}),
        ],
        ids=["continued", "several choices"],
    )
    def test_none_of_what_is_no_one_models_answer(self, bench, asked, attempt):
        assert not bench.wants(asked, **attempt)
        assert bench.wants(order(), after=0.0)


class TestWhatIsTold:
    def _doubted(self, bench):
        for turn in range(200):
            bench.samples.whole(order(), TARGET, messages(text("Hello there.")), float(turn))
        for turn in range(200, 220):
            garbled = messages(text(f"{SECRET} ครับ"))
            bench.samples.whole(order(ask=SECRET), TARGET, garbled, float(turn))
        bench.now = 220.0
        bench.samples.sweep(bench.now)

    def test_a_doubt_is_logged_once_and_so_is_its_end(self, bench):
        self._doubted(bench)
        (line,) = bench.log()
        assert (line["event"], line["level"]) == ("quality_doubted", "warning")
        assert (line["model"], line["sign"]) == (TARGET.name, SCRIPT)
        for turn in range(220, 400):
            bench.samples.whole(order(), TARGET, messages(text("Hello there.")), float(turn))
        bench.samples.sweep(400.0)
        bench.samples.sweep(401.0)
        assert [line["event"] for line in bench.log()] == ["quality_doubted", "quality_recovered"]

    def test_no_word_of_a_request_or_an_answer_is_kept(self, bench):
        self._doubted(bench)
        told = [
            bench.lines.getvalue(),
            str(bench.quality.causes(bench.now)),
            str(bench.quality.views(bench.now)),
            str(bench.quality.doubted),
        ]
        assert bench.quality.doubted
        assert all(SECRET not in line and "ครับ" not in line for line in told)
