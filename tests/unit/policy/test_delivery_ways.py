"""Every way through a small world: two targets, three attempts, one request.

Where `test_delivery_machine` throws dice, this leaves nothing out, as far as it goes: whatever the
table of transitions allows in a state is tried in it, and again in what that leads to, to the end.
"""

from collections.abc import Callable, Iterator
from functools import partial

from understudy.core.faults import Fault, Kind, Remedy
from understudy.core.outcomes import RequestOutcome, Result
from understudy.policy.decisions import Break, Ended, Finish, Refuse
from understudy.policy.targets import Target
from understudy.policy.transitions import TRANSITIONS, Happening, State
from unit.policy.policy_world import ENDED, NOW, RESTING, Life, World, fault, target

PRIMARY = target("anthropic@main/sonnet")
OTHER = target("openai@main/gpt")
SECONDS = 60.0

#: One fault of each sort that leads somewhere else.
FAULTS = (
    fault(Kind.OUTAGE),
    fault(Kind.THROTTLED),
    fault(Kind.REFUSED),
    fault(Kind.ADAPTABLE, remedy=Remedy.WITHOUT_PREFILL),
)

Step = Callable[[Life], object]


def _content(index: int, life: Life) -> None:
    life.content(life.running[index])


def _whole(index: int, life: Life) -> None:
    life.whole(life.running[index])


def _fault(index: int, seen: Fault, life: Life) -> None:
    life.fault(seen, life.running[index])


def _goes_on(life: Life) -> None:
    life.world.pass_by(1.0)
    life.more()


def _nobody_can_go_on(life: Life) -> None:
    life.answer.characters = None


def _is_well(where: Target, life: Life) -> bool:
    return life.world.board.obstacle(where, life.world.now) is None


def _others_fail_there(life: Life) -> None:
    life.world.break_down(PRIMARY)


def _begins_in_line(life: Life) -> None:
    for where in (PRIMARY, OTHER):
        life.world.fill(where)
    life.begin()


def _turn_comes(life: Life) -> None:
    life.world.empty(PRIMARY)
    life.world.empty(OTHER)
    life.due()


def _waits_in_vain(life: Life) -> None:
    life.world.pass_by(life.limits.first_token)
    life.tick()
    life.world.empty(PRIMARY)
    life.world.empty(OTHER)


#: By the attempt that they happen to: the first of those under way, or the one beside it.
CONTENT = tuple(partial(_content, index) for index in (0, 1))
WHOLE = tuple(partial(_whole, index) for index in (0, 1))
FAULTY = tuple(tuple(partial(_fault, index, seen) for seen in FAULTS) for index in (0, 1))


def steps(life: Life) -> Iterator[Step]:
    """What may happen next."""
    can = TRANSITIONS[life.state]
    if life.delivery.ticket.waits:
        yield from (_turn_comes, _waits_in_vain, Life.gone)
        return
    if Happening.BEGUN in can:
        yield Life.begin
        yield _begins_in_line
    if Happening.DUE in can:
        yield Life.due
    if Happening.GONE in can:
        yield Life.gone
    for index, start in enumerate(life.running):
        has_content = start.attempt.first_content_ms is not None
        if Happening.CONTENT in can and not has_content:
            yield CONTENT[index]
        if Happening.SENT in can and has_content:
            yield Life.sent
        yield WHOLE[index]
        yield from FAULTY[index]
    if life.state is State.COMMITTED and life.answer.characters == 0 and len(life.starts) == 1:
        yield _goes_on
        yield _nobody_can_go_on
    if life.state in RESTING and _is_well(PRIMARY, life):
        yield _others_fail_there


def looks(life: Life) -> tuple[object, ...]:
    """What tells two lives apart as far as their future goes."""
    attempts = tuple(
        (a.target, a.result, a.fault, a.first_content_ms is None, a.from_char)
        for a in life.delivery.attempts
    )
    due, passed = life.delivery.due - life.world.now, life.world.now - NOW
    is_well = _is_well(PRIMARY, life)
    line = life.delivery.ticket.waits
    return (
        line,
        life.state,
        attempts,
        life.answer.characters,
        is_well,
        round(due, 3),
        round(passed, 3),
    )


def every_life(*targets: Target) -> Iterator[Life]:
    """Every life that can be led, at each of its steps; lives that look the same are one."""
    seen: set[tuple[object, ...]] = set()
    paths: list[tuple[Step, ...]] = [()]
    while paths:
        path = paths.pop()
        world = World()
        world.grow_busy(PRIMARY, 20)
        life = Life(world, targets, continues=True, hedge=2.0, seconds=SECONDS)
        for step in path:
            step(life)
        sight = looks(life)
        if sight not in seen:
            seen.add(sight)
            paths += [(*path, step) for step in steps(life)]
            yield life


def check_end(life: Life) -> None:
    """A life is over: once, in time, and as its attempts say."""
    outcome, attempts = life.delivery.outcome, life.delivery.attempts
    assert life.world.now <= life.limits.deadline
    told = [d for d in life.decisions if isinstance(d, Finish | Refuse | Break)]
    if outcome is RequestOutcome.CANCELLED:
        assert told == []
    else:
        assert told == [life.last]
    assert isinstance(life.last, Finish) is (outcome is RequestOutcome.SUCCEEDED)
    ends = [d.start for d in life.decisions if isinstance(d, Ended)]
    assert sorted(map(id, ends)) == sorted(map(id, life.starts))
    results = [a.result for a in attempts]
    assert results.count(Result.CONTENT) == (outcome is RequestOutcome.SUCCEEDED)
    assert (Result.CANCELLED in results) <= (outcome is RequestOutcome.CANCELLED)
    assert len(attempts) <= life.limits.attempts


def test_every_way_ends_once_and_in_time_and_all_of_the_table_is_taken():
    taken = set()
    for targets in ((PRIMARY, OTHER), ()):
        for life in every_life(*targets):
            # `Life` itself holds each step to the table, and each decision to its promise.
            taken.update(life.transitions)
            if life.state in ENDED:
                check_end(life)
    assert taken == {
        (state, happening, after)
        for state, ways in TRANSITIONS.items()
        for happening, afters in ways.items()
        for after in afters
    }
