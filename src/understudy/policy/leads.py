"""Where the text of a continuation may begin: at once, or after what models put before it."""

from __future__ import annotations

from typing import NamedTuple

from understudy.policy.markdown import Fence, fence_of
from understudy.policy.preambles import Preamble, Strength, read_preamble

__all__ = ["Lead", "Standing", "find_leads", "past_space"]

#: A fence's line, at most: longer ones are text.
_FENCE_MOST = 60
#: A line across the page, at most.
_RULE_MOST = 20
#: Fences whose text may rightly open fences.
_MARKDOWN = frozenset({"markdown", "md"})


class Standing(NamedTuple):
    """What the caller has."""

    #: What the model was shown, and the white space after it.
    base: str
    gap: str
    #: The fence that is open.
    fence: Fence | None
    prefilled: bool


class Lead(NamedTuple):
    """A place of the continuation where its text may begin."""

    #: Where its white space begins, and its first other character.
    gap: int
    at: int
    #: What stands before it is no text. Where False, only a repetition can show that.
    is_likely: bool = True
    #: It stands after a fence, or after a preamble: words of a new turn.
    is_fenced: bool = False
    is_spoken: bool = False


#: More text must come to tell.
_PENDING = Lead(-1, -1)


def find_leads(held: str, standing: Standing, *, is_all: bool) -> list[Lead] | None:
    """The places in order, the first at the first character; None while more text must come."""
    leads = [Lead(0, past_space(held, 0))]
    for find in (_after_preamble, _after_rule, _after_fence, _after_ellipsis):
        last = leads[-1]
        if last.at == len(held) and not is_all:
            return None
        lead = find(held, last, standing, is_all)
        if lead is _PENDING:
            return None
        if lead is not None:
            leads.append(
                lead._replace(
                    is_likely=lead.is_likely and (last.is_likely or lead.is_spoken),
                    is_fenced=lead.is_fenced or last.is_fenced,
                    is_spoken=lead.is_spoken or last.is_spoken,
                )
            )
    return None if leads[-1].at == len(held) and not is_all else leads


def past_space(text: str, at: int) -> int:
    """The first place from `at` on that is not white space."""
    return len(text) - len(text[at:].lstrip())


def _after_preamble(held: str, last: Lead, standing: Standing, is_all: bool) -> Lead | None:
    preamble = read_preamble(held, last.at, is_all=is_all)
    if preamble is None:
        return None
    if preamble.is_pending:
        return _PENDING
    at = past_space(held, preamble.end)
    # Indentation is part of code.
    gap = at if standing.fence is None else preamble.end
    return Lead(gap, at, _is_preamble(preamble, standing), is_spoken=True)


def _is_preamble(preamble: Preamble, standing: Standing) -> bool:
    strength, is_set_off = preamble.strength, preamble.is_set_off
    if strength is Strength.CERTAIN:
        return is_set_off or not standing.prefilled
    if standing.prefilled or not is_set_off:
        return False
    # "Yes" may be what somebody says in the answer, where it can begin there.
    is_within = "\n" not in standing.gap and standing.base[-1] not in ":\"“„«‹'—–-"
    return strength is Strength.LIKELY or is_within


def _after_rule(held: str, last: Lead, standing: Standing, is_all: bool) -> Lead | None:
    """A line across the page, between a preamble and the text."""
    begun = held[last.at : last.at + 3]
    if not last.is_spoken or standing.fence is not None or begun[:1] != "-":
        return None
    end = held.find("\n", last.at)
    if end < 0:
        waits = (
            not is_all and held[last.at :].strip("- ") == "" and len(held) - last.at < _RULE_MOST
        )
        return _PENDING if waits else None
    if begun != "---" or held[last.at : end].strip("- "):
        return None
    at = past_space(held, end)
    return Lead(at, at)


def _after_fence(held: str, last: Lead, standing: Standing, is_all: bool) -> Lead | None:
    if held[last.at : last.at + 1] not in {"`", "~"}:
        return None
    end = held.find("\n", last.at)
    if end < 0 and not is_all and len(held) - last.at <= _FENCE_MOST:
        return _PENDING
    fence = fence_of(held[last.at : end]) if 0 <= end <= last.at + _FENCE_MOST else None
    if fence is None:
        return None
    is_open = _is_open_already(fence, standing.fence)
    return Lead(end + 1, past_space(held, end + 1), is_open, is_fenced=True)


def _is_open_already(fence: Fence, ours: Fence | None) -> bool:
    """Opens what is open. A bare fence closes it; Markdown may have fences within."""
    return (
        ours is not None
        and ours.is_whole
        and bool(fence.info)
        and fence.mark == ours.mark
        and ours.info.lower() not in _MARKDOWN
    )


def _after_ellipsis(held: str, last: Lead, standing: Standing, is_all: bool) -> Lead | None:
    begun = held[last.at : last.at + 3]
    if begun[:1] == "…":
        end = last.at + 1
    elif begun == "...":
        end = last.at + 3
    else:
        return _PENDING if begun and "...".startswith(begun) and not is_all else None
    at = past_space(held, end)
    if at == len(held):
        return None if is_all else _PENDING
    # In code, and after a prefill, it is more likely meant.
    is_dropped = not standing.prefilled and standing.fence is None and held[at].isalnum()
    return Lead(end, at, is_dropped)
