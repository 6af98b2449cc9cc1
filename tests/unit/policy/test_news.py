"""What processes tell each other of breakers: the last word holds, and hearsay is looked into."""

from itertools import permutations, product, repeat

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from understudy.core.faults import Kind
from understudy.policy.breaker import TRIAL_SECONDS, BreakerState, Change
from understudy.policy.news import (
    DISTRUST_SECONDS,
    MAX_MESSAGE,
    REFUTED_SECONDS,
    Heard,
    Ledger,
    News,
)
from understudy.policy.plans import Recourse
from unit.policy.policy_world import World, fault, target

ONE = target("anthropic@main/sonnet")
OUTAGE = fault(Kind.OUTAGE)
OPEN, HALF_OPEN, CLOSED = BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED
#: The calendar, at the world's moment 0.
WALL = 1_800_000_000.0


class Process(World):
    """One of several, with a clock of its own for the calendar."""

    def __init__(self, name, clock=0.0):
        super().__init__(repeat(0.5))
        self.name = name
        self.clock = clock
        self.ledger = Ledger(name)
        self.told = []
        self.board.changed = self._note
        self.breaker = self.board.of_target(ONE)

    @property
    def moment(self):
        return WALL + self.now + self.clock

    def _note(self, node, change):
        if self.ledger.note(node, change, self.board.breaker(node), self.moment):
            self.told.append(node)

    def news(self):
        """Its word on the target, as it goes over the wire."""
        word = self.ledger.news(ONE.key, self.breaker, self.now)
        return msgspec.json.decode(msgspec.json.encode(word), type=News)

    def hear(self, other, **how):
        news = other.news() if isinstance(other, Process) else other
        return self.ledger.hear(news, self.breaker, self.now, self.moment, **how)

    def probe(self, end=None):
        self.attempt(ONE, *([] if end is None else [end]), is_probe=True)


def pass_by(seconds, *processes):
    for process in processes:
        process.pass_by(seconds)


@pytest.fixture
def ann():
    return Process("ann")


@pytest.fixture
def bob():
    return Process("bob")


@pytest.fixture
def cem():
    return Process("cem")


# -- following --------------------------------------------------------------------------------


def test_what_one_finds_broken_rests_at_the_others_for_the_same_reason_and_time(ann, bob):
    ann.break_down(ONE)
    assert bob.hear(ann) is Heard.FOLLOWED
    assert (bob.breaker.state, bob.breaker.fault) == (OPEN, ann.breaker.fault)
    assert bob.breaker.opened_until == pytest.approx(ann.breaker.opened_until, abs=1e-3)
    assert bob.ledger.opener(ONE.key) == "ann"
    assert bob.board.rests(ONE, bob.now) is not None
    # It is no evidence, nor bob's own word.
    assert bob.breaker.score == 0.0
    assert bob.told == []
    assert bob.news().by == "ann"


def test_a_trial_that_is_under_way_elsewhere_is_left_alone_until_it_has_had_its_time(ann, bob):
    ann.break_down(ONE)
    bob.hear(ann)
    pass_by(ann.breaker.opened_until - ann.now, ann, bob)
    ann.board.started(ONE, ann.now)
    assert bob.hear(ann) is Heard.FOLLOWED
    assert bob.breaker.state is HALF_OPEN
    assert bob.board.rests(ONE, bob.now) is not None
    bob.pass_by(TRIAL_SECONDS)
    assert bob.board.rests(ONE, bob.now) is None


def test_what_works_again_comes_back_everywhere_step_by_step(ann, bob):
    ann.break_down(ONE)
    bob.hear(ann)
    pass_by(70.0, ann, bob)
    ann.attempt(ONE)
    assert bob.hear(ann) is Heard.FOLLOWED
    assert bob.breaker.state is CLOSED
    for seconds in (0.0, 60.0, 60.0):
        pass_by(seconds, ann, bob)
        assert bob.breaker.share(bob.now) == pytest.approx(ann.breaker.share(ann.now))
    assert bob.breaker.share(bob.now) == 1.0


def test_a_rest_that_is_prolonged_doubles_for_whoever_goes_on_with_it(ann, bob):
    ann.break_down(ONE)
    bob.hear(ann)
    for process, other in ((bob, ann), (ann, bob), (bob, ann)):
        pass_by(process.breaker.opened_until - process.now, ann, bob)
        process.attempt(ONE, OUTAGE)
        assert other.hear(process) is Heard.FOLLOWED
    assert ann.breaker.opened_until - ann.now == pytest.approx(15.0 * 2**3, rel=0.01)


def test_what_asked_for_patience_is_left_in_peace_by_all_and_is_nobodys_to_look_into(ann, bob):
    ann.attempt(ONE, fault(Kind.THROTTLED, retry_after=40.0))
    assert bob.hear(ann, second=True) is Heard.FOLLOWED
    assert bob.board.rests(ONE, bob.now) is not None
    assert not bob.breaker.is_ours
    assert bob.board.is_short(ONE, bob.now)
    pass_by(40.0, ann, bob)
    bob.attempt(ONE)
    # That it works now says nothing against who was told to wait.
    assert bob.news().refutes == ""
    assert ann.hear(bob) is Heard.FOLLOWED
    assert ann.breaker.state is CLOSED


def test_what_an_operator_brings_back_slowly_comes_back_slowly_everywhere(ann, bob):
    ann.board.ramp("anthropic", ann.now)
    assert ann.told == [ONE.key]
    assert bob.hear(ann) is Heard.FOLLOWED
    assert bob.breaker.share(bob.now) == 0.1


def test_nobody_counts_what_he_was_told_as_a_request_that_may_be_the_trial(ann, bob):
    ann.break_down(ONE)
    bob.hear(ann)
    bob.board.processes = 4
    began = bob.now
    bob.board.started(ONE, began)
    assert bob.board.recourse(ONE, began + 3.9) is Recourse.OUT
    assert bob.board.recourse(ONE, began + 4.0) is Recourse.TRIAL


# -- the last word ----------------------------------------------------------------------------


def test_a_word_that_is_known_is_not_heard_again(ann, bob):
    ann.break_down(ONE)
    bob.hear(ann)
    bob.pass_by(5.0)
    until = bob.breaker.opened_until
    assert bob.hear(ann) is Heard.OLD
    assert bob.breaker.opened_until == until
    assert ann.hear(bob) is Heard.OLD


def test_in_whatever_order_words_come_the_last_one_holds(ann):
    words = []
    ann.break_down(ONE)
    words.append(ann.news())
    ann.pass_by(20.0)
    ann.attempt(ONE)
    words.append(ann.news())
    ann.pass_by(5.0)
    ann.break_down(ONE)
    words.append(ann.news())
    for order in permutations(words):
        bob = Process("bob")
        bob.pass_by(25.0)
        for news in order:
            bob.hear(news)
        assert bob.breaker.state is OPEN
        assert bob.news().at == words[-1].at


@pytest.mark.parametrize("clock", [-7200.0, -1.0, 1.0, 7200.0])
def test_clocks_that_disagree_change_neither_the_order_nor_the_times(ann, clock):
    bob = Process("bob", clock)
    ann.break_down(ONE)
    bob.hear(ann)
    assert bob.breaker.opened_until == pytest.approx(ann.breaker.opened_until, abs=1e-3)
    pass_by(70.0, ann, bob)
    bob.attempt(ONE)
    assert ann.hear(bob) is Heard.FOLLOWED
    pass_by(1.0, ann, bob)
    ann.break_down(ONE)
    assert bob.hear(ann) is Heard.FOLLOWED
    assert bob.breaker.state is OPEN


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob", "cem"]),
            st.sampled_from(["fails", "works", "told", "waits"]),
            st.sampled_from(["ann", "bob", "cem"]),
        ),
        max_size=40,
    )
)
def test_whatever_happens_all_agree_once_all_have_told_all(happenings):
    people = {name: Process(name, clock) for name, clock in (("ann", 0), ("bob", 3), ("cem", -9))}

    def tell(one, other):
        if one is not other and one.ledger.news(ONE.key, one.breaker, one.now):
            other.hear(one)

    for who, what, whom in happenings:
        if what == "told":
            tell(people[who], people[whom])
        elif what == "waits":
            pass_by(10.0, *people.values())
        else:
            people[who].attempt(ONE, *([OUTAGE] if what == "fails" else []))
    assume(not any(p.ledger.stands_apart(ONE.key, p.moment) for p in people.values()))
    for one, other in [*product(people.values(), repeat=2)] * 3:
        tell(one, other)
    assert len({p.breaker.state is CLOSED for p in people.values()}) == 1


# -- hearsay ----------------------------------------------------------------------------------


def test_whoever_looks_into_a_word_tries_at_once_and_a_failure_confirms_it(ann, bob, cem):
    ann.break_down(ONE)
    bob.hear(ann, second=True)
    assert bob.breaker.is_ours
    assert bob.breaker.admits(bob.now)
    bob.probe(OUTAGE)
    assert not bob.breaker.is_ours
    news = bob.news()
    assert (news.confirmed, news.opener, news.by, news.state) == (True, "ann", "bob", OPEN)
    # It was the first rest for all of them.
    assert bob.breaker.opened_until - bob.now == pytest.approx(15.0)
    for other in (ann, cem):
        assert other.hear(bob) is Heard.FOLLOWED
    # A success soon after it then refutes nobody.
    pass_by(20.0, ann, bob, cem)
    for _ in range(3):
        bob.probe()
        bob.pass_by(2.0)
    assert bob.news().state is CLOSED
    assert bob.news().refutes == ""


def refuted(ann, bob, cem):
    """Ann finds it broken; bob looks into it, and it works."""
    ann.break_down(ONE)
    cem.hear(ann)
    bob.hear(ann, second=True)
    bob.attempt(ONE)
    assert bob.news().refutes == "ann"
    assert [one.hear(bob) for one in (ann, cem)] == [Heard.FOLLOWED] * 2
    assert {one.breaker.state for one in (ann, bob, cem)} == {CLOSED}


def test_who_was_refuted_is_not_believed_again_until_he_is_quiet_for_five_minutes(ann, bob, cem):
    refuted(ann, bob, cem)
    for _ in range(3):
        pass_by(DISTRUST_SECONDS - 1.0, ann, bob, cem)
        ann.break_down(ONE)
        for other in (bob, cem):
            assert other.hear(ann) is Heard.DISTRUSTED
            assert other.breaker.state is CLOSED
        ann.breaker.close_as_told(ann.now, float("-inf"))
    pass_by(DISTRUST_SECONDS + 1.0, ann, bob, cem)
    ann.break_down(ONE)
    assert bob.hear(ann) is Heard.FOLLOWED


def test_who_was_refuted_goes_by_his_own_evidence_and_tries_by_himself(ann, bob, cem):
    refuted(ann, bob, cem)
    pass_by(1.0, ann, bob, cem)
    ann.break_down(ONE)
    assert ann.breaker.is_ours
    pass_by(1.0, ann, bob, cem)
    # Bob has something to tell of it in the meantime: it came and went there.
    bob.break_down(ONE)
    pass_by(20.0, ann, bob, cem)
    bob.attempt(ONE)
    assert ann.hear(bob) is Heard.DISTRUSTED
    assert ann.breaker.state is OPEN
    # When it works for ann it is no news for those for whom it worked all along.
    pass_by(60.0, ann, bob, cem)
    ann.attempt(ONE)
    cem_share = cem.breaker.share(cem.now)
    assert cem.hear(ann) is Heard.DISTRUSTED
    assert cem.breaker.share(cem.now) == cem_share


@pytest.mark.parametrize("how", ["by its trial", "by callers"])
def test_who_has_seen_it_work_himself_is_believed_again(ann, bob, cem, how):
    refuted(ann, bob, cem)
    pass_by(1.0, ann, bob, cem)
    if how == "by its trial":
        ann.break_down(ONE)
        assert bob.hear(ann) is Heard.DISTRUSTED
        pass_by(60.0, ann, bob, cem)
        ann.attempt(ONE)
        assert bob.hear(ann) is Heard.DISTRUSTED
    else:
        for one in (ann, bob):
            one.ledger.redeem("ann", ONE.key, one.moment)
    pass_by(1.0, ann, bob, cem)
    ann.break_down(ONE)
    assert not ann.breaker.is_ours
    assert bob.hear(ann) is Heard.FOLLOWED


def test_that_it_worked_before_it_was_found_broken_redeems_nobody(ann, bob, cem):
    seen_at = bob.moment - 1.0
    refuted(ann, bob, cem)
    bob.ledger.redeem("ann", ONE.key, seen_at)
    ann.break_down(ONE)
    assert bob.hear(ann) is Heard.DISTRUSTED


def test_that_something_works_long_after_it_was_found_broken_refutes_nobody(ann, bob):
    ann.break_down(ONE)
    bob.hear(ann)
    pass_by(REFUTED_SECONDS, ann, bob)
    bob.attempt(ONE)
    assert bob.news().refutes == ""


def test_what_one_had_reason_to_doubt_himself_is_confirmed_at_once(ann, bob):
    bob.attempt(ONE, OUTAGE)
    assert bob.breaker.is_suspicious
    ann.break_down(ONE)
    assert bob.hear(ann, second=True) is Heard.SHARED
    assert bob.news().confirmed
    assert not bob.breaker.is_ours


def test_a_failure_out_of_turn_confirms_what_was_told(ann, bob):
    ann.break_down(ONE)
    bob.hear(ann)
    until = bob.breaker.opened_until
    bob.attempt(ONE, OUTAGE)
    assert bob.told == [ONE.key]
    assert bob.news().confirmed
    assert bob.breaker.opened_until == until
    bob.attempt(ONE, OUTAGE)
    assert bob.told == [ONE.key]


def test_a_word_of_slowness_is_not_looked_into(ann, bob):
    for _ in range(4):
        began = ann.now
        ann.board.started(ONE, began)
        ann.pass_by(8.0)
        ann.board.came(ONE, ann.now, began, late=True)
    assert ann.breaker.is_merely_slow
    bob.pass_by(ann.now - bob.now)
    bob.hear(ann, second=True)
    assert bob.breaker.is_merely_slow
    assert not bob.breaker.is_ours
    assert bob.board.recourse(ONE, bob.now) is Recourse.LESSER


# -- doubts -----------------------------------------------------------------------------------


def test_a_doubt_that_is_told_is_one_failures_worth_of_suspicion(bob, ann):
    ann.attempt(ONE, OUTAGE)
    bob.breaker.doubt_as_told(bob.now, slow=False)
    assert bob.breaker.is_suspicious
    assert bob.breaker.score == ann.breaker.score
    for _ in range(5):
        bob.probe()
    assert not bob.breaker.is_suspicious


def test_doubts_alone_open_nothing(bob):
    for _ in range(100):
        bob.breaker.doubt_as_told(bob.now, slow=False)
        bob.breaker.doubt_as_told(bob.now, slow=True)
    assert bob.breaker.state is CLOSED
    assert bob.breaker.slow_since == bob.now


# -- what is told -----------------------------------------------------------------------------


def test_what_is_told_again_is_what_rests_and_what_came_back_within_a_minute(ann):
    assert ann.ledger.lasting(ann.moment) == []
    ann.break_down(ONE)
    ann.pass_by(3600.0)
    assert ann.ledger.lasting(ann.moment) == [ONE.key]
    ann.attempt(ONE)
    ann.pass_by(59.0)
    assert ann.ledger.lasting(ann.moment) == [ONE.key]
    ann.pass_by(2.0)
    assert ann.ledger.lasting(ann.moment) == []
    ann.pass_by(DISTRUST_SECONDS)
    ann.ledger.forget(ann.moment)
    assert ann.ledger.news(ONE.key, ann.breaker, ann.now) is None


@pytest.mark.parametrize("kind", sorted(Kind))
def test_no_more_of_a_providers_words_is_told_than_the_journal_shows(ann, kind):
    ann.breaker.hold(fault(kind, message="zanzibar-7731 " * 100), ann.now, 60.0)
    told = ann.news().fault
    about_requests = {Kind.CALLER, Kind.ADAPTABLE, Kind.REFUSED, Kind.DEGRADED, Kind.INTERNAL}
    if kind in about_requests:
        assert told.message == ""
    else:
        assert told.message.startswith("zanzibar")
        assert len(told.message) == MAX_MESSAGE + 1
    assert (told.kind, told.scope, told.status) == (
        kind,
        ann.breaker.fault.scope,
        ann.breaker.fault.status,
    )


def test_a_closed_breaker_whose_requests_come_and_go_says_nothing(ann):
    for _ in range(1000):
        ann.attempt(ONE)
    ann.attempt(ONE, fault(Kind.CALLER))
    ann.attempt(ONE, OUTAGE)
    assert ann.told == []


def test_in_an_outage_a_request_out_of_turn_is_nothing_to_tell(ann):
    ann.break_down(ONE)
    ann.told.clear()
    for _ in range(100):
        ann.attempt(ONE, OUTAGE)
    assert ann.told == []


def test_every_change_is_one_of_those_that_are_told(ann):
    seen = []
    ann.board.changed = lambda node, change: seen.append((node, change))
    ann.break_down(ONE)
    ann.pass_by(100.0)
    ann.attempt(ONE)
    assert seen == [
        (ONE.key, Change.RESTS),
        (ONE.key, Change.TRIED),
        (ONE.key, Change.CLOSED),
    ]
