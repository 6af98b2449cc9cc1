"""Each check bites: a story in which its promise is broken is told apart from the true one."""

import msgspec
import pytest

from simulation.sim_invariants import CHECKS, breaches
from simulation.sim_script import Client, Leave, Provider, Request, Script, Spell
from simulation.sim_world import LAST, OpenTry, run
from understudy.core.conversation import Usage
from understudy.core.faults import Fault, Kind, Scope
from understudy.core.outcomes import RequestOutcome
from understudy.mock import FaultRule, Pace

NONE = frozenset()
SLOW = Pace(tokens_per_second=40.0, first_token=0.2, tokens_per_event=10)


@pytest.fixture(scope="module")
def told():
    """A world in which everything happens once, as bytes to make stories of."""
    script = Script(
        seed=5,
        providers=(
            Provider(
                name="one",
                kind="anthropic",
                model="claude-haiku-4-5",
                pace=SLOW,
                spells=(Spell(rule=FaultRule(fault="overloaded", times=1), end=0.5),),
            ),
            Provider(name="two", kind="openai", model="gpt-4.1"),
        ),
        clients=(
            Client(
                name="ann",
                requests=(
                    Request(case=1, dialect="messages", stream=False),
                    Request(case=2, dialect="messages", stream=True, wait=1.0),
                    Request(case=3, dialect="messages", stream=True, flavour="tool"),
                ),
            ),
            Client(
                name="bob",
                at=1.0,
                requests=(
                    Request(case=4, dialect="messages", stream=True, leave=Leave(after=0.9)),
                ),
            ),
        ),
        heals=True,
    )
    return run(script)


def seen(story, case):
    return next(seen for seen in story.seen if seen.request.case == case)


def say(story, case, old, new):
    """Let what a caller got read otherwise."""
    one = seen(story, case)
    assert old in one.body
    one.body = one.body.replace(old, new, 1)
    one._answer = None


def first_record(story):
    return story.record_of(seen(story, 1))


def again_at_the_same(story):
    record = first_record(story)
    record.attempts.append(msgspec.structs.replace(record.attempts[0]))


def denied(kind):
    def doctor(story):
        record = first_record(story)
        fault = Fault(kind=kind, scope=Scope.ACCOUNT, status=401)
        record.attempts[0] = msgspec.structs.replace(record.attempts[0], fault=fault)
        again_at_the_same(story)

    return doctor


def crowd(story):
    """Retries at one target, all at once."""
    record = first_record(story)
    again_at_the_same(story)
    story.records += [msgspec.structs.replace(record) for _ in range(5)]


def hedged(story):
    record = first_record(story)
    first = record.attempts[0]
    record.attempts[1] = msgspec.structs.replace(
        record.attempts[1], started_at=first.started_at + 0.0001
    )


def hedged_late(story):
    hedged(story)
    record = first_record(story)
    record.attempts[0] = msgspec.structs.replace(record.attempts[0], first_content_ms=0.01)


def succeeded_without_a_signal(story):
    for served in story.served_for(seen(story, 2)):
        served.attempt.client_closed = True
        served.sent = served.sent[:-300]


def too_early(story):
    """A dead target is tried twice within a second."""
    story.open_tries.extend(OpenTry("x", at, was_due=False, is_dead=True) for at in (1, 1.5))


def late(story):
    record = first_record(story)
    record.ended_at = record.started_at + 121.5


def felt_late(story):
    served = story.served_for(seen(story, 4))[-1]
    served.attempt.ended = seen(story, 4).ended_at + 1.2


def silent(story):
    seen(story, 2).times.append(seen(story, 2).times[-1] + 16.0)


def refused(status):
    def doctor(story):
        one = seen(story, 2)
        one.status = status

    return doctor


def marked(story):
    say(story, 2, b"event: message_stop", b": understudy continued at x/y from character 7\n\n"
        b"event: message_stop")  # fmt: skip


def forgotten_usage(story):
    attempt = story.record_of(seen(story, 2)).attempts[0]
    attempt.usage = None


def failed_dial(story):
    story.garbage.append("understudy.relay.exchange.Exchange")
    story.timeline.append((1.0, "one.sim", "10.0.1.1 refuses the connection"))


def not_recovered(story):
    last = next(seen for seen in story.seen if seen.client.name == LAST)
    last.body, last._answer = b'{"error":{"message":"no"}}', None


def ended(story):
    first_record(story).outcome = RequestOutcome.CANCELLED


DOCTORS = [
    ("I1", ended),
    ("I1", lambda story: setattr(first_record(story), "ended_at", None)),
    ("I1", lambda story: setattr(seen(story, 2), "ending", "cut")),
    ("I1", lambda story: say(story, 2, b'"type":"message_stop"', b'"type":"ping"')),
    ("I1", lambda story: setattr(seen(story, 2), "responses", 2)),
    ("I4-attempts", lambda story: [again_at_the_same(story) for _ in range(2)]),
    ("I4-attempts", lambda story: story.served.append(story.served[0])),
    ("I4-retries", crowd),
    ("I4-hedges", hedged),
    ("I4-open", too_early),
    ("I5", succeeded_without_a_signal),
    ("I6", lambda story: say(story, 2, b'"text":"', b'"text":"The ')),
    ("I6", lambda story: say(story, 1, b'"text":"', b'"text":"The ')),
    ("I6", lambda story: say(story, 3, b"Lis", b"Par")),
    ("I6-tools", lambda story: say(story, 3, b'"type":"content_block_stop"', b'"type":"ping"')),
    ("I6-seams", marked),
    ("I6-grammar", lambda story: say(story, 2, b"message_delta", b"message_stop")),
    ("I6-grammar", lambda story: say(story, 2, b'"index":0', b'"index":1')),
    ("I6-grammar", lambda story: say(story, 2, b'"}\n\n', b'"}\n')),
    ("I7", late),
    ("I8", denied(Kind.ACCOUNT)),
    ("I8", denied(Kind.CALLER)),
    ("I8", denied(Kind.REFUSED)),
    ("I9", hedged_late),
    ("I12", lambda story: story.log.append({"event": "x", "text": "sk-of-one-main"})),
    ("I12", lambda story: story.log.append({"event": "x", "text": "see case-2"})),
    ("I13", not_recovered),
    ("I15", felt_late),
    ("I16", lambda story: story.left.append("a task")),
    ("I16-garbage", lambda story: story.garbage.append("understudy.relay.exchange.Exchange")),
    ("I16-dials", failed_dial),
    ("I16-connections", lambda s: s.garbage.append("understudy.relay.server.CallerProtocol")),
    ("I17", forgotten_usage),
    ("I18", silent),
    ("I20", refused(401)),
    ("I20", refused(404)),
    ("I21", lambda story: story.errors.append("reading the answer: KeyError()")),
]


def copied(story):
    """A story of its own to change, all the way down."""
    return msgspec.structs.replace(
        story,
        seen=[msgspec.structs.replace(one, times=list(one.times)) for one in story.seen],
        records=[
            msgspec.structs.replace(
                record,
                attempts=[
                    msgspec.structs.replace(attempt, usage=attempt.usage or Usage())
                    for attempt in record.attempts
                ],
            )
            for record in story.records
        ],
        served=[
            msgspec.structs.replace(one, attempt=msgspec.structs.replace(one.attempt))
            for one in story.served
        ],
        log=list(story.log),
        timeline=list(story.timeline),
        _matched=None,
        left=list(story.left),
        garbage=[],
        errors=[],
        open_tries=list(story.open_tries),
    )


def kept(story):
    return {told.partition(":")[0] for told in breaches(story, NONE)}


@pytest.mark.parametrize(("promise", "doctor"), DOCTORS)
def test_a_broken_promise_is_seen(told, promise, doctor):
    story = copied(told)
    before = kept(story)
    assert promise not in before
    doctor(story)
    assert promise in kept(story)


def test_every_check_is_tried():
    assert {promise for promise, _ in DOCTORS} == set(CHECKS)


def test_a_world_that_does_not_end_breaks_the_first_promise(told):
    story = copied(told)
    story.stuck = "DeadlockError: nothing is ready"
    assert "I1" in kept(story)
