"""The states of a request's life and the ways between them, as data.

`TRANSITIONS` is what `delivery` is held to at every step, and what docs/delivery.md draws:
`python -m understudy.policy.transitions` prints that drawing (Mermaid).
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["TRANSITIONS", "Happening", "State", "diagram"]


class State(StrEnum):
    """Where a request is in its life."""

    CHOOSING = "choosing"
    #: One attempt is under way, or two; nothing has been sent to the caller.
    ATTEMPTING = "attempting"
    #: A retry is promised, or it waits for its turn at a target; nothing has been sent.
    WAITING = "waiting"
    #: An answer is being sent.
    COMMITTED = "committed"
    #: Some of an answer was sent, and another target has been asked to go on with it.
    CONTINUING = "continuing"
    #: Some of an answer was sent, and a retry, or its turn at a target, is to go on with it.
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Happening(StrEnum):
    """What can happen to a request."""

    BEGUN = "begun"
    #: An attempt shows its first content.
    CONTENT = "content"
    #: The first bytes of an attempt go to the caller.
    SENT = "sent"
    #: An attempt gave its terminal signal.
    WHOLE = "whole"
    FAULT = "fault"
    #: A moment has come: no content in time, silence, no progress, the deadline, a wait is over.
    DUE = "due"
    #: The caller left.
    GONE = "gone"


_S, _H = State, Happening

_ATTEMPT_UNSENT = frozenset({_S.ATTEMPTING, _S.WAITING, _S.FAILED})
_ATTEMPT_SENT = frozenset({_S.CONTINUING, _S.PAUSED, _S.FAILED})
_CANCELLED = frozenset({_S.CANCELLED})
_SUCCEEDED = frozenset({_S.SUCCEEDED})

#: State → happening → the states that it may lead to. What is not here cannot happen.
TRANSITIONS: dict[State, dict[Happening, frozenset[State]]] = {
    _S.CHOOSING: {
        _H.BEGUN: _ATTEMPT_UNSENT,
    },
    _S.ATTEMPTING: {
        _H.CONTENT: frozenset({_S.ATTEMPTING}),
        _H.SENT: frozenset({_S.COMMITTED}),
        _H.WHOLE: _SUCCEEDED,
        _H.FAULT: _ATTEMPT_UNSENT,
        _H.DUE: _ATTEMPT_UNSENT,
        _H.GONE: _CANCELLED,
    },
    _S.WAITING: {
        _H.DUE: _ATTEMPT_UNSENT,
        _H.GONE: _CANCELLED,
    },
    _S.COMMITTED: {
        _H.WHOLE: _SUCCEEDED,
        _H.FAULT: _ATTEMPT_SENT,
        _H.DUE: _ATTEMPT_SENT | {_S.COMMITTED},
        _H.GONE: _CANCELLED,
    },
    _S.CONTINUING: {
        _H.CONTENT: frozenset({_S.CONTINUING}),
        _H.SENT: frozenset({_S.COMMITTED}),
        _H.WHOLE: _SUCCEEDED,
        _H.FAULT: _ATTEMPT_SENT,
        _H.DUE: _ATTEMPT_SENT,
        _H.GONE: _CANCELLED,
    },
    _S.PAUSED: {
        _H.DUE: _ATTEMPT_SENT,
        _H.GONE: _CANCELLED,
    },
    _S.SUCCEEDED: {},
    _S.FAILED: {},
    _S.CANCELLED: {},
}


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.CHOOSING}"]
    for state, ways in TRANSITIONS.items():
        reasons: dict[State, list[str]] = {}
        for happening, ends in ways.items():
            for end in ends:
                reasons.setdefault(end, []).append(happening)
        lines += [
            f"    {state} --> {end}: {', '.join(reasons[end])}" for end in State if end in reasons
        ]
        if not ways:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines)


if __name__ == "__main__":
    print(diagram())  # noqa: T201 - the program's output
