"""What a caller sees of a provider's failure: nothing, its own fault, or an honest end.

Every entry of the stand-in's catalogue is played by a primary of its own (breakers remember), with
the other vendor as the second choice.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import anthropic
import httpx
import openai
import pytest

from support_relay import (
    PATIENCE,
    Relay,
    StandIn,
    anthropic_provider,
    events_of,
    openai_provider,
)
from understudy.mock import CATALOGUE, Where

PROMPT = "Why do ships keep a logbook? The logbook tells the captain what the crew saw at night."
CLAUDE, GPT = "claude-haiku-4-5", "gpt-4.1"
PATHS = {"messages": "/v1/messages", "chat_completions": "/v1/chat/completions"}

#: Kind of fault → the entries that must be read so.
KINDS = {
    "overload": """overloaded overloaded_mid_stream flapping ollama_queue_full
        llamacpp_loading""",
    "outage": """internal_error internal_error_mid_stream conflict vllm_engine_dead edge_502
        edge_520 edge_521 edge_522 edge_523 edge_524 edge_525 edge_526 edge_530 edge_problem
        edge_520_empty challenge_403 reset error_then_done bare_error_line""",
    "slow": """timeout_error hang stall_after first_token_late headers_late slow_headers
        slow_drip ping_only""",
    "throttled": """rate_limited rate_limited_requests workspace_rate_limited slow_down
        rate_limited_mid_stream retry_after_missing retry_after_zero retry_after_negative
        retry_after_date retry_after_10h retry_after_garbage""",
    "account": """credit_too_low insufficient_quota spend_cap usage_limit_reached
        workspace_limit_reached billing_error key_revoked organization_disabled not_a_member
        ip_not_authorized""",
    "config": "permission_denied region_unsupported retention_required model_not_found",
    "adaptable": """unsupported_parameter prefill_refused context_too_long vllm_flat_error
        llamacpp_context""",
    "truncated": """close half_close cut_after truncated_utf8 truncated_sse truncated_chunk
        length_too_long no_terminal finish_missing""",
    "malformed": """redirect_to_metadata html_200 empty_200 wrong_body_200 wrong_content_type
        gzip_unasked gzip_bomb not_http conflicting_lengths oversized_header malformed_event
        oversized_event length_too_short""",
    "empty": "empty_answer",
    # The caller's own: told once, at no other target.
    "caller": "invalid_request request_too_large request_too_large_edge",
    "refused": "content_filter",
    # Under a success, in an answer's own words: what a model says is the model's to say.
    "said": """refusal refusal_midway refusal_in_words garbled repetition half_answer
        prose_for_json broken_arguments""",
    # A stop reason came, so all content did; only the last word is missing.
    "whole": "stop_missing",
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}

#: OpenAI tells these by their status alone, which an event inside a stream does not have.
BY_STATUS = frozenset({"not_a_member", "ip_not_authorized", "permission_denied"})
#: Where the same entry shows another kind: a 200 body that was cut is no JSON; an Ollama without
#: its /v1 answers any path with 200; a connection that closes before the headers.
EXCEPTIONS = {
    ("truncated_utf8", "whole"): "malformed",
    ("wrong_body_200", "stream"): "outage",
    ("wrong_body_200", "whole", "chat_completions"): "outage",
}
OURS = frozenset({"caller", "refused", "said", "whole"})
SLOW = frozenset(KINDS["slow"].split()) - {"timeout_error"}
EARLY = (Where.BEFORE_HEADERS, Where.AFTER_HEADERS)
#: Errors that capacity causes also come inside a stream, before any content.
ALSO_INSIDE = frozenset({"overloaded", "internal_error", "timeout_error", "rate_limited"})
COMPATIBLE = ("vllm_", "ollama_", "llamacpp_", "bare_error", "done_missing", "error_then")


class Case(NamedTuple):
    """One entry, asked for in one dialect and one mode, striking at one place."""

    name: str
    dialect: str
    mode: str
    where: Where | None

    def __str__(self):
        place = f"-{self.where.value}" if self.where else ""
        return f"{self.name}-{self.dialect}-{self.mode}{place}"

    @property
    def kind(self):
        """What the fault must be read as."""
        name, dialect, mode, where = self
        if name in {"close", "half_close"} and where is Where.BEFORE_HEADERS:
            return "outage"
        for key in ((name, mode, dialect), (name, mode)):
            if key in EXCEPTIONS:
                return EXCEPTIONS[key]
        return KIND_OF[name]


def shown():
    """(entry, dialect, mode) for all that the relay can meet."""
    for entry in CATALOGUE.values():
        for dialect in entry.dialects:
            for mode in entry.modes:
                yield entry, dialect, mode


def early():
    """What strikes before the first content."""
    for entry, dialect, mode in shown():
        if mode == "whole":
            yield Case(entry.name, dialect, mode, None)
            continue
        places = [entry.where] if entry.where in EARLY else [p for p in EARLY if entry.allows(p)]
        if entry.name in ALSO_INSIDE:
            places.append(Where.AFTER_HEADERS)
        for place in places:
            yield Case(entry.name, dialect, mode, place)


def late():
    """What breaks a stream after its first content."""
    for entry, dialect, mode in shown():
        breaks = KIND_OF.get(entry.name) not in {None, "said", "whole", "empty"}
        if mode == "stream" and breaks:
            for place in (Where.MID_TEXT, Where.AFTER_CONTENT):
                if entry.allows(place) and (entry.name, place) != (
                    "stall_after",
                    place.AFTER_CONTENT,
                ):
                    yield Case(entry.name, dialect, mode, place)


EARLY_CASES, LATE_CASES = list(early()), list(late())
MOVING = [c for c in EARLY_CASES if KIND_OF.get(c.name, "whole") not in OURS]
RETURNED = [c for c in EARLY_CASES if KIND_OF.get(c.name) in {"caller", "refused"}]
HARMLESS = [
    Case(e.name, d, m, None) for e, d, m in shown() if e.harmless or e.name == "stop_missing"
]
SAID = [Case(e.name, d, m, None) for e, d, m in shown() if KIND_OF.get(e.name) == "said"]
CASES = list(dict.fromkeys([*MOVING, *RETURNED, *HARMLESS, *SAID, *LATE_CASES]))
NUMBER = {case: number for number, case in enumerate(CASES)}


def each(cases):
    return pytest.mark.parametrize("case", cases, ids=str)


class Stage:
    """A relay with a feature for each case, and the stand-in that plays all providers."""

    def __init__(self, relay, client, stand_in, pool):
        self.relay = relay
        self.client = client
        self.stand_in = stand_in
        self._pool = pool
        self._begun = {}

    def ask(self, case):
        """The response to the case's request, and the journal of it."""
        if case.name not in SLOW:
            return self._ask(case)
        if not self._begun:  # What has to be waited for is waited for together.
            waits = [case for case in CASES if case.name in SLOW]
            self._begun = {case: self._pool.submit(self._ask, case) for case in waits}
        return self._begun[case].result()

    def _ask(self, case):
        body = {"model": f"f{NUMBER[case]}", "max_tokens": 1000}
        body["messages"] = [{"role": "user", "content": PROMPT}]
        if case.mode == "stream":
            body["stream"] = True
        got = self.client.post(PATHS[case.dialect], json=body)
        return got, self.client.get(f"/v1/requests/{got.headers['x-request-id']}").json()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    directory = tmp_path_factory.mktemp("failover")
    with StandIn() as stand_in:
        stand_in.play(*(rule(case) for case in CASES))
        with (
            Relay(configuration(stand_in.url), directory) as relay,
            httpx.Client(base_url=relay.url, timeout=PATIENCE) as client,
            ThreadPoolExecutor(6) as pool,
        ):
            yield Stage(relay, client, stand_in, pool)


def rule(case):
    made = {"fault": case.name, "key": f"-{NUMBER[case]:04}"}
    return made if case.where is None else {**made, "where": case.where}


def configuration(url):
    providers = {
        "claude": anthropic_provider(url, "sk-claude-well"),
        "gpt": openai_provider(url, "sk-gpt-well"),
    }
    features = {}
    for case, number in NUMBER.items():
        key, name = f"sk-{number:04}", f"p{number}"
        if case.dialect == "messages":
            providers[name] = anthropic_provider(url, key)
            targets = [f"{name}/{CLAUDE}", f"gpt/{GPT}"]
        else:
            providers[name] = openai_provider(url, key)
            if case.name.startswith(COMPATIBLE):
                providers[name]["kind"] = "openai-compatible"
            targets = [f"{name}/{GPT}", f"claude/{CLAUDE}"]
        features[f"f{number}"] = {"targets": targets, "attempts": 2}
        if case.name in SLOW:
            features[f"f{number}"] |= {"first_token": "700ms", "idle": "700ms"}
            features[f"f{number}"]["deadline"] = "3s" if case.mode == "whole" else "30s"
    return {"providers": providers, "features": features}


def text_of(case, got):
    """The answer's text, as the caller has it."""
    if case.mode == "stream":
        return "".join(delta_of(data) for _, data in events_of(got.text) if data != "[DONE]")
    body = got.json()
    if case.dialect == "messages":
        return "".join(block["text"] for block in body["content"] if block["type"] == "text")
    return body["choices"][0]["message"]["content"]


def delta_of(data):
    if data.get("type") == "content_block_delta":
        return data["delta"].get("text", "")
    choices = data.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""


def is_whole(case, got):
    """Whether the answer ended as its dialect ends answers."""
    if case.mode == "whole":
        return got.headers["content-type"] == "application/json"
    last = events_of(got.text)[-1]
    return last[0] == "message_stop" if case.dialect == "messages" else last[1] == "[DONE]"


def test_every_entry_of_the_catalogue_has_its_place_here():
    named = set(KIND_OF) | {name for name, entry in CATALOGUE.items() if entry.harmless}
    assert named == set(CATALOGUE)


class TestBeforeTheFirstContent:
    @each(MOVING)
    def test_the_second_target_answers_whole_and_the_first_ones_fault_is_journalled(
        self, stage, case, right_answer
    ):
        got, journal = stage.ask(case)
        assert got.status_code == 200
        assert text_of(case, got) == right_answer(PROMPT)
        assert is_whole(case, got)
        assert got.headers["x-understudy-attempts"] == "2"
        assert got.headers["x-understudy-tier"] == "substitute"

        first, second = journal["attempts"]
        assert journal["outcome"] == "succeeded"
        assert first["target"].startswith(f"p{NUMBER[case]}/")
        if first["result"] == "abandoned":  # Less time than so long an answer may take: no fault.
            assert (case.kind, case.mode, first["fault"]) == ("slow", "whole", None)
        else:
            assert (first["result"], first["fault"]["kind"]) == ("fault", case.kind)
        assert second["target"] == got.headers["x-understudy-target"]
        assert (second["result"], second["fault"]) == ("content", None)
        assert second["why"].startswith("after ")

    @each([c for c in MOVING if c.name in {"overloaded", "no_terminal", "malformed_event"}])
    def test_nothing_of_the_first_answer_reaches_the_caller(self, stage, case):
        got, _ = stage.ask(case)
        starts = [data for _, data in events_of(got.text) if is_start(data)]
        assert len(starts) <= 1
        assert not got.headers["x-understudy-target"].startswith(f"p{NUMBER[case]}/")

    @each(HARMLESS)
    def test_what_is_odd_but_right_is_no_fault(self, stage, case, right_answer):
        got, journal = stage.ask(case)
        assert text_of(case, got) == right_answer(PROMPT)
        assert [attempt["result"] for attempt in journal["attempts"]] == ["content"]

    @each(SAID)
    def test_what_a_model_says_is_passed_on(self, stage, case):
        got, journal = stage.ask(case)
        assert got.status_code == 200
        assert [attempt["result"] for attempt in journal["attempts"]] == ["content"]
        assert journal["outcome"] == "succeeded"


def is_start(data):
    return data != "[DONE]" and (
        data.get("type") == "message_start"
        or (data.get("choices") or [{}])[0].get("delta", {}).get("role")
    )


class TestTheCallersOwnFault:
    @each(RETURNED)
    def test_it_goes_back_once_and_nobody_else_is_asked(self, stage, case):
        keys = ("sk-claude-well", "sk-gpt-well")
        before = [len(stage.stand_in.attempts(key)) for key in keys]
        got, journal = stage.ask(case)
        assert [len(stage.stand_in.attempts(key)) for key in keys] == before
        assert got.status_code in {400, 413}
        assert got.headers["x-understudy-attempts"] == "1"
        assert got.headers["x-should-retry"] == "false"
        assert "retry-after" not in got.headers
        (attempt,) = journal["attempts"]
        assert (attempt["fault"]["kind"], journal["outcome"]) == (case.kind, "failed")

    @pytest.mark.parametrize("dialect", PATHS)
    def test_the_providers_own_words_come_back_in_its_own_shape(self, stage, dialect):
        case = next(c for c in RETURNED if c[:3] == ("invalid_request", dialect, "whole"))
        got, _ = stage.ask(case)
        spec = CATALOGUE[case.name].error_in(dialect)
        error = got.json()["error"]
        assert (error["type"], error["message"]) == (spec.type, spec.message)
        assert error["understudy"]["code"] == "request_rejected"
        if dialect == "chat_completions":
            assert (error["param"], error["code"]) == (spec.param, spec.code)

    @pytest.mark.parametrize("dialect", PATHS)
    def test_what_fits_no_target_comes_back_in_a_providers_own_words(self, tmp_path, dialect):
        with StandIn() as stand_in:
            stand_in.play({"fault": "context_too_long"})
            config = {
                "providers": {
                    "claude": anthropic_provider(stand_in.url, "sk-1"),
                    "gpt": openai_provider(stand_in.url, "sk-2"),
                },
                "features": {"f": {"targets": [f"claude/{CLAUDE}", f"gpt/{GPT}"]}},
            }
            with Relay(config, tmp_path) as relay:
                body = {
                    "model": "f",
                    "max_tokens": 9,
                    "messages": [{"role": "user", "content": "x"}],
                }
                got = httpx.post(f"{relay.url}{PATHS[dialect]}", json=body, timeout=PATIENCE)
                log = relay.log.text
            assert got.status_code == 400
            assert got.headers["x-understudy-attempts"] == "2"
            told = got.json()["error"]["message"]
            assert "prompt is too long: 203412 tokens" in told or "130174 tokens" in told
            assert [a.path for a in stand_in.attempts()] == [
                "/v1/messages",
                "/v1/chat/completions",
            ]
            assert "203412" not in log
            assert "130174" not in log


class TestAfterTheFirstContent:
    @each(LATE_CASES)
    def test_the_stream_ends_in_an_error_and_never_in_a_success(self, stage, case, right_answer):
        got, journal = stage.ask(case)
        assert got.status_code == 200
        told = events_of(got.text)
        assert right_answer(PROMPT).startswith(text_of(case, got))
        assert text_of(case, got)

        name, error = told[-1]
        if case.dialect == "messages":
            assert (name, error["type"]) == ("error", "error")
            assert not any(event == "message_stop" for event, _ in told)
        else:
            assert (name, list(error)) == ("", ["error"])
            assert not any(data == "[DONE]" for _, data in told)
            reasons = [d["choices"][0]["finish_reason"] for _, d in told if d.get("choices")]
            assert not any(reasons)
        assert error["error"]["understudy"]["feature"] == f"f{NUMBER[case]}"
        assert error["error"]["understudy"]["request_id"] == journal["id"]
        assert journal["outcome"] == "failed"
        (attempt,) = journal["attempts"]
        if case.name not in BY_STATUS:
            assert attempt["fault"]["kind"] in {case.kind, "truncated"}
        assert attempt["first_content_ms"] is not None

    @pytest.mark.parametrize("name", ["overloaded_mid_stream", "reset", "no_terminal", "hang"])
    def test_anthropics_sdk_raises(self, stage, name):
        case = Case(name, "messages", "stream", Where.MID_TEXT)
        asked = {"model": f"f{NUMBER[case]}", "max_tokens": 1000}
        asked["messages"] = [{"role": "user", "content": PROMPT}]
        texts = []
        with (
            anthropic.Anthropic(base_url=stage.relay.url, api_key="any", max_retries=0) as sdk,
            pytest.raises(anthropic.APIStatusError, match="No target could serve"),
            sdk.messages.stream(**asked) as stream,
        ):
            texts.extend(stream.text_stream)
        assert texts

    @pytest.mark.parametrize("name", ["overloaded_mid_stream", "reset", "no_terminal", "hang"])
    def test_openais_sdk_raises(self, stage, name):
        case = Case(name, "chat_completions", "stream", Where.MID_TEXT)
        asked = {"model": f"f{NUMBER[case]}", "stream": True}
        asked["messages"] = [{"role": "user", "content": PROMPT}]
        chunks = []
        with (
            openai.OpenAI(base_url=f"{stage.relay.url}/v1", api_key="any", max_retries=0) as sdk,
            pytest.raises(openai.APIError, match="No target could serve"),
            sdk.chat.completions.create(**asked) as stream,
        ):
            chunks.extend(stream)
        assert chunks
