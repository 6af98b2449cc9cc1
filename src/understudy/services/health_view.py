"""Health as operators see it: the tree of providers, the likely causes, what serves each feature.

Pure: a `Scene` goes in, a `HealthView` comes out. `understudy status` reads the same types back, so
that what is shown and what is sent can't drift apart. No key, prompt or answer is in it: nothing
that holds one is looked at, and a provider's words are shown only where the journal shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from understudy.core.allotment import Limited
from understudy.core.faults import Fault
from understudy.core.settings import Feature
from understudy.policy.board import Board
from understudy.policy.breaker import Breaker, BreakerState
from understudy.policy.budget import RetryBudget
from understudy.policy.causes import Cause, Testimony
from understudy.policy.gates import Gates
from understudy.policy.plans import Target
from understudy.policy.probing import Probing
from understudy.policy.pulls import Pull
from understudy.policy.quality import Quality, QualityView
from understudy.services.journal import fault_view
from understudy.services.limits_view import LimitsView, limits_view

__all__ = [
    "AccountView",
    "CauseView",
    "FaultView",
    "FeatureView",
    "FleetView",
    "HealthView",
    "NetworkView",
    "NodeHealth",
    "ProviderView",
    "PullView",
    "RetriesView",
    "Scene",
    "Standing",
    "State",
    "TargetView",
    "TestimonyView",
    "feature_view",
    "health_view",
    "pull_view",
]

_NEVER = float("-inf")


class State(StrEnum):
    """What a node is like, in a word: the first of these that fits."""

    #: An operator has taken it out of use.
    PULLED = "pulled"
    #: It is left alone.
    OPEN = "open"
    #: A trial is under way.
    HALF_OPEN = "half_open"
    #: It works again, and has a part of its traffic.
    SLOW_START = "slow_start"
    #: Nothing speaks against it, and nobody has seen it work since the process began.
    NEVER_PROVED = "never_proved"
    #: It works, as far as anyone knows.
    CLOSED = "closed"


class PullView(msgspec.Struct, kw_only=True):
    """What an operator has pulled. `at`, as every time here: RFC 3339, UTC."""

    node: str
    reason: str
    by: str
    at: str


class FaultView(msgspec.Struct, kw_only=True):
    """A fault, as the journal shows it."""

    kind: str
    scope: str
    status: int | None
    code: str | None
    message: str
    retry_after: float | None


class NodeHealth(msgspec.Struct, kw_only=True):
    """What is known of a provider, an account or a target."""

    state: State
    #: How much speaks for its being broken: see `understudy.policy.detect`.
    score: float
    suspicious: bool
    #: Why it is left alone.
    fault: FaultView | None
    #: Seconds until it may be tried again; None where nothing is waited for.
    next_try_in: float | None
    #: The share of its traffic that it may have.
    share: float
    #: It has been seen to work, it or something in it, since the process began.
    proved: bool
    last_good: str | None
    #: The pull that keeps it out of use: its own, or a wider one.
    pull: PullView | None
    #: The process that has found it broken; None: it isn't, or this one has.
    told_by: str | None = None


class RetriesView(msgspec.Struct, kw_only=True):
    """A target's retry budget over the last minute."""

    first_attempts: int
    retries: int
    #: Waiting, or under way.
    open: int
    #: One more would be within it.
    allowed: bool


class TargetView(msgspec.Struct, kw_only=True):
    """A model at an account."""

    node: str
    model: str
    health: NodeHealth
    #: The features that it may serve.
    features: list[str]
    #: Why it serves none now, be it for what stands above it; None: it serves.
    obstacle: str | None
    #: Seconds until it is probed; None: not by itself.
    next_probe_in: float | None
    retries: RetriesView
    limits: LimitsView


class AccountView(msgspec.Struct, kw_only=True):
    """One credential at a provider."""

    node: str
    health: NodeHealth
    targets: list[TargetView]


class ProviderView(msgspec.Struct, kw_only=True):
    """A provider."""

    node: str
    health: NodeHealth
    accounts: list[AccountView]


class NetworkView(msgspec.Struct, kw_only=True):
    """The root of the tree: how much of it serves."""

    targets: int
    serving: int


class Standing(msgspec.Struct, kw_only=True):
    """A target of a feature, and what stands against it."""

    node: str
    tier: str
    obstacle: str | None


class FeatureView(msgspec.Struct, kw_only=True):
    """A feature, and who serves it now."""

    name: str
    title: str
    #: A target's node; None: nothing can serve it.
    served_by: str | None
    tier: str | None
    #: That is the first in order.
    preferred: bool
    #: In order of preference.
    targets: list[Standing]


class CauseView(msgspec.Struct, kw_only=True):
    """What may be the matter, where, and how much speaks for it."""

    kind: str
    #: Empty where it is no part of the tree.
    node: str
    #: A tenant, where it is one's.
    about: str
    share: float
    evidence_for: list[str]
    evidence_against: list[str]


class TestimonyView(msgspec.Struct, kw_only=True):
    """What a provider's status page said."""

    provider: str
    source: str
    state: str
    words: str
    #: Seconds since it was read.
    age: float


class FleetView(msgspec.Struct, kw_only=True):
    """The processes that serve together, as far as this one knows."""

    #: This one; empty where there can't be others.
    process: str = ""
    processes: int = 1
    #: The one that sends the probes of all; None: none is known to.
    leader: str | None = None
    #: Whether the database is reached through which they hear of each other; None: there is none.
    reachable: bool | None = None


class HealthView(msgspec.Struct, kw_only=True):
    """Everything that is known at one moment."""

    at: str
    fleet: FleetView = msgspec.field(default_factory=FleetView)
    features: list[FeatureView]
    network: NetworkView
    providers: list[ProviderView]
    pulls: list[PullView]
    #: The likeliest first.
    causes: list[CauseView]
    testimonies: list[TestimonyView]
    #: The content health of every model that was asked.
    quality: list[QualityView]
    #: Callers and tenants whose requests this process refused within the last minute.
    limited: list[Limited] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What there is to look at."""

    #: Seconds of the loop, and what makes Unix seconds of them.
    now: float
    wall: float
    features: Sequence[tuple[Feature, tuple[Target, ...]]]
    board: Board
    probing: Probing
    budget: RetryBudget
    gates: Gates
    quality: Quality
    causes: Sequence[Cause]
    testimonies: Sequence[Testimony]
    fleet: FleetView
    #: Node → the other process that has found it broken, if one has.
    told_by: Callable[[str], str | None]
    limited: Sequence[Limited] = ()

    def targets(self) -> list[Target]:
        """Every target, once."""
        found = {target.key: target for _, targets in self.features for target in targets}
        return list(found.values())


def health_view(scene: Scene) -> HealthView:
    """Everything that is known at `scene.now`."""
    targets = [_target_view(scene, target) for target in scene.targets()]
    return HealthView(
        at=_moment(scene.now + scene.wall),
        fleet=scene.fleet,
        features=[feature_view(*feature, scene.board, scene.now) for feature in scene.features],
        network=NetworkView(
            targets=len(targets), serving=sum(view.obstacle is None for view in targets)
        ),
        providers=_provider_views(scene, {view.node: view for view in targets}),
        pulls=[pull_view(pull) for pull in scene.board.pulls],
        causes=[_cause_view(cause) for cause in scene.causes],
        testimonies=[_testimony_view(testimony) for testimony in scene.testimonies],
        quality=scene.quality.views(scene.now),
        limited=list(scene.limited),
    )


def feature_view(
    feature: Feature, targets: tuple[Target, ...], board: Board, now: float
) -> FeatureView:
    """Who serves a feature at `now`."""
    standings = [
        Standing(node=target.key, tier=target.tier, obstacle=board.rests(target, now))
        for target in targets
    ]
    serving = next((standing for standing in standings if standing.obstacle is None), None)
    return FeatureView(
        name=feature.name,
        title=feature.title,
        served_by=serving.node if serving is not None else None,
        tier=serving.tier if serving is not None else None,
        preferred=serving is not None and serving is standings[0],
        targets=standings,
    )


def pull_view(pull: Pull) -> PullView:
    """A pull, with its time as people write it."""
    return PullView(node=pull.node, reason=pull.reason, by=pull.by, at=_moment(pull.at))


def _provider_views(scene: Scene, views: dict[str, TargetView]) -> list[ProviderView]:
    """The tree, in the order in which the features name it."""
    providers: dict[str, dict[str, list[Target]]] = {}
    for target in scene.targets():
        accounts = providers.setdefault(target.provider, {})
        accounts.setdefault(target.account_key, []).append(target)
    found: list[ProviderView] = []
    for provider, accounts in providers.items():
        under = [target for targets in accounts.values() for target in targets]
        found.append(
            ProviderView(
                node=provider,
                health=_health(scene, provider, scene.board.of_provider(under[0]), under),
                accounts=[
                    AccountView(
                        node=account,
                        health=_health(scene, account, scene.board.of_account(targets[0]), targets),
                        targets=[views[target.key] for target in targets],
                    )
                    for account, targets in accounts.items()
                ],
            )
        )
    return found


def _target_view(scene: Scene, target: Target) -> TargetView:
    now = scene.now
    firsts, retries, under_way = scene.budget.counts(target.key, now)
    probe_at = scene.probing.next_at(target, now)
    return TargetView(
        node=target.key,
        model=target.model,
        health=_health(scene, target.key, scene.board.of_target(target), [target]),
        features=[
            feature.name
            for feature, targets in scene.features
            if any(target.key == one.key for one in targets)
        ],
        obstacle=scene.board.rests(target, now),
        next_probe_in=None if probe_at is None else _seconds(probe_at - now),
        retries=RetriesView(
            first_attempts=firsts,
            retries=retries,
            open=under_way,
            allowed=scene.budget.allows(target.key, now),
        ),
        limits=limits_view(scene.gates.of(target), now),
    )


def _health(scene: Scene, node: str, breaker: Breaker, under: list[Target]) -> NodeHealth:
    """`under`: the targets at the node. An account works where one of its targets does."""
    board, now = scene.board, scene.now
    seen = (breaker, *map(board.of_target, under))
    last_good = max(max(one.last_good, one.told_good) for one in seen)
    pull = _pull_of(board, node, under)
    share = breaker.share(now)
    resting = breaker.state is not BreakerState.CLOSED
    return NodeHealth(
        state=_state(breaker, pull is not None, share, last_good > _NEVER),
        score=round(breaker.score, 2),
        suspicious=breaker.is_suspicious,
        fault=_fault_view(breaker.fault),
        next_try_in=_seconds(breaker.opened_until - now) if resting else None,
        share=round(share, 3),
        proved=last_good > _NEVER,
        last_good=_moment(last_good + scene.wall) if last_good > _NEVER else None,
        pull=None if pull is None else pull_view(pull),
        told_by=scene.told_by(node) if resting else None,
    )


def _pull_of(board: Board, node: str, under: list[Target]) -> Pull | None:
    if under[0].key == node:
        return board.pulls.of(under[0])
    return board.pulls.at(node) or board.pulls.at(under[0].provider)


def _state(breaker: Breaker, pulled: bool, share: float, proved: bool) -> State:
    if pulled:
        return State.PULLED
    if breaker.state is BreakerState.OPEN:
        return State.OPEN
    if breaker.state is BreakerState.HALF_OPEN:
        return State.HALF_OPEN
    if share < 1.0:
        return State.SLOW_START
    return State.CLOSED if proved else State.NEVER_PROVED


def _fault_view(fault: Fault | None) -> FaultView | None:
    shown = fault_view(fault)
    return None if shown is None else msgspec.convert(shown, FaultView)


def _cause_view(cause: Cause) -> CauseView:
    return CauseView(
        kind=str(cause.kind),
        node=cause.node,
        about=cause.about,
        share=round(cause.share, 3),
        evidence_for=list(cause.evidence_for),
        evidence_against=list(cause.evidence_against),
    )


def _testimony_view(testimony: Testimony) -> TestimonyView:
    return TestimonyView(
        provider=testimony.provider,
        source=testimony.source,
        state=str(testimony.state),
        words=testimony.words,
        age=_seconds(testimony.age),
    )


def _seconds(value: float) -> float:
    return round(max(0.0, value), 1)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6] + "Z"
