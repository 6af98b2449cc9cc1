"""Who is there, who leads, and what is whose to do."""

import msgspec
import pytest

from understudy.ports import MAX_WORD_BYTES
from understudy.relay.fleet import Fleet
from understudy.relay.fleet.words import pack, unpack


class Wire:
    """A bulletin of which the test says what it carries."""

    def __init__(self, name="me"):
        self.name = name
        self.is_up = True
        self.leads = False
        self.is_willing = True
        self.told = []

    def listen(self, hear, changed):
        self.hear, self.changed = hear, changed

    def tell(self, topic, body):
        self.told.append((topic, body))

    def stand(self, *, willing):
        self.is_willing = willing


class Scene:
    """A fleet, its bulletin and its clock."""

    def __init__(self, **how):
        self.now = 1000.0
        self.wire = Wire(**how)
        self.fleet = Fleet(self.wire, lambda: self.now)
        self.wire.changed()

    def beats(self, *names, leader=None):
        for name in names:
            self.wire.hear(name, "fleet", b"leads" if name == leader else b"here")

    def goes(self, up):
        self.wire.is_up = up
        self.wire.changed()

    def pass_by(self, seconds):
        for _ in range(int(seconds)):
            self.now += 1.0
            self.fleet.look()


@pytest.fixture
def scene():
    return Scene()


def test_alone_one_leads_and_does_everything():
    fleet = Fleet()
    assert (fleet.leads, fleet.share, fleet.processes) == (True, 1.0, 1)
    assert not fleet.is_shared
    assert not fleet.is_second("")
    fleet.tell("t", b"nobody hears it")
    fleet.look()


def test_those_are_there_who_were_heard_of_within_five_seconds(scene):
    scene.beats("bob", "cem")
    assert scene.fleet.processes == 3
    scene.pass_by(4)
    scene.beats("bob")
    scene.pass_by(4)
    assert scene.fleet.processes == 2


def test_any_word_is_a_sign_of_life_and_goodbye_is_the_last(scene):
    scene.wire.hear("bob", "anything", b"")
    assert scene.fleet.processes == 2
    scene.wire.hear("bob", "fleet", b"gone")
    assert scene.fleet.processes == 1


def test_a_sign_of_life_is_given_every_second_or_two(scene):
    scene.wire.told.clear()
    scene.pass_by(20)
    assert 10 <= scene.wire.told.count(("fleet", b"here")) <= 20


def test_cut_off_it_counts_as_many_as_there_were_and_corrects_that_later(scene):
    scene.beats("bob", "cem", leader="bob")
    scene.goes(up=False)
    scene.pass_by(600)
    assert (scene.fleet.processes, scene.fleet.leader) == (3, None)
    assert scene.fleet.share == pytest.approx(1 / 3)
    scene.goes(up=True)
    scene.pass_by(4)
    scene.beats("bob")
    assert scene.fleet.processes == 3
    scene.pass_by(3)
    assert scene.fleet.processes == 2


def test_what_is_done_for_all_is_done_by_whoever_leads_or_by_lot(scene):
    scene.beats("bob", "cem", leader="bob")
    assert (scene.fleet.leader, scene.fleet.share) == ("bob", 0.0)
    scene.beats("bob")
    assert (scene.fleet.leader, scene.fleet.share) == (None, pytest.approx(1 / 3))
    scene.wire.leads = True
    assert (scene.fleet.leader, scene.fleet.share) == ("me", 1.0)


@pytest.mark.parametrize(
    ("leader", "sender", "second"),
    [
        ("bob", "cem", "bob"),
        ("bob", "me", "bob"),
        ("bob", "bob", "cem"),
        (None, "cem", "bob"),
        (None, "bob", "cem"),
        ("me", "bob", "me"),
        ("me", "me", "bob"),
    ],
)
def test_one_of_the_others_looks_into_what_somebody_says(leader, sender, second):
    names = {"bob", "cem", "me"}
    found = set()
    for name in names:
        scene = Scene(name=name)
        scene.beats(*(names - {name}), leader=leader)
        scene.wire.leads = name == leader
        if scene.fleet.is_second(sender):
            found.add(name)
    assert found == {second}


def test_one_that_stands_back_may_lead_again_after_its_time(scene):
    scene.fleet.stand_back(300.0)
    scene.pass_by(299)
    assert not scene.wire.is_willing
    scene.pass_by(1)
    assert scene.wire.is_willing


def test_who_watches_is_told_when_somebody_comes_and_when_others_are_lost_or_found(scene):
    seen = []
    scene.fleet.watch(lambda: seen.append(scene.now))
    scene.beats("bob", "bob")
    assert len(seen) == 1
    scene.goes(up=False)
    scene.goes(up=True)
    assert len(seen) == 3


def test_a_word_goes_to_who_hears_its_topic(scene):
    heard = []
    scene.fleet.on("t", lambda sender, body: heard.append((sender, body)))
    scene.wire.hear("bob", "t", b"1")
    scene.wire.hear("bob", "u", b"2")
    assert heard == [("bob", b"1")]


def test_pieces_go_into_as_few_words_as_they_fit_in():
    pieces = [msgspec.json.encode({"n": number, "x": "y" * 90}) for number in range(200)]
    words = list(pack(pieces))
    assert all(len(word) <= MAX_WORD_BYTES for word in words)
    assert len(words) == -(-sum(map(len, pieces)) // (MAX_WORD_BYTES - 200))
    assert [bytes(piece) for word in words for piece in unpack(word)] == pieces


def test_a_piece_that_fits_in_no_word_keeps_none_of_the_others():
    long = msgspec.json.encode("x" * MAX_WORD_BYTES)
    assert list(pack([b"1", long, b"2"])) == [b"[1,2]"]


@pytest.mark.parametrize("word", [b"", b"{}", b"nonsense", b"\xff\xfe", b"[1"])
def test_what_is_no_such_word_says_nothing(word):
    assert unpack(word) == []
