"""Every fault of the catalogue at each of its places, alone or at both targets, for every kind of
caller: one request each, nothing left to chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Literal

import msgspec

from simulation.sim_checks_answers import ALTERING, whole_answer_is_right
from simulation.sim_draw import places_of, rule_for
from simulation.sim_invariants import NOT_YET, breaches
from simulation.sim_requests import DIALECTS
from simulation.sim_script import Client, Feature, Provider, Request, Script, Spell
from simulation.sim_world import Story, run
from understudy.mock import CATALOGUE, CatalogueEntry, Pace

__all__ = ["CONTINUES", "Case", "cases", "sample", "verdict"]

#: What a broken stream's caller gets: the rest, where this is in force.
CONTINUES = "matrix-continues"

#: Wire dialect → who speaks it: kind, model, the configuration's word for it.
_SPEAKERS = {
    "messages": ("anthropic", "claude-haiku-4-5", None),
    "chat_completions": ("openai", "gpt-4.1", "chat"),
    "compatible": ("openai-compatible", "llama-3.3-70b", None),
    "responses": ("openai", "gpt-4.1", "responses"),
}
_FEATURE = Feature(deadline=30.0, first_token=2.0, idle=3.0, attempts=3)
_PACE = Pace(tokens_per_event=24)
#: Faults in the words of servers that are not OpenAI's.
_SERVERS = ("llamacpp", "ollama", "vllm")
_PLACES = {"mid_tool_call": "tool", "mid_thinking": "thinking"}
#: Faults that are the caller's own, or a refusal: an answer to be given back, not got round.
GIVEN_BACK = frozenset(
    {
        "content_filter",
        "invalid_request",
        "refusal",
        "refusal_in_words",
        "refusal_midway",
        "request_too_large",
        "request_too_large_edge",
    }
)
#: Errors that only their status tells from the caller's own; inside a 200 they have none.
TOLD_BY_STATUS = frozenset({"ip_not_authorized", "not_a_member", "permission_denied"})


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, at one place, for one kind of caller."""

    fault: str
    where: str
    #: The dialect in which the sick target is asked.
    wire: str
    caller: str
    stream: bool
    sick: Literal["first", "both"]

    def __str__(self) -> str:
        how = "stream" if self.stream else "whole"
        return (
            f"{self.fault}@{self.where} at {self.sick} ({self.wire}), {self.caller} caller, {how}"
        )

    @property
    def script(self) -> Script:
        """The world of this case."""
        entry = CATALOGUE[self.fault]
        spell = Spell(rule=rule_for(entry, where=self.where))
        well = next(d for d in ("messages", "chat_completions") if d != self.wire)
        second = well if self.sick == "first" or entry.suits(well, self._mode) else self.wire
        spells = (spell,)
        first = "compatible" if self.fault.startswith(_SERVERS) else self.wire
        flavour = "json" if self.fault == "prose_for_json" else _PLACES.get(self.where, "text")
        if flavour == "thinking" and self.caller != "messages":
            flavour = "text"
        request = Request(case=1, dialect=self.caller, stream=self.stream, flavour=flavour)
        return Script(
            seed=0,
            providers=(
                _provider("one", first, spells),
                _provider(
                    "two",
                    first if second == self.wire else second,
                    spells if self.sick == "both" else (),
                ),
            ),
            clients=(Client(name="ann", requests=(request,)),),
            feature=_FEATURE,
        )

    @property
    def _mode(self) -> Literal["stream", "whole"]:
        return "stream" if self.stream else "whole"


def _provider(name: str, wire: str, spells: tuple[Spell, ...]) -> Provider:
    kind, model, dialect = _SPEAKERS[wire]
    return Provider(name=name, kind=kind, model=model, dialect=dialect, pace=_PACE, spells=spells)


def cases(entry: CatalogueEntry) -> Iterator[Case]:
    """Every case of one fault."""
    for where, mode, wire, caller, sick in product(
        places_of(entry), entry.modes, entry.dialects, DIALECTS, ("first", "both")
    ):
        yield Case(
            fault=entry.name,
            where=where,
            wire=wire,
            caller=caller,
            stream=mode == "stream",
            sick=sick,  # type: ignore[arg-type]
        )


def sample(entry: CatalogueEntry) -> Iterator[Case]:
    """Cases of one fault in which each pair of its settings meets, for every test run."""
    at_once = entry.error_in(entry.dialects[0]) is not None
    places, callers = places_of(entry), len(DIALECTS)
    for case in cases(entry):
        place = places.index(case.where) + entry.dialects.index(case.wire)  # type: ignore[arg-type]
        # Each place, wire and mode in turn with another caller. Errors look alike wherever they
        # strike within an answer, so there it is one or both targets in turn as well.
        if DIALECTS[(place + case.stream) % callers] != case.caller:
            continue
        alike = at_once and case.where != entry.where.value
        if not alike or (case.sick == "both") == bool((place + place // 2) % 2):
            yield case


def verdict(case: Case) -> tuple[Story, list[str]]:
    """What happened, and what is wrong with it."""
    story = run(case.script, look_for_garbage=False)
    wrong = breaches(story)
    if not wrong and case.sick == "first":
        told = _first_is_sick(case, story)
        wrong = [told] if told else []
    return story, wrong


def _first_is_sick(case: Case, story: Story) -> str | None:
    """With one of two targets well, the caller must not notice: unless it is its own fault."""
    seen = story.seen[0]
    answer = seen.answer
    succeeded = seen.status == 200 and answer.is_success
    if case.fault in GIVEN_BACK:
        asked = {served.provider for served in story.served}
        if case.where == CATALOGUE[case.fault].where.value:
            return "the second target was asked all the same" if "two" in asked else None
        if not succeeded:
            return None  # Within an answer both may be right.
    if succeeded:
        if CATALOGUE[case.fault].harmless and len(story.served) != 1:
            return "it was harmless, and more than one target was asked"
        return None if case.fault in ALTERING else whole_answer_is_right(seen, answer)
    was_sent = bool(answer.text or answer.tools or answer.thinking)
    told = case.fault not in TOLD_BY_STATUS or case.where == "before_headers"
    if not told or (was_sent and CONTINUES in NOT_YET):
        return None
    return f"one target was well, and the caller got {seen.status}: {answer.error}"
