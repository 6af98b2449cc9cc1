"""What is sealed is read by who has the key, as what it was sealed for, and by nobody else."""

import base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.settings import Secret
from understudy.services import sealing
from understudy.services.sealing import BrokenSealError, NoKeyError, Seals, bound


def key(sign):
    return Secret(base64.urlsafe_b64encode(sign * 32).decode())


ONE, TWO = key(b"1"), key(b"2")
PLACE = bound("acme", "job_1", "request")
DATA = b'{"prompt": "the canary sings"}'


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 33, 1000])
def test_what_was_sealed_is_opened_whatever_its_length(monkeypatch, size):
    monkeypatch.setattr(sealing, "PIECE_BYTES", 16)
    data = bytes(range(256)) * 4
    seals = Seals(ONE)
    assert seals.open(seals.seal(data[:size], PLACE), PLACE) == data[:size]


@given(data=st.binary(max_size=200))
def test_any_bytes(data):
    seals = Seals(ONE)
    assert seals.open(seals.seal(data, PLACE), PLACE) == data


def test_nothing_of_it_shows_and_no_two_are_alike():
    seals = Seals(ONE)
    made = {seals.seal(DATA, PLACE) for _ in range(50)}
    assert len(made) == 50
    assert len({one[9:41] for one in made}) == 50
    for sealed in made:
        assert b"canary" not in sealed
        assert ONE.reveal().encode() not in sealed


@pytest.mark.parametrize("where", ["key", "salt", "text", "tag"])
def test_a_changed_bit_is_noticed(where):
    seals = Seals(ONE)
    sealed = bytearray(seals.seal(DATA, PLACE))
    sealed[{"key": 3, "salt": 20, "text": 45, "tag": -1}[where]] ^= 1
    with pytest.raises(NoKeyError if where == "key" else BrokenSealError):
        seals.open(bytes(sealed), PLACE)


@pytest.mark.parametrize(
    "other",
    [
        bound("globex", "job_1", "request"),
        bound("acme", "job_2", "request"),
        bound("acme", "job_1", "result"),
        bound("acmejob_1", "", "request"),
        b"",
    ],
)
def test_it_is_of_no_use_in_anothers_place(other):
    seals = Seals(ONE)
    with pytest.raises(BrokenSealError):
        seals.open(seals.seal(DATA, PLACE), other)


def test_pieces_are_neither_left_out_nor_swapped_nor_repeated(monkeypatch):
    monkeypatch.setattr(sealing, "PIECE_BYTES", 16)
    seals = Seals(ONE)
    sealed = seals.seal(bytes(range(48)), PLACE)
    head, pieces = sealed[:41], [sealed[41 + n * 32 : 73 + n * 32] for n in range(3)]
    assert head + b"".join(pieces) == sealed
    a, b, c = pieces
    for wrong in ([a, b], [a], [a, c], [b, a, c], [a, b, c, c], [c], [a, b, c[:-1]]):
        with pytest.raises(BrokenSealError):
            seals.open(head + b"".join(wrong), PLACE)


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02" + bytes(100), bytes(56), DATA])
def test_what_was_never_sealed_is_not_guessed_at(data):
    with pytest.raises(BrokenSealError):
        Seals(ONE).open(data, PLACE)


def test_an_earlier_key_opens_and_seals_nothing():
    old, new = Seals(ONE), Seals(TWO, [ONE])
    assert new.open(old.seal(DATA, PLACE), PLACE) == DATA
    with pytest.raises(NoKeyError):
        old.open(new.seal(DATA, PLACE), PLACE)


def test_a_missing_key_is_named_by_its_id_alone():
    with pytest.raises(NoKeyError) as caught:
        Seals(TWO).open(Seals(ONE).seal(DATA, PLACE), PLACE)
    assert len(caught.value.key_id) == 16
    assert ONE.reveal() not in str(caught.value)
    with pytest.raises(NoKeyError) as again:
        Seals().open(Seals(ONE).seal(DATA, PLACE), PLACE)
    assert again.value.key_id == caught.value.key_id


def test_without_a_key_nothing_is_sealed_and_what_earlier_keys_sealed_is_opened():
    seals = Seals(None, [ONE])
    assert not seals.seals
    with pytest.raises(LookupError):
        seals.seal(DATA, PLACE)
    assert seals.open(Seals(ONE).seal(DATA, PLACE), PLACE) == DATA


def test_the_form_is_the_one_that_is_written_down():
    """AES-256-GCM by HKDF, as another program would open it."""
    sealed = Seals(ONE).seal(DATA, PLACE)
    info = b"understudy jobs: record"
    own = HKDF(algorithm=SHA256(), length=32, salt=sealed[9:41], info=info).derive(b"1" * 32)
    assert AESGCM(own).decrypt(bytes(11) + b"\x01", sealed[41:], PLACE) == DATA
