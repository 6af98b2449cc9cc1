"""Which targets are probed, when, and how seldom."""

from itertools import pairwise

import pytest

from understudy.core.faults import Kind
from understudy.policy.breaker import BreakerState
from understudy.policy.probing import SUSPICION_BURST, Probing
from understudy.policy.pulls import Pull
from unit.policy.policy_world import World, fault, target

OUTAGE = fault(Kind.OUTAGE)
SONNET = target("anthropic@main/sonnet", probed=True)
HAIKU = target("anthropic@main/haiku", probed=True)
BACKUP = target("anthropic@backup/sonnet", probed=True)
OPUS = target("anthropic@main/opus", probed=True)
GPT = target("openai@main/gpt", probed=True)
IDLE = 600.0


class Probed(World):
    """A world in which probes are sent, and answered by `well` (all, but for those named sick)."""

    def __init__(self, *targets) -> None:
        super().__init__()
        self.board.probed = True
        self.targets = targets
        self.probing = Probing(self.board, self.draw, IDLE)
        self.sick = set()
        self.sent = []

    def prove(self, *targets):
        """They have worked just now."""
        for where in targets or self.targets:
            self.attempt(where)

    def due(self):
        return [where.key for where, _ in self.probing.due(self.targets, self.now)]

    def why(self, where):
        due = {found.key: why for found, why in self.probing.due(self.targets, self.now)}
        return due.get(where.key)

    def go_on(self, seconds, step=0.5):
        """Time passes; what is due is sent and answered at once."""
        until = self.now + seconds
        while self.now < until:
            for where, _ in self.probing.due(self.targets, self.now):
                self.sent.append((self.now, where.key))
                self.probing.began(where, self.now)
                end = OUTAGE if where.key in self.sick else None
                self.attempt(where, end, is_probe=True) if end else self.attempt(
                    where, is_probe=True
                )
                self.probing.ended(where, self.now)
            self.pass_by(step)

    def state(self, where):
        return self.board.of_target(where).state


@pytest.fixture
def world():
    found = Probed(SONNET, HAIKU, GPT)
    found.prove()
    return found


def test_what_works_is_left_in_peace(world):
    world.go_on(60.0)
    assert world.sent == []


def test_one_failure_sends_a_probe_at_once(world):
    world.attempt(SONNET, OUTAGE)
    assert world.why(SONNET) == "under suspicion"


def test_a_suspicion_becomes_certainty_within_seconds_although_nobody_calls(world):
    world.sick = {SONNET.key}
    world.attempt(SONNET, OUTAGE)
    world.go_on(5.0)
    assert world.state(SONNET) is not BreakerState.CLOSED


def test_a_bad_moment_is_cleared_up_and_then_left_in_peace(world):
    world.attempt(SONNET, OUTAGE)
    world.go_on(60.0)
    asked = [key for _, key in world.sent if key == SONNET.key]
    assert 1 <= len(asked) <= 6
    assert world.state(SONNET) is BreakerState.CLOSED


def test_probes_under_suspicion_are_a_second_apart(world):
    world.attempt(SONNET, OUTAGE)
    world.go_on(30.0)
    moments = [moment for moment, key in world.sent if key == SONNET.key]
    assert min(b - a for a, b in pairwise(moments)) >= 1.0


def test_probes_under_suspicion_have_a_budget():
    world = Probed(SONNET)
    world.prove()
    for _ in range(600):
        # What hovers: it fails now and then, and never often enough.
        if not world.board.of_target(SONNET).is_suspicious:
            world.attempt(SONNET, OUTAGE)
        world.go_on(1.0)
    assert len(world.sent) <= SUSPICION_BURST + 600 / 10 + 1


def test_a_sibling_is_asked_too_until_three_answers_are_in(world):
    world.attempt(SONNET, OUTAGE)
    assert world.due() == [SONNET.key, HAIKU.key]
    assert world.why(HAIKU) == f"{SONNET.key} is in doubt"
    world.go_on(30.0)
    assert [key for _, key in world.sent].count(HAIKU.key) == 3


def test_several_siblings_are_asked_once_each():
    world = Probed(SONNET, HAIKU, BACKUP, OPUS)
    world.prove()
    world.attempt(SONNET, OUTAGE)
    world.go_on(20.0)
    asked = [key for _, key in world.sent if key != SONNET.key]
    assert sorted(asked) == sorted([HAIKU.key, BACKUP.key, OPUS.key])


def test_siblings_are_asked_anew_when_a_doubt_becomes_certainty():
    world = Probed(SONNET, HAIKU, BACKUP, OPUS)
    world.prove()
    world.sick = {SONNET.key}
    world.attempt(SONNET, OUTAGE)
    world.go_on(14.0)
    asked = [key for _, key in world.sent if key != SONNET.key]
    assert sorted(asked) == sorted(2 * [HAIKU.key, BACKUP.key, OPUS.key])


def test_other_providers_are_not_asked(world):
    world.sick = {SONNET.key, HAIKU.key}
    world.attempt(SONNET, OUTAGE)
    world.go_on(30.0)
    assert GPT.key not in {key for _, key in world.sent}


def test_a_provider_is_known_to_be_down_before_another_model_is_asked_by_anybody(world):
    world.pass_by(1.0)
    world.sick = {SONNET.key, HAIKU.key}
    world.attempt(SONNET, OUTAGE)
    world.go_on(10.0)
    assert world.board.of_provider(SONNET).state is not BreakerState.CLOSED


def test_at_rest_it_is_asked_when_its_time_is_over_and_not_before(world):
    world.break_down(SONNET)
    world.go_on(14.0)
    assert SONNET.key not in {key for _, key in world.sent}
    world.go_on(2.0)
    assert SONNET.key in {key for _, key in world.sent}


def test_three_answers_end_an_outage(world):
    world.break_down(SONNET)
    world.go_on(25.0)
    assert [key for _, key in world.sent].count(SONNET.key) == 3
    assert world.state(SONNET) is BreakerState.CLOSED


def test_an_outage_that_lasts_is_asked_ever_more_seldom(world):
    world.sick = {SONNET.key}
    world.break_down(SONNET)
    world.go_on(3600.0)
    asked = [key for _, key in world.sent].count(SONNET.key)
    assert 12 <= asked <= 18  # 15 + 30 + 60 + 120 + 240 s, and then every 5 minutes.


def test_one_probe_tells_of_an_account_for_all_its_models(world):
    world.attempt(SONNET, fault(Kind.ACCOUNT))
    world.pass_by(300.0)
    due = world.due()
    assert len({SONNET.key, HAIKU.key} & set(due)) == 1


def test_what_was_told_to_wait_is_not_asked(world):
    world.attempt(SONNET, fault(Kind.THROTTLED, retry_after=30.0))
    world.go_on(60.0)
    assert SONNET.key not in {key for _, key in world.sent}


def test_what_an_operator_pulled_is_not_asked(world):
    world.attempt(SONNET, OUTAGE)
    world.board.pulls.take(Pull(node="anthropic", reason="by contract", by="ada", at=0.0))
    assert world.due() == []
    assert world.probing.next_at(SONNET, world.now) is None


def test_an_idle_fallback_is_asked_every_ten_minutes(world):
    world.go_on(3600.0, step=5.0)
    for where in (SONNET, HAIKU, GPT):
        assert 5 <= [key for _, key in world.sent].count(where.key) <= 7


def test_what_never_worked_is_asked_within_a_minute_of_the_start():
    world = Probed(SONNET, GPT)
    world.probing.due(world.targets, world.now)
    world.pass_by(60.0)
    assert world.why(GPT) == "never proved"


def test_one_probe_at_a_time(world):
    world.attempt(SONNET, OUTAGE)
    world.probing.began(SONNET, world.now)
    world.pass_by(9.0)
    assert SONNET.key not in world.due()
    world.probing.ended(SONNET, world.now)
    assert SONNET.key in world.due()


def test_what_must_not_be_probed_or_has_no_model_is_not():
    silent, wild = target("anthropic@main/sonnet"), target("openai@main/*", probed=True)
    world = Probed(silent, wild)
    world.attempt(silent, OUTAGE)
    world.pass_by(10_000.0)
    assert world.due() == []
    assert world.probing.next_at(wild, world.now) is None


def test_the_next_probe_is_announced(world):
    now = world.now
    assert world.probing.next_at(SONNET, now) == pytest.approx(now + IDLE)
    world.attempt(SONNET, OUTAGE)
    assert world.probing.next_at(SONNET, now) == now
    world.break_down(HAIKU)
    assert world.probing.next_at(HAIKU, now) == pytest.approx(now + 15.0)


# -- of several processes ---------------------------------------------------------------------


def shares(world, where, share, seconds=120):
    """How often a target is due within so many looks, one a second, at that chance."""
    count = 0
    for _ in range(seconds):
        for found, _ in world.probing.due(world.targets, world.now, share):
            if found.key == where.key:
                count += 1
                world.probing.began(where, world.now)
                world.probing.ended(where, world.now)
        world.pass_by(1.0)
    return count


def test_who_does_not_lead_sends_no_probe(world):
    world.attempt(SONNET, OUTAGE)
    assert shares(world, SONNET, 0.0, seconds=20) == 0
    world.break_down(SONNET)
    world.pass_by(world.board.opens_again_in(SONNET, world.now))
    assert shares(world, SONNET, 0.0, seconds=20) == 0


def test_what_is_this_process_own_it_tries_itself_whoever_leads(world):
    world.break_down(SONNET)
    world.board.of_target(SONNET).is_ours = True
    world.pass_by(world.board.opens_again_in(SONNET, world.now))
    assert [found.key for found, _ in world.probing.due(world.targets, world.now, 0.0)] == [
        SONNET.key
    ]


def test_what_the_leader_neglects_is_drawn_lots_for(world):
    world.board.processes = 4
    world.probing = Probing(world.board, lambda: 0.2, IDLE)
    world.break_down(SONNET)
    rest = world.board.opens_again_in(SONNET, world.now)
    world.pass_by(rest + 29.0)
    assert shares(world, SONNET, 0.0, seconds=1) == 0
    assert shares(world, SONNET, 0.0, seconds=1) == 1


def test_a_lot_that_is_lost_counts_as_a_probe_that_was_sent():
    won, lost, draws = Probed(SONNET), Probed(SONNET), [0.99]
    lost.probing = Probing(lost.board, lambda: draws[0], IDLE)
    for world in (won, lost):
        world.prove()
        world.attempt(SONNET, OUTAGE)
    # The budget is spent, by whomever.
    assert shares(won, SONNET, 1.0, seconds=60) == pytest.approx(SUSPICION_BURST + 6, abs=1)
    assert shares(lost, SONNET, 0.5, seconds=60) == 0
    draws[0] = 0.0
    assert shares(won, SONNET, 1.0, seconds=60) == shares(lost, SONNET, 0.5, seconds=60) == 6


def test_after_a_lot_that_is_lost_it_rests_as_long_again(world):
    world.break_down(SONNET)
    rest = world.board.opens_again_in(SONNET, world.now)
    world.pass_by(rest)
    world.probing = Probing(world.board, lambda: 0.99, IDLE)
    assert world.probing.due(world.targets, world.now, 0.5) == []
    assert world.board.opens_again_in(SONNET, world.now) == pytest.approx(rest)
