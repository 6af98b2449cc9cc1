"""Several requests at once in a random world: what must hold of each, and of all together.

What each decision promises when it is carried out (an attempt ends once, a retry is promised and
paid for, nothing is refused once something was sent …) is asserted by `Life` itself.
"""

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from understudy.core.faults import OUTAGE_LIKE, Fault, Kind, Remedy, Scope
from understudy.core.outcomes import RequestOutcome, Result
from understudy.policy.breaker import BreakerState
from understudy.policy.decisions import Break, Ended, Finish, Hold, Refuse, Start
from understudy.policy.targets import Target
from understudy.policy.transitions import State
from unit.policy.policy_world import ENDED, RESTING, Life, World, fault, target

TARGETS = [
    target("anthropic@main/sonnet"),
    target("anthropic@main/haiku", tier="reduced"),
    target("anthropic@backup/sonnet"),
    target("openai@main/gpt", tier="substitute"),
    target("openai@main/gpt-mini", tier="reduced"),
]
#: What a second attempt at the same target may follow, once a wait is over.
RETRYABLE = OUTAGE_LIKE | {Kind.THROTTLED}
#: What is never asked of the same target again; a remedy apart.
NEVER_RETRIED = set(Kind) - RETRYABLE
#: What goes back to the caller as long as nothing was sent.
GIVEN_BACK = {Kind.CALLER, Kind.REFUSED}
TERMINAL = (Finish, Refuse, Break)

#: Mostly what lives long; sometimes what ends at once.
MOSTLY = st.sampled_from([True, True, True, True, False])
LIMITS = st.fixed_dictionaries(
    {
        "seconds": st.sampled_from([200.0, 60.0, 10.0, 0.5]) | st.floats(0.0, 200.0),
        "first_token": st.floats(0.1, 40.0),
        "idle": st.floats(0.1, 60.0),
        "attempts": st.integers(2, 6) | st.integers(1, 6),
        "stream": MOSTLY,
        "max_tokens": st.none() | st.integers(1, 64_000),
        "hurried": st.booleans(),
        "learned": st.booleans(),
        "continues": MOSTLY,
        "hedge": st.none() | st.sampled_from([0.0, 0.5, 2.0]),
        "hold": st.sampled_from([0.0, 0.0, 30.0, 200.0]),
    }
)
SOME = st.lists(st.sampled_from(TARGETS), unique=True, max_size=5)
FAULTS = st.builds(
    fault,
    st.sampled_from(Kind),
    retry_after=st.none() | st.floats(0.0, 400.0),
    scope=st.sampled_from(Scope),
    remedy=st.sampled_from([None, None, *Remedy]),
)
SIZES = st.integers(1, 5000)


class _Watched(Life):
    """A request, and what must be so at the moment that an attempt of it begins."""

    def __init__(self, world: World, targets: tuple[Target, ...], **limits) -> None:
        super().__init__(world, targets, **limits)
        self.targets = targets
        self.was_whole = False
        self.mended: set[tuple[str, Remedy]] = set()
        #: As many attempts had begun when it was last kept: then it begins anew.
        self.kept_after = 0
        self.on_start: Callable[[Start], None] = lambda _: None

    def _carry_out(self, decision) -> None:
        if isinstance(decision, Start):
            self.on_start(decision)
        if isinstance(decision, Hold):
            self.kept_after = len(self.starts)
        super()._carry_out(decision)


def has_content(start: Start) -> bool:
    return start.attempt.first_content_ms is not None


class Requests(RuleBasedStateMachine):
    """Requests that share their targets, health, budgets and clock."""

    def __init__(self) -> None:
        super().__init__()
        self.draws: list[float] = []
        self.world = World(iter(lambda: self.draws.pop() if self.draws else 0.5, None))
        self.live: list[_Watched] = []
        self.ended: list[_Watched] = []
        self.out_of_turn: dict[str, float] = {}
        #: Moments of first attempts and of hedges, by the key of the target asked first.
        self.firsts: dict[str, list[float]] = {where.key: [] for where in TARGETS}
        self.hedged: dict[str, list[float]] = {where.key: [] for where in TARGETS}

    # -- what happens -------------------------------------------------------------------------

    @initialize(hedge=st.none() | st.just(2.0), attempts=st.integers(3, 6))
    def begin_as_usual(self, hedge, attempts):
        """Some streams with everything on, in a busy world that is well."""
        self.others_ask(TARGETS, 40)
        for count in (5, 2, 1):
            limits = {"hedge": hedge, "attempts": attempts, "continues": True, "idle": 10.0}
            self.begin(tuple(TARGETS[:count]), limits)

    @precondition(lambda self: len(self.live) < 6)
    @rule(
        where=SOME.map(tuple),
        limits=LIMITS,
    )
    def begin(self, where, limits):
        """Anything that can be asked."""
        life = _Watched(self.world, where, **limits)
        life.on_start = lambda start: self._check_start(life, start)
        self.live.append(life)
        life.begin()
        self._sort()

    @rule(where=SOME, requests=st.integers(10, 40))
    def others_ask(self, where, requests):
        for one in where:
            self.world.grow_busy(one, requests)
            self.firsts[one.key] += [self.world.now] * requests

    @rule(where=st.sampled_from(TARGETS), seconds=st.floats(0.05, 50.0), stream=st.booleans())
    def others_teach(self, where, seconds, stream):
        self.world.learn(where, seconds, 1000, stream=stream)

    @precondition(lambda self: self._waiting_for_content())
    @rule(data=st.data(), size=SIZES)
    def content(self, data, size):
        """It is held back: half a tool call, half a document."""
        life, start = data.draw(st.sampled_from(self._waiting_for_content()))
        life.content(start, size)
        assert life.running == [start]

    @precondition(lambda self: self._with_content(State.ATTEMPTING, State.CONTINUING))
    @rule(data=st.data(), characters=st.integers(0, 50))
    def sent(self, data, characters):
        life = data.draw(st.sampled_from(self._with_content(State.ATTEMPTING, State.CONTINUING)))
        life.sent()
        life.more(characters)

    @precondition(lambda self: self._waiting_for_content())
    @rule(data=st.data(), characters=st.integers(1, 50))
    def stream(self, data, characters):
        """What most streams do."""
        life, start = data.draw(st.sampled_from(self._waiting_for_content()))
        life.stream(start, characters)

    @precondition(lambda self: self._in(State.COMMITTED, State.CONTINUING))
    @rule(
        data=st.data(),
        what=st.sampled_from([*sorted(RETRYABLE), Kind.ADAPTABLE, Kind.CONFIG]).map(fault),
        draw=st.floats(0.0, 0.999),
    )
    def breaks(self, data, what, draw):
        """In the middle, or where it was to go on."""
        self.draws = [draw] * 3
        life = data.draw(st.sampled_from(self._in(State.COMMITTED, State.CONTINUING)))
        life.fault(what)
        self._check_fault(life, what)
        self._sort()

    @precondition(lambda self: self._in(State.COMMITTED))
    @rule(data=st.data(), characters=st.integers(0, 50), size=SIZES)
    def more(self, data, characters, size):
        data.draw(st.sampled_from(self._in(State.COMMITTED))).more(characters, size)

    @precondition(lambda self: self._in(State.COMMITTED))
    @rule(data=st.data())
    def nobody_can_go_on(self, data):
        """What was sent holds something that no other target can go on from."""
        data.draw(st.sampled_from(self._in(State.COMMITTED))).answer.characters = None

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def ping(self, data):
        data.draw(st.sampled_from(self.live)).ping()

    @precondition(lambda self: self._under_way())
    @rule(data=st.data())
    def whole(self, data):
        life, start = data.draw(st.sampled_from(self._under_way()))
        life.was_whole = True
        life.whole(start)
        self._sort()

    @precondition(lambda self: self._under_way())
    @rule(data=st.data(), what=FAULTS, draw=st.floats(0.0, 0.999))
    def fault(self, data, what, draw):
        self.draws = [draw] * 3
        life, start = data.draw(st.sampled_from(self._under_way()))
        life.fault(what, start)
        self._check_fault(life, what)
        self._sort()

    @precondition(lambda self: self._under_way())
    @rule(kind=st.sampled_from(sorted(OUTAGE_LIKE | {Kind.ACCOUNT, Kind.CONFIG})))
    def everything_fails(self, kind):
        for life, start in self._under_way():
            life.fault(kind, start)
        self._sort()

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def gone(self, data):
        data.draw(st.sampled_from(self.live)).gone()
        self._sort()

    @precondition(lambda self: self.live)
    @rule()
    def until_somebody_is_due(self):
        """To the very moment."""
        self.world.now = max(self.world.now, min(life.delivery.due for life in self.live))
        self._tick()

    @rule(seconds=st.floats(0.0, 3.0) | st.floats(0.0, 30.0))
    def time_passes(self, seconds):
        """Timers are coarse: whoever was due is looked at late."""
        self.world.pass_by(seconds)
        self._tick()

    def _tick(self) -> None:
        for life in [life for life in self.live if life.delivery.due <= self.world.now]:
            life.tick()
        self._sort()

    def _in(self, *states: State) -> list[_Watched]:
        return [life for life in self.live if life.state in states]

    def _under_way(self) -> list[tuple[_Watched, Start]]:
        return [(life, start) for life in self.live for start in life.running]

    def _waiting_for_content(self) -> list[tuple[_Watched, Start]]:
        streams = [(life, start) for life, start in self._under_way() if life.limits.stream]
        return [(life, start) for life, start in streams if not has_content(start)]

    def _with_content(self, *states: State) -> list[_Watched]:
        return [life for life in self._in(*states) if has_content(life.running[0])]

    def _sort(self) -> None:
        self.ended += [life for life in self.live if life.state in ENDED]
        self.live = [life for life in self.live if life.state not in ENDED]

    # -- what must hold when an attempt fails -------------------------------------------------

    def _check_fault(self, life: _Watched, what: Fault) -> None:
        if not life.has_sent and what.kind in GIVEN_BACK:
            assert isinstance(life.last, Refuse)
            assert life.last.verdict.is_callers
        if life.has_sent and (what.kind is Kind.REFUSED or not self._may_continue(life)):
            assert isinstance(life.last, Break)

    def _may_continue(self, life: _Watched) -> bool:
        return life.limits.continues and life.answer.characters is not None

    # -- what must hold when an attempt begins ------------------------------------------------

    def _check_start(self, life: _Watched, start: Start) -> None:
        now, key = self.world.now, start.target.key
        assert now < life.limits.deadline, "an attempt began after the deadline"
        assert start.began == now
        assert start.target in life.targets
        if life.has_sent:
            assert self._may_continue(life)
        assert start.attempt.from_char == (life.answer.characters if life.has_sent else 0)
        if start.hedge:
            self._check_hedge(life)
        elif not start.retry:
            self.firsts[key].append(now)
        since = life.starts[life.kept_after :]
        earlier = [before for before in since if before.target.key == key]
        is_mended = bool(earlier) and self._check_again(life, start, earlier[-1])
        for before in life.starts:
            seen = before.attempt.fault
            dead = seen is not None and seen.kind is Kind.ACCOUNT and seen.remedy is None
            assert not (dead and before.target.account_key == start.target.account_key)
        if not is_mended:
            # Whoever says what it takes has just answered, whatever health knows of it.
            self._check_turn(start.target)

    def _check_again(self, life: _Watched, start: Start, before: Start) -> bool:
        """The same target once more: after a wait, mended, or after a lost race."""
        result, seen = before.attempt.result, before.attempt.fault
        if start.retry:
            # Given up early, it was slow at nobody's fault.
            assert seen is None or seen.kind in RETRYABLE
            return False
        if result is Result.ABANDONED:
            assert len(life.starts) > 1, "the race was lost to nobody"
            return False
        assert result is Result.FAULT
        assert seen.remedy is not None
        mended = (start.target.key, seen.remedy)
        assert mended not in life.mended, "the same remedy twice"
        life.mended.add(mended)
        return True

    def _check_hedge(self, life: _Watched) -> None:
        """Beside one slow stream, before content, within the budget, and while nobody is short."""
        (slow,) = life.running
        now, key = self.world.now, slow.target.key
        assert life.limits.stream
        assert life.limits.hedge is not None
        assert life.state is State.ATTEMPTING
        assert not life.has_sent
        assert not has_content(slow)
        assert not any(self.world.board.is_short(where, now) for where in life.targets)
        hedged = [at for at in self.hedged[key] if at > now - 60.0]
        firsts = [at for at in self.firsts[key] if at > now - 60.0]
        assert len(hedged) + 1 <= 0.05 * len(firsts)
        self.hedged[key].append(now)

    def _check_turn(self, where: Target) -> None:
        """A target that is closed to requests sees one trial, or one guess a second."""
        board, now = self.world.board, self.world.now
        account, breaker = board.of_account(where), board.of_target(where)
        assert account.admits(now), "a held account was asked"
        if breaker.state is BreakerState.CLOSED or breaker.admits(now):
            return
        assert breaker.fault.kind in OUTAGE_LIKE, "a guess where a human or a rest is needed"
        assert now - self.out_of_turn.get(where.key, float("-inf")) >= 1.0
        self.out_of_turn[where.key] = now

    # -- what must hold always ----------------------------------------------------------------

    @invariant()
    def every_request_ends_once(self):
        for life in self.live:
            assert life.delivery.outcome is None
            assert not any(isinstance(d, TERMINAL) for d in life.decisions)
        for life in self.ended:
            terminal = [d for d in life.decisions if isinstance(d, TERMINAL)]
            outcome = life.delivery.outcome
            assert len(terminal) == (0 if outcome is RequestOutcome.CANCELLED else 1)
            assert not terminal or life.last is terminal[0]

    @invariant()
    def every_attempt_ends_once_before_its_request(self):
        for life in self.live + self.ended:
            ends = [id(d.start) for d in life.decisions if isinstance(d, Ended)]
            over = [start for start in life.starts if start not in life.running]
            assert sorted(ends) == sorted(map(id, over))
            assert not (life.running and life.state in ENDED | RESTING)

    @invariant()
    def success_is_what_a_provider_signalled(self):
        for life in self.live + self.ended:
            succeeded = life.delivery.outcome is RequestOutcome.SUCCEEDED
            assert succeeded is life.was_whole
            assert succeeded is any(isinstance(d, Finish) for d in life.decisions)
            results = [attempt.result for attempt in life.delivery.attempts]
            assert results.count(Result.CONTENT) == succeeded

    @invariant()
    def attempts_are_bounded_and_a_second_one_runs_only_as_a_hedge(self):
        for life in self.live + self.ended:
            attempts = life.delivery.attempts
            times_kept = sum(isinstance(d, Hold) for d in life.decisions)
            assert len(attempts) == len(life.starts)
            assert len(attempts) <= life.limits.attempts * (1 + times_kept)
            if len(life.running) > 1:
                assert life.state is State.ATTEMPTING
                assert life.running[1].hedge
                assert not any(map(has_content, life.running))
            for attempt in attempts:
                assert (attempt.ended_ms is None) is (attempt.result is None)
                assert (attempt.fault is not None) is (attempt.result is Result.FAULT)

    @invariant()
    def nobody_lives_or_waits_beyond_the_deadline(self):
        for life in self.live:
            assert self.world.now < life.limits.deadline
            assert life.delivery.due <= life.limits.deadline

    @invariant()
    def what_was_sent_is_never_taken_back(self):
        for life in self.live + self.ended:
            starts = [start.attempt.from_char for start in life.starts]
            assert starts == sorted(starts)
            if life.has_sent:
                assert life.state not in {State.ATTEMPTING, State.WAITING}
                assert not isinstance(life.last, Refuse)
            else:
                assert life.state not in {State.COMMITTED, State.CONTINUING, State.PAUSED}
                assert not any(isinstance(d, Break) for d in life.decisions)

    @invariant()
    def promised_retries_are_all_accounted_for(self):
        if not self.live:
            for where in TARGETS:
                for _ in range(3):
                    assert self.world.budget.allows(where.key, self.world.now)

    def teardown(self):
        """Left alone, every request comes to its end by its deadline."""
        looks = 0
        while self.live:
            self.until_somebody_is_due()
            looks += 1
            assert looks < 5000, "it is looked at again and again, and nothing changes"
        self.every_request_ends_once()


TestRequests = Requests.TestCase
TestRequests.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
