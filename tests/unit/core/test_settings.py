import hashlib
import pickle

import pytest

from understudy.core.settings import Listen, Secret, digest_key, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_this_machine_is_loopback(host):
    assert is_loopback(host)
    assert Listen(host=host, port=0).is_loopback


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "127.evil.com", "localhost.evil.com", "", "128.0.0.1"]
)
def test_whatever_only_looks_like_this_machine_is_not(host):
    assert not is_loopback(host)


def test_a_secret_shows_itself_only_when_asked():
    secret = Secret("sk-12345")
    assert secret.reveal() == "sk-12345"
    assert "12345" not in f"{secret} {secret!r} {[secret]}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_key_is_kept_as_its_sha_256():
    assert digest_key("usk_x") == hashlib.sha256(b"usk_x").hexdigest()
