"""What an operator takes out of use stays out, whatever form of its name was used."""

from itertools import permutations

import msgspec
import pytest

from understudy.policy.plans import Recourse
from understudy.policy.pulls import (
    Node,
    Pull,
    Pulls,
    Restored,
    UnknownNodeError,
    find_node,
    nodes_of,
)
from unit.policy.policy_world import NOW, World, target

MAIN = target("anthropic@main/sonnet")
BACKUP = target("anthropic@backup/sonnet")
OPUS = target("anthropic@main/opus")
GPT = target("openai@main/gpt-5.2")
ANY = target("local@default/*")
TARGETS = (MAIN, BACKUP, OPUS, GPT, ANY)


AT = 1_800_000_000.0


def pull(node, reason="it invents dates", after=0.0):
    return Pull(node=node, reason=reason, by="ann", at=AT + after)


def back(node, after=1.0):
    return Restored(node=node, by="ann", at=AT + after)


FORMS = [
    ("anthropic@main/sonnet", [MAIN]),
    ("anthropic/sonnet", [MAIN, BACKUP]),
    ("anthropic@main", [MAIN, OPUS]),
    ("anthropic", [MAIN, BACKUP, OPUS]),
]


@pytest.mark.parametrize(("node", "out"), FORMS)
def test_each_form_of_a_node_takes_out_what_is_in_it_and_nothing_else(node, out):
    pulls = Pulls([pull(node)])
    for one in TARGETS:
        words = f"{node}: pulled by an operator: it invents dates"
        assert pulls.obstacle(one) == (words if one in out else None)


@pytest.mark.parametrize(("node", "out"), FORMS)
def test_a_restore_brings_it_back(node, out):
    pulls = Pulls([pull(node)])
    assert pulls.take(back(node))
    assert all(pulls.obstacle(one) is None for one in TARGETS)
    assert not pulls
    assert pulls.at(node) is None


def test_a_wider_pull_is_not_ended_by_restoring_a_part():
    pulls = Pulls([pull("anthropic"), pull("anthropic@main", "no credit")])
    assert "anthropic@main: pulled by an operator: no credit" in pulls.obstacle(OPUS)
    assert pulls.take(back("anthropic@main"))
    assert "anthropic: pulled by an operator" in pulls.obstacle(OPUS)


WORDS = [pull("openai"), back("openai", 1.0), pull("openai", "a contract", 2.0)]


@pytest.mark.parametrize("order", list(permutations(WORDS)))
def test_the_latest_word_on_a_node_holds_in_whatever_order_they_come(order):
    pulls = Pulls(order)
    assert [held.reason for held in pulls] == ["a contract"]
    assert pulls.words() == [WORDS[-1]]


def test_a_word_that_is_known_is_no_news_nor_is_one_as_late():
    pulls = Pulls([pull("openai")])
    assert not pulls.take(pull("openai"))
    assert not pulls.take(back("openai", after=0.0))
    assert pulls.take(back("openai"))
    assert pulls.words() == [back("openai")]


def test_of_words_as_late_as_each_other_the_settled_one_holds():
    pulls = Pulls([pull("openai")])
    assert pulls.take(back("openai", after=0.0), settled=True)
    assert not pulls
    assert not pulls.take(back("openai", after=0.0), settled=True)
    assert not pulls.take(pull("openai", after=-1.0), settled=True)


@pytest.mark.parametrize("clock", [-3600.0, 0.0, 3600.0])
def test_an_operators_word_is_later_than_what_is_known_whatever_the_clock_says(clock):
    pulls = Pulls([pull("openai")])
    moment = pulls.later("openai", AT + clock)
    assert pulls.take(Restored(node="openai", by="bob", at=moment))
    assert not pulls
    assert pulls.later("openai", AT + clock) > moment or clock > 0.0
    assert pulls.later("anthropic", AT + clock) == AT + clock


def test_a_model_that_callers_name_can_be_pulled():
    named = target("local@default/llama")
    assert Pulls([pull("local/llama")]).obstacle(named)
    assert Pulls([pull("local/other")]).obstacle(named) is None


def test_pulls_may_change_while_they_are_looked_through():
    pulls = Pulls([pull("openai"), pull("anthropic")])
    seen = []
    for held in pulls:
        seen.append(held.node)
        pulls.take(back("anthropic"))
    assert seen == ["openai", "anthropic"]


class TestHealth:
    """A pull is the first thing that health looks at, and need does not outweigh it."""

    @pytest.fixture
    def world(self):
        return World()

    def test_a_sound_target_that_is_pulled_is_passed_over(self, world):
        world.board.pulls.take(pull("anthropic"))
        assert world.board.obstacle(MAIN, NOW) == (
            "anthropic: pulled by an operator: it invents dates"
        )
        assert world.board.obstacle(GPT, NOW) is None

    def test_it_is_not_tried_when_nothing_else_is_left(self, world):
        world.board.pulls.take(pull("anthropic"))
        assert world.board.recourse(MAIN, NOW) is Recourse.OUT


@pytest.mark.parametrize(
    ("text", "node", "key"),
    [
        ("anthropic", Node("anthropic"), "anthropic"),
        ("anthropic/*", Node("anthropic"), "anthropic"),
        ("anthropic@main", Node("anthropic", "main"), "anthropic@main"),
        ("anthropic@main/*", Node("anthropic", "main"), "anthropic@main"),
        ("anthropic/a", Node("anthropic", None, "a"), "anthropic/a"),
        ("a@b/c", Node("a", "b", "c"), "a@b/c"),
        ("local/meta/llama@3", Node("local", None, "meta/llama@3"), "local/meta/llama@3"),
    ],
)
def test_a_node_is_read_from_its_name(text, node, key):
    assert Node.parse(text) == node
    assert node.key == key


@pytest.mark.parametrize(
    "text",
    ["", "/", "@", "a@", "a/", "@main", "/model", "a@b@c", "A", "a b", "a\n", "a/b c", "a" * 500],
)
def test_what_is_no_node_is_refused(text):
    with pytest.raises(ValueError, match="provider"):
        Node.parse(text)


def test_every_node_that_can_be_pulled_is_listed_once_and_found_by_its_name():
    nodes = nodes_of(TARGETS)
    assert nodes == (
        *("anthropic", "openai", "local"),
        *("anthropic@main", "anthropic@backup", "openai@main", "local@default"),
        *("anthropic/sonnet", "anthropic/opus", "openai/gpt-5.2"),
        *("anthropic@main/sonnet", "anthropic@backup/sonnet"),
        *("anthropic@main/opus", "openai@main/gpt-5.2"),
    )
    assert [find_node(node, TARGETS).key for node in nodes] == list(nodes)


@pytest.mark.parametrize("text", ["local/any-model", "local@default/any-model"])
def test_any_model_can_be_named_where_callers_choose_it(text):
    assert find_node(text, TARGETS).key == text


@pytest.mark.parametrize(
    "text", ["antropic", "anthropic@spare", "anthropic/gpt-5.2", "openai@main/opus", "a b", ""]
)
def test_a_name_of_nothing_is_refused_with_the_names_there_are(text):
    with pytest.raises(UnknownNodeError) as raised:
        find_node(text, TARGETS)
    assert raised.value.known == nodes_of(TARGETS)


@pytest.mark.parametrize("reason", ["x", "naïve ☂", "  padded ", "r" * 200])
def test_a_pull_goes_through_json_unchanged(reason):
    told = msgspec.json.encode(pull("anthropic", reason))
    assert msgspec.json.decode(told, type=Pull) == pull("anthropic", reason)


@pytest.mark.parametrize("reason", ["", " ", "two\nlines", "\x1b[31mred", "r" * 201, "a\u2028b"])
def test_a_reason_that_would_break_a_line_is_refused(reason):
    told = msgspec.json.encode(pull("anthropic", reason))
    with pytest.raises(msgspec.ValidationError, match="reason"):
        msgspec.json.decode(told, type=Pull)
