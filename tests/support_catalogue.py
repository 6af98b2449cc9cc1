"""How each entry of the stand-in's catalogue must be read, and the stage where all are played."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Self

import httpx
import pytest

from support_lab import CLAUDE, GPT, PATHS, PROMPT, Told, body_of
from support_relay import PATIENCE, Relay, StandIn, anthropic_provider, openai_provider
from understudy.mock import CATALOGUE, Where

#: Kind of fault → the entries that must be read so.
KINDS = {
    "overload": """overloaded overloaded_mid_stream flapping ollama_queue_full
        llamacpp_loading""",
    "outage": """internal_error internal_error_mid_stream conflict vllm_engine_dead edge_502
        edge_520 edge_521 edge_522 edge_523 edge_524 edge_525 edge_526 edge_530 edge_problem
        edge_520_empty challenge_403 reset error_then_done bare_error_line response_failed
        error_nested error_then_failed""",
    "slow": """timeout_error hang stall_after first_token_late headers_late slow_headers
        slow_drip ping_only pings_first stall_with_pings stall_with_comments
        stall_with_empty_deltas drip_after""",
    "throttled": """rate_limited rate_limited_requests workspace_rate_limited slow_down
        rate_limited_mid_stream retry_after_missing retry_after_zero retry_after_negative
        retry_after_date retry_after_10h retry_after_garbage response_failed_rate_limited""",
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
        oversized_event length_too_short sequence_gap""",
    "empty": "empty_answer",
    # The caller's own: told once, at no other target.
    "caller": "invalid_request request_too_large request_too_large_edge",
    "refused": "content_filter",
    # Under a success, in an answer's own words: what a model says is the model's to say.
    "said": """refusal refusal_midway refusal_in_words garbled repetition half_answer
        prose_for_json broken_arguments""",
    # A stop reason came, so all content did; only the last word is missing.
    "whole": "stop_missing",
    # Only where an answer is gone on with: test_continuation.py.
    "continuing": """no_prefill habit_overlap habit_preamble habit_restart habit_fence
        habit_paraphrase habit_none habit_lost_space""",
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
    ("wrong_body_200", "whole", "responses"): "outage",
}
OURS = frozenset({"caller", "refused", "said", "whole", "continuing"})
SLOW = frozenset(KINDS["slow"].split()) - {"timeout_error"}
EARLY = (Where.BEFORE_HEADERS, Where.AFTER_HEADERS)
LATE = (Where.MID_TEXT, Where.AFTER_CONTENT)
#: Errors that capacity causes also come inside a stream, before any content.
ALSO_INSIDE = frozenset({"overloaded", "internal_error", "timeout_error", "rate_limited"})
COMPATIBLE = ("vllm_", "ollama_", "llamacpp_", "bare_error", "done_missing", "error_then")
#: Inside a stream of Responses an error has no more than a code, and these have none of their own.
BY_MORE_THAN_A_CODE = frozenset({"timeout_error", "invalid_request", "request_too_large"})
#: More of a rule: signs of life that come often enough, so that only the lack of content shows that
#: something is wrong; an event that is too large even where one may repeat the whole answer.
SETTINGS: dict[tuple[str, ...], dict[str, Any]] = {
    ("stall_with_pings",): {"seconds": 0.1},
    ("stall_with_comments",): {"seconds": 0.1},
    ("stall_with_empty_deltas",): {"seconds": 0.1},
    ("oversized_event", "responses"): {"size": (16 << 20) + 1},
}
#: Settings that count content have another meaning after all of it.
COUNTING = frozenset({"stall_after", "drip_after"}) | {name for name, *_ in SETTINGS} - {
    "oversized_event"
}


class Case(NamedTuple):
    """One entry, asked for in one dialect and one mode, striking at one place."""

    name: str
    dialect: str
    mode: str
    where: Where | None
    #: The feature lets broken streams go on at the next target.
    continues: bool = True

    def __str__(self) -> str:
        place = f"-{self.where.value}" if self.where else ""
        return f"{self.name}-{self.dialect}-{self.mode}{place}"

    @property
    def kind(self) -> str:
        """What the fault must be read as."""
        name, dialect, mode, where, _ = self
        if name in {"close", "half_close"} and where is Where.BEFORE_HEADERS:
            return "outage"
        if dialect == "responses" and name in BY_MORE_THAN_A_CODE and self._inside:
            return "outage"
        if name == "stall_with_empty_deltas" and self._is_no_delta:
            return "malformed"
        for key in ((name, mode, dialect), (name, mode)):
            if key in EXCEPTIONS:
                return EXCEPTIONS[key]
        return KIND_OF[name]

    @property
    def _inside(self) -> bool:
        return self.mode == "stream" and self.where is not Where.BEFORE_HEADERS

    @property
    def _is_no_delta(self) -> bool:
        """The same number again and again, or a delta of a block that has not begun."""
        early = self.dialect == "messages" and self.where is Where.AFTER_HEADERS
        return self.dialect == "responses" or early


def _shown() -> Iterator[tuple[Any, str, str]]:
    """(entry, dialect, mode) for all that the relay can meet."""
    for entry in CATALOGUE.values():
        if KIND_OF.get(entry.name) == "continuing":
            continue
        for dialect in entry.dialects:
            for mode in entry.modes:
                yield entry, dialect, mode


def _early() -> Iterator[Case]:
    """What strikes before the first content."""
    for entry, dialect, mode in _shown():
        if mode == "whole":
            yield Case(entry.name, dialect, mode, None)
            continue
        places = [entry.where] if entry.where in EARLY else [p for p in EARLY if entry.allows(p)]
        if entry.name in ALSO_INSIDE:
            places.append(Where.AFTER_HEADERS)
        for place in places:
            yield Case(entry.name, dialect, mode, place)


def late(*, continues: bool) -> list[Case]:
    """What breaks a stream after its first content."""
    found = []
    for entry, dialect, mode in _shown():
        breaks = KIND_OF.get(entry.name) not in {None, "said", "whole", "empty"}
        if mode != "stream" or not breaks:
            continue
        # Once its block has ended there is nothing that a delta could belong to.
        last = Where.AFTER_CONTENT if entry.name == "stall_with_empty_deltas" else None
        places = [place for place in LATE if entry.allows(place) and place is not last]
        found += [Case(entry.name, dialect, mode, place, continues) for place in places]
    return found


EARLY_CASES = list(_early())
MOVING = [c for c in EARLY_CASES if KIND_OF.get(c.name, "whole") not in OURS]
RETURNED = [c for c in EARLY_CASES if KIND_OF.get(c.name) in {"caller", "refused"}]
HARMLESS = [
    Case(e.name, d, m, None) for e, d, m in _shown() if e.harmless or e.name == "stop_missing"
]
SAID = [Case(e.name, d, m, None) for e, d, m in _shown() if KIND_OF.get(e.name) == "said"]


def each(cases: list[Case]) -> pytest.MarkDecorator:
    """A test for each of these."""
    return pytest.mark.parametrize("case", cases, ids=str)


class Stage:
    """A relay with a feature for each case, and the stand-in that plays all providers.

    The first target of each feature is a provider of its own (breakers remember), the second is
    the other vendor, and well.
    """

    def __init__(self, cases: list[Case], directory: Any) -> None:
        self._numbers = {case: number for number, case in enumerate(dict.fromkeys(cases))}
        self.stand_in = StandIn()
        self.stand_in.play(*(self._rule(case) for case in self._numbers))
        self.relay = Relay(self._configuration(), directory)
        self._client = httpx.Client(base_url=self.relay.url, timeout=PATIENCE)
        self._pool = ThreadPoolExecutor(8)
        self._begun: dict[Case, Future[Told]] = {}

    def feature(self, case: Case) -> str:
        """The name of the case's feature, and the end of its first provider's."""
        return f"f{self._numbers[case]}"

    def ask(self, case: Case) -> Told:
        """What the caller was told."""
        if case.name not in SLOW:
            return self._ask(case)
        if not self._begun:  # What has to be waited for is waited for together.
            waits = [case for case in self._numbers if case.name in SLOW]
            self._begun = {case: self._pool.submit(self._ask, case) for case in waits}
        return self._begun[case].result()

    def _ask(self, case: Case) -> Told:
        asked = {"stream": True} if case.mode == "stream" else {}
        body = {"model": self.feature(case), **body_of(case.dialect, PROMPT, **asked)}
        got = self._client.post(PATHS[case.dialect], json=body)
        journal = self._client.get(f"/v1/requests/{got.headers['x-request-id']}").json()
        return Told(case.dialect, got, journal)

    def _rule(self, case: Case) -> dict[str, Any]:
        key = f"-{self._numbers[case]:04}"
        # The reading of models' lists is not to count.
        made = {"fault": case.name, "key": key, "path": PATHS[case.dialect]}
        made |= SETTINGS.get((case.name,), {}) | SETTINGS.get((case.name, case.dialect), {})
        if case.where is Where.AFTER_CONTENT and case.name in COUNTING:
            made["n"] = 0
        return made if case.where is None else {**made, "where": case.where}

    def _configuration(self) -> dict[str, Any]:
        url = self.stand_in.url
        providers = {
            "claude": anthropic_provider(url, "sk-claude-well"),
            "gpt": openai_provider(url, "sk-gpt-well"),
        }
        features = {}
        for case, number in self._numbers.items():
            key, name = f"sk-{number:04}", f"p{number}"
            if case.dialect == "messages":
                providers[name] = anthropic_provider(url, key)
                targets = [f"{name}/{CLAUDE}", f"gpt/{GPT}"]
            else:
                providers[name] = openai_provider(url, key)
                if case.name.startswith(COMPATIBLE):
                    providers[name]["kind"] = "openai-compatible"
                if case.dialect == "responses":
                    providers[name]["dialect"] = "responses"
                targets = [f"{name}/{GPT}", f"claude/{CLAUDE}"]
            made = features[f"f{number}"] = {"targets": targets, "attempts": 2}
            made["continue_streams"] = case.continues
            if case.name in SLOW:
                made |= {"first_token": "700ms", "idle": "700ms"}
                made["deadline"] = "3s" if case.mode == "whole" else "30s"
        return {"providers": providers, "features": features}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._client.close()
        self.relay.kill()
        self.stand_in.close()
