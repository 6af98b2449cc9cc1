"""Several requests at once in a random world: what must hold of each, and of all together."""

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from understudy.core.faults import OUTAGE_LIKE, Kind, Scope
from understudy.core.outcomes import RequestOutcome, Result
from understudy.policy.breaker import BreakerState
from understudy.policy.delivery import Abandon, Break, Finish, Refuse, Start, State
from understudy.policy.targets import Target
from unit.policy.policy_world import ENDED, Life, World, fault, target

TARGETS = [
    target("anthropic@main/sonnet"),
    target("anthropic@main/haiku", tier="reduced"),
    target("anthropic@backup/sonnet"),
    target("openai@main/gpt", tier="substitute"),
    target("openai@main/gpt-mini", tier="reduced"),
]
NEVER_RETRIED = {Kind.CALLER, Kind.ADAPTABLE, Kind.ACCOUNT, Kind.CONFIG, Kind.REFUSED}
TERMINAL = (Finish, Refuse, Break)

LIMITS = st.fixed_dictionaries(
    {
        "seconds": st.floats(0.0, 200.0),
        "first_token": st.floats(0.1, 40.0),
        "idle": st.floats(0.1, 60.0),
        "attempts": st.integers(1, 6),
        "stream": st.booleans(),
        "max_tokens": st.none() | st.integers(1, 64_000),
        "hurried": st.booleans(),
    }
)
FAULTS = st.builds(
    fault,
    st.sampled_from(Kind),
    retry_after=st.none() | st.floats(0.0, 400.0),
    scope=st.sampled_from(Scope),
)


class _Watched(Life):
    """A request, and what must be so at the moment that an attempt of it begins."""

    def __init__(self, world: World, targets: tuple[Target, ...], **limits) -> None:
        super().__init__(world, targets, **limits)
        self.was_whole = False
        self.on_start: Callable[[Start], None] = lambda _: None

    def _carry_out(self, decision) -> None:
        if isinstance(decision, Start):
            self.on_start(decision)
        super()._carry_out(decision)


class Requests(RuleBasedStateMachine):
    """Requests that share their targets, health, budget and clock."""

    def __init__(self) -> None:
        super().__init__()
        self.draws: list[float] = []
        self.world = World(iter(lambda: self.draws.pop() if self.draws else 0.5, None))
        self.live: list[_Watched] = []
        self.ended: list[_Watched] = []
        self.out_of_turn: dict[str, float] = {}

    # -- what happens -------------------------------------------------------------------------

    @precondition(lambda self: len(self.live) < 6)
    @rule(
        where=st.lists(st.sampled_from(TARGETS), unique=True, max_size=5).map(tuple),
        limits=LIMITS,
    )
    def begin(self, where, limits):
        life = _Watched(self.world, where, **limits)
        life.on_start = lambda start: self._check_start(life, start)
        self.live.append(life)
        life.begin()
        self._sort()

    @precondition(lambda self: self._in(State.ATTEMPTING))
    @rule(data=st.data())
    def content(self, data):
        streams = [life for life in self._in(State.ATTEMPTING) if life.limits.stream]
        if streams:
            data.draw(st.sampled_from(streams)).content()

    @precondition(lambda self: self._in(State.COMMITTED))
    @rule(data=st.data())
    def more(self, data):
        life = data.draw(st.sampled_from(self._in(State.COMMITTED)))
        life.last_activity = self.world.now

    @precondition(lambda self: self._in(State.ATTEMPTING, State.COMMITTED))
    @rule(data=st.data())
    def whole(self, data):
        life = data.draw(st.sampled_from(self._in(State.ATTEMPTING, State.COMMITTED)))
        life.was_whole = True
        life.whole()
        self._sort()

    @precondition(lambda self: self._in(State.ATTEMPTING, State.COMMITTED))
    @rule(data=st.data(), what=FAULTS, draw=st.floats(0.0, 0.999))
    def fault(self, data, what, draw):
        self.draws = [draw] * 3
        data.draw(st.sampled_from(self._in(State.ATTEMPTING, State.COMMITTED))).fault(what)
        self._sort()

    @precondition(lambda self: self._in(State.ATTEMPTING))
    @rule(kind=st.sampled_from(sorted(OUTAGE_LIKE | {Kind.ACCOUNT, Kind.CONFIG})))
    def everything_fails(self, kind):
        for life in self._in(State.ATTEMPTING):
            life.fault(kind)
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

    @rule(seconds=st.floats(0.0, 30.0))
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

    def _sort(self) -> None:
        self.ended += [life for life in self.live if life.state in ENDED]
        self.live = [life for life in self.live if life.state not in ENDED]

    # -- what must hold when an attempt begins ------------------------------------------------

    def _check_start(self, life: _Watched, start: Start) -> None:
        now, key = self.world.now, start.target.key
        assert now < life.limits.deadline, "an attempt began after the deadline"
        assert start.began == now
        earlier = life.delivery.attempts[:-1]
        for attempt, before in zip(earlier, life.starts, strict=True):
            assert attempt.result in {Result.FAULT, Result.ABANDONED}
            if before.target.key == key:
                assert start.retry
                assert attempt.fault is None or attempt.fault.kind not in NEVER_RETRIED
            dead = attempt.fault is not None and attempt.fault.kind is Kind.ACCOUNT
            assert not (dead and before.target.account_key == start.target.account_key)
        self._check_turn(start.target)

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
    def success_is_what_a_provider_signalled(self):
        for life in self.live + self.ended:
            succeeded = life.delivery.outcome is RequestOutcome.SUCCEEDED
            assert succeeded is life.was_whole
            assert succeeded is any(isinstance(d, Finish) for d in life.decisions)

    @invariant()
    def attempts_are_bounded_and_one_runs_at_a_time(self):
        for life in self.live + self.ended:
            attempts = life.delivery.attempts
            assert len(attempts) == len(life.starts) <= life.limits.attempts
            running = [a for a in attempts if a.result is None]
            is_running = life.state in {State.ATTEMPTING, State.COMMITTED}
            assert running == (attempts[-1:] if is_running else [])
            for attempt in attempts:
                assert (attempt.ended_ms is None) is (attempt.result is None)
                assert (attempt.fault is not None) is (attempt.result is Result.FAULT)

    @invariant()
    def nobody_waits_beyond_the_deadline(self):
        for life in self.live:
            assert life.delivery.due <= life.limits.deadline

    @invariant()
    def after_the_first_content_there_is_no_other_attempt(self):
        for life in self.live + self.ended:
            shown = [a for a in life.delivery.attempts if a.first_content_ms is not None]
            assert shown in ([], life.delivery.attempts[-1:])
            if shown and life.state in ENDED:
                assert isinstance(life.last, Finish | Break | Abandon)

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
