"""What operators are shown of health is what is known of it, node by node."""

import msgspec
import pytest

from understudy.core.faults import Kind
from understudy.core.outcomes import Result
from understudy.core.quota import Quota, Unit
from understudy.core.settings import Feature
from understudy.policy.breaker import BreakerState
from understudy.policy.causes import Cause, CauseKind
from understudy.policy.causes import Testimony as Said  # pytest collects what begins with Test
from understudy.policy.gates import Ticket
from understudy.policy.plans import NOBODYS, Claim
from understudy.policy.probing import Probing
from understudy.policy.pulls import Pull
from understudy.policy.quality import Quality
from understudy.services.health_view import FleetView, HealthView, Scene, health_view
from unit.policy.policy_world import World, fault, target

SONNET = target("anthropic@main/sonnet", probed=True)
SPARE = target("anthropic@spare/sonnet", probed=True)
GPT = target("openai@main/gpt", tier="substitute", probed=True)
CHAT = Feature(name="chat", title="Chat", targets=())
DRAFTS = Feature(name="drafts", title="Drafts", targets=())


class Seen(World):
    """A world, and how operators see it."""

    def __init__(self) -> None:
        super().__init__()
        self.probing = Probing(self.board, self.draw)
        self.causes = []
        self.testimonies = []
        self.fleet = FleetView()
        #: Node → the process that has found it broken.
        self.told = {}

    def view(self) -> HealthView:
        scene = Scene(
            now=self.now,
            wall=1_800_000_000.0 - self.now,
            features=[(CHAT, (SONNET, SPARE, GPT)), (DRAFTS, (GPT,))],
            board=self.board,
            probing=self.probing,
            budget=self.budget,
            gates=self.gates,
            quality=Quality(),
            causes=self.causes,
            testimonies=self.testimonies,
            fleet=self.fleet,
            told_by=self.told.get,
        )
        # As it goes over the wire.
        return msgspec.json.decode(msgspec.json.encode(health_view(scene)), type=HealthView)

    def nodes(self):
        found = {}
        for provider in self.view().providers:
            found[provider.node] = provider.health
            for account in provider.accounts:
                found[account.node] = account.health
                found |= {one.node: one.health for one in account.targets}
        return found

    def states(self):
        return {node: health.state.value for node, health in self.nodes().items()}

    def feature(self, name="chat"):
        return next(one for one in self.view().features if one.name == name)

    def target(self, key):
        return next(
            one
            for provider in self.view().providers
            for account in provider.accounts
            for one in account.targets
            if one.node == key
        )

    def prove(self, *targets):
        for one in targets or (SONNET, SPARE, GPT):
            self.attempt(one)

    def pull(self, node):
        self.board.pulls.take(Pull(node=node, reason="it invents", by="ann", at=1_800_000_000.0))


@pytest.fixture
def seen():
    return Seen()


def test_the_tree_has_every_node_once_in_the_order_of_the_features(seen):
    assert list(seen.nodes()) == [
        *("anthropic", "anthropic@main", "anthropic@main/sonnet"),
        *("anthropic@spare", "anthropic@spare/sonnet"),
        *("openai", "openai@main", "openai@main/gpt"),
    ]
    assert seen.view().network.targets == 3
    assert seen.target("openai@main/gpt").features == ["chat", "drafts"]
    assert seen.target("anthropic@main/sonnet").features == ["chat"]


def test_what_has_never_worked_is_not_called_proved_and_what_has_is_everywhere_above_it(seen):
    assert set(seen.states().values()) == {"never_proved"}
    seen.prove(SONNET)
    seen.pass_by(5.0)
    nodes = seen.nodes()
    for node in ("anthropic", "anthropic@main", "anthropic@main/sonnet"):
        assert (nodes[node].state, nodes[node].proved) == ("closed", True)
        assert nodes[node].last_good == "2027-01-15T07:59:55Z"
    for node in ("anthropic@spare", "openai", "openai@main/gpt"):
        assert (nodes[node].state, nodes[node].proved) == ("never_proved", False)
        assert nodes[node].last_good is None


def test_a_failure_is_a_suspicion_and_a_score_before_it_is_an_outage(seen):
    seen.prove()
    seen.attempt(SONNET, fault(Kind.OUTAGE))
    node = seen.nodes()["anthropic@main/sonnet"]
    assert (node.state, node.suspicious, node.fault) == ("closed", True, None)
    assert node.score > 0
    assert seen.nodes()["openai@main/gpt"].score == 0


def test_a_broken_target_shows_its_fault_and_when_it_is_tried_again(seen):
    seen.prove()
    down = fault(Kind.OUTAGE, message="upstream went away", retry_after=None)
    for _ in range(4):
        seen.attempt(SONNET, down)
    seen.pass_by(5.0)
    node = seen.nodes()["anthropic@main/sonnet"]
    assert node.state == "open"
    assert node.fault.kind == "outage"
    assert (node.fault.status, node.fault.code) == (500, "api_error")
    assert node.fault.message == "upstream went away"
    until = seen.board.of_target(SONNET).opened_until
    assert node.next_try_in == pytest.approx(until - seen.now, abs=0.06)
    shown = seen.target("anthropic@main/sonnet")
    assert shown.next_probe_in == pytest.approx(node.next_try_in)
    assert "next try in" in shown.obstacle
    assert seen.view().network.serving == 2


def test_a_time_that_is_over_is_no_less_than_now(seen):
    seen.break_down(SONNET)
    seen.pass_by(1000.0)
    assert seen.nodes()["anthropic@main/sonnet"].next_try_in == 0


def test_a_trial_and_the_way_back_are_told_apart(seen):
    seen.prove()
    seen.break_down(SONNET)
    seen.pass_by(30.0)
    seen.board.started(SONNET, seen.now)
    assert seen.states()["anthropic@main/sonnet"] == "half_open"
    seen.end(SONNET, Result.CONTENT, seen.now)
    assert seen.board.of_target(SONNET).state is BreakerState.CLOSED
    node = seen.nodes()["anthropic@main/sonnet"]
    assert (node.state, node.share) == ("slow_start", 0.1)
    seen.pass_by(60.0)
    assert seen.nodes()["anthropic@main/sonnet"].share == pytest.approx(0.5)
    seen.pass_by(60.0)
    assert seen.states()["anthropic@main/sonnet"] == "closed"


def test_an_account_that_needs_a_human_is_open_and_its_targets_say_so(seen):
    seen.prove()
    seen.attempt(SONNET, fault(Kind.ACCOUNT, message="your key was revoked"))
    states = seen.states()
    assert states["anthropic@main"] == "open"
    assert states["anthropic@main/sonnet"] == states["anthropic@spare"] == "closed"
    assert "anthropic@main: account" in seen.target("anthropic@main/sonnet").obstacle
    assert seen.nodes()["anthropic@main"].fault.kind == "account"


@pytest.mark.parametrize(
    ("node", "pulled"),
    [
        ("anthropic", ["anthropic", "anthropic@main", "anthropic@spare", SONNET.key, SPARE.key]),
        ("anthropic@main", ["anthropic@main", SONNET.key]),
        ("anthropic/sonnet", [SONNET.key, SPARE.key]),
        (SPARE.key, [SPARE.key]),
    ],
)
def test_a_pull_shows_at_all_that_it_holds_and_nowhere_else(node, pulled, seen):
    seen.prove()
    seen.pull(node)
    nodes = seen.nodes()
    assert [name for name, health in nodes.items() if health.state == "pulled"] == sorted(
        pulled, key=list(nodes).index
    )
    for name in pulled:
        assert (nodes[name].pull.node, nodes[name].pull.reason) == (node, "it invents")
    assert [(pull.node, pull.by, pull.at) for pull in seen.view().pulls] == [
        (node, "ann", "2027-01-15T08:00:00Z")
    ]


def test_a_pulled_target_is_pulled_whatever_else_is_the_matter_and_is_not_probed(seen):
    seen.break_down(SONNET)
    assert seen.target("anthropic@main/sonnet").next_probe_in is not None
    seen.pull("anthropic@main")
    assert seen.states()["anthropic@main/sonnet"] == "pulled"
    assert seen.target("anthropic@main/sonnet").next_probe_in is None


class TestFeatures:
    def test_the_first_that_serves_is_named(self, seen):
        feature = seen.feature()
        assert (feature.title, feature.served_by) == ("Chat", "anthropic@main/sonnet")
        assert (feature.tier, feature.preferred) == ("same", True)

    def test_a_substitute_is_called_one(self, seen):
        seen.pull("anthropic")
        feature = seen.feature()
        assert (feature.served_by, feature.tier) == ("openai@main/gpt", "substitute")
        assert not feature.preferred
        assert [bool(one.obstacle) for one in feature.targets] == [True, True, False]

    def test_nobody_is_nobody(self, seen):
        seen.pull("openai")
        feature = seen.feature("drafts")
        assert (feature.served_by, feature.tier, feature.preferred) == (None, None, False)


def test_the_retry_budget_counts_what_the_budget_counts(seen):
    seen.grow_busy(SONNET, 40)
    for _ in range(3):
        assert seen.target(SONNET.key).retries.allowed
        seen.budget.retry(SONNET.key, seen.now)
    seen.budget.retried(SONNET.key)
    retries = seen.target(SONNET.key).retries
    assert (retries.first_attempts, retries.retries, retries.open) == (40, 3, 2)
    seen.budget.retry(SONNET.key, seen.now)
    seen.budget.retry(SONNET.key, seen.now)
    assert not seen.target(SONNET.key).retries.allowed
    assert seen.target(GPT.key).retries.first_attempts == 0


def test_causes_and_testimonies_come_with_what_speaks_for_them(seen):
    seen.causes = [
        Cause(
            kind=CauseKind.PROVIDER_DOWN,
            node="anthropic",
            share=0.8712,
            about="acme",
            evidence_for=("2 of 2 accounts fail",),
            evidence_against=("its page says operational",),
        )
    ]
    seen.testimonies = [
        Said(
            provider="anthropic",
            source="https://status.example/api/v2/summary.json",
            state="operational",
            words="API: operational",
            age=61.02,
        )
    ]
    view = seen.view()
    (cause,) = view.causes
    assert cause.about == "acme"
    assert (cause.kind, cause.node, cause.share) == ("provider_down", "anthropic", 0.871)
    assert cause.evidence_for == ["2 of 2 accounts fail"]
    assert cause.evidence_against == ["its page says operational"]
    (testimony,) = view.testimonies
    assert (testimony.provider, testimony.state, testimony.age) == (
        "anthropic",
        "operational",
        61.0,
    )


@pytest.mark.parametrize("kind", [Kind.CALLER, Kind.ADAPTABLE, Kind.REFUSED])
def test_a_providers_words_about_a_request_are_not_shown(kind, seen):
    breaker = seen.board.of_target(SONNET)
    breaker.hold(fault(kind, message="zanzibar-7731 is too long"), seen.now, 60.0)
    assert "zanzibar" not in msgspec.json.encode(seen.view()).decode()


def test_what_a_target_can_take_is_what_its_gate_knows(seen):
    limits = seen.target(SONNET.key).limits
    assert (limits.allowances, limits.under_way, limits.bears) == ([], 0, None)
    gate = seen.gates.of(SONNET)
    mark = gate.started(NOBODYS.need, seen.now)
    gate.told((Quota(unit=Unit.REQUESTS, limit=50.0, remaining=20.0),), mark, seen.now)
    gate.concurrency.limit = 1.0
    for background in (False, True, True):
        claim = Claim(NOBODYS.need, "acme", background)
        seen.gates.enter(Ticket(seen.gates, claim, seen.draw), (SONNET,), seen.now)
    seen.pass_by(3.0)
    limits = seen.target(SONNET.key).limits
    (requests,) = limits.allowances
    assert (requests.unit, requests.limit, requests.left, requests.age) == (
        *("requests", 50.0),
        *(22.5, 3.0),
    )
    assert (limits.under_way, limits.bears) == (1, 1)
    assert (limits.waiting, limits.waiting_background) == (1, 2)


def test_who_serves_together_is_told_and_who_has_found_what(seen):
    assert seen.view().fleet == FleetView()
    seen.fleet = FleetView(process="me", processes=3, leader="you", reachable=True)
    assert seen.view().fleet == seen.fleet
    seen.told = {SONNET.key: "you", GPT.key: "you"}
    seen.board.of_target(SONNET).hold(fault(Kind.OUTAGE), seen.now, 60.0)
    assert seen.target(SONNET.key).health.told_by == "you"
    # That is over.
    assert seen.target(GPT.key).health.told_by is None


def test_what_another_process_has_seen_work_is_proved(seen):
    seen.pass_by(30.0)
    seen.board.of_target(SONNET).told_good = seen.now - 20.0
    nodes = seen.nodes()
    for node in ("anthropic", "anthropic@main", SONNET.key):
        assert (nodes[node].state, nodes[node].proved) == ("closed", True)
        assert nodes[node].last_good == "2027-01-15T07:59:40Z"
    assert nodes[GPT.key].state == "never_proved"
