"""Checks of what stands in answers. See `sim_invariants`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from simulation.sim_answers import Answer
from simulation.sim_callers import Ending, Seen
from simulation.sim_requests import compositions
from simulation.sim_script import Request
from simulation.sim_world import Story
from understudy.core.outcomes import Record, Result
from understudy.mock import CATALOGUE

__all__ = [
    "ALTERING",
    "i06_grammar_is_kept",
    "i06_no_half_tool_call",
    "i06_seams_are_marked",
    "i06_words_are_right",
    "i17_usage_is_known",
    "whole_answer_is_right",
]

#: Faults that change what is said under a success: the words are then not known beforehand.
ALTERING = frozenset(entry.name for entry in CATALOGUE.values() if entry.alter is not None) | {
    "oversized_event"
}
_NAMED = re.compile(r"understudy answered by (\S+), tier (\S+)")
_MARK = re.compile(r"understudy continued at (\S+) from character (\d+)")


def i06_words_are_right(story: Story) -> Iterator[str]:
    """I6: a whole answer is the answer, to the letter; a broken one is its beginning."""
    for seen in story.seen:
        if seen.status == 200 and not _is_altered(story, seen):
            answer = seen.answer
            if answer.is_success:
                wrong = whole_answer_is_right(seen, answer)
            else:
                wrong = _beginning_is_right(seen, answer)
            if wrong:
                yield f"case-{seen.request.case}: {wrong}"


def whole_answer_is_right(seen: Seen, answer: Answer) -> str | None:
    """What is wrong with an answer that shows itself as whole, if anything."""
    options = compositions(seen.request)
    if any(_says(answer, option) for option in options):
        return None
    if answer.marks and seen.request.flavour == "short" and _is_begun(answer, seen.request):
        return None  # How many tokens are left after a seam can only be reckoned.
    tools = [(tool.name, tool.arguments) for tool in answer.tools]
    wanted = options[0]
    return (
        f"the whole answer is {_short(answer.text)} {tools} ({len(answer.text)} characters), "
        f"not {_short(wanted.text)} {[c.name for c in wanted.calls]} ({len(wanted.text)})"
    )


def _says(answer: Answer, option: Any) -> bool:
    called = [(tool.name, _json(tool.arguments)) for tool in answer.tools]
    wanted = [(call.name, _json(call.arguments)) for call in option.calls]
    return option.text in _readings(answer) and called == wanted


def _readings(answer: Answer) -> set[str]:
    """The text, and what it may stand for: where a model went on in the middle of a word, nobody
    can know, and a space is put between.
    """
    readings = {answer.text}
    for _, place in reversed(answer.marks):
        readings |= {
            text[:place] + text[place + 1 :] for text in readings if text[place : place + 1] == " "
        }
    return readings


def _is_begun(answer: Answer, request: Request) -> bool:
    """Whether the text is a beginning of the answer, its limit apart."""
    whole = msgspec.structs.replace(request, flavour="text")
    flavour = request if request.flavour != "short" else whole
    options = compositions(flavour)
    return any(option.text.startswith(text) for option in options for text in _readings(answer))


def _beginning_is_right(seen: Seen, answer: Answer) -> str | None:
    if not _is_begun(answer, seen.request):
        return f"the broken answer's text is no beginning of the answer: {_short(answer.text)}"
    for tool in answer.tools:
        if tool.closed and _json(tool.arguments) is None:
            return f"a closed call of {tool.name} holds no JSON: {tool.arguments!r}"
    return None


def i06_no_half_tool_call(story: Story) -> Iterator[str]:
    """I6, tools: where streams go on, a tool call is sent whole or not at all."""
    for seen in story.seen if story.script.feature.continues else ():
        if seen.ending == Ending.WHOLE and seen.status == 200:
            for tool in seen.answer.tools:
                if not tool.closed:
                    yield f"case-{seen.request.case} holds half a call of {tool.name}"


def i06_seams_are_marked(story: Story) -> Iterator[str]:
    """I6, seams: a comment where the stream went on, and nowhere else, in the journal's words."""
    for seen in story.seen:
        record = story.record_of(seen)
        if record is None or seen.ending != Ending.WHOLE or not seen.request.stream:
            continue
        answer = seen.answer
        marks = []
        for text, before in answer.marks:
            named = _NAMED.fullmatch(text)
            if named is not None:
                # Once, where the head could not say it.
                tries = [(attempt.target, attempt.tier) for attempt in record.attempts]
                if "x-understudy-target" in seen.headers or before or named.groups() not in tries:
                    yield f"case-{seen.request.case}: {text!r} after {before} characters"
                continue
            found = _MARK.fullmatch(text)
            if found is None or int(found[2]) != before:
                yield f"case-{seen.request.case}: a mark after {before} characters says {text!r}"
            else:
                marks.append((found[1], int(found[2])))
        known = [(attempt.target, attempt.from_char) for attempt in record.attempts[1:]]
        owed = _seams(record, len(answer.text))
        # One that sent no text may still have sent something (thinking, say), and be marked.
        if not (_is_within(owed, marks) and _is_within(marks, known)):
            yield f"case-{seen.request.case}: marks {marks}, journal {known}"


def _is_within(few: list[tuple[str, int]], many: list[tuple[str, int]]) -> bool:
    """Whether `few` stand in `many`, in their order."""
    rest = iter(many)
    return all(one in rest for one in few)


def _seams(record: Record, length: int) -> list[tuple[str, int]]:
    """Where the text went on, by the journal: attempts that added to what stood, or ended it."""
    starts = [attempt.from_char for attempt in record.attempts]
    return [
        (attempt.target, attempt.from_char)
        for attempt, stood_after in zip(record.attempts, [*starts, length][1:], strict=True)
        if attempt.from_char > 0
        and (stood_after > attempt.from_char or attempt.result is Result.CONTENT)
    ]


def i06_grammar_is_kept(story: Story) -> Iterator[str]:
    """I6, grammar: what a caller gets is a stream of its dialect, to the last event."""
    for seen in story.seen:
        if seen.status != 200 or _is_altered(story, seen):
            continue
        answer = seen.answer
        for breach in answer.breaches:
            yield f"case-{seen.request.case}: {breach}"
        if seen.ending == Ending.WHOLE and answer.half:
            yield f"case-{seen.request.case} ends within an event"


def i17_usage_is_known(story: Story) -> Iterator[str]:
    """I17: each attempt that produced content has its usage, estimated where it was lost."""
    for record in story.records:
        for attempt in record.attempts:
            if attempt.first_content_ms is not None and attempt.usage is None:
                yield f"{record.id}: nothing is known of what {attempt.target} used"


def _is_altered(story: Story, seen: Seen) -> bool:
    return any(served.attempt.fault in ALTERING for served in story.served_for(seen))


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:30]}…{text[-30:]}")
