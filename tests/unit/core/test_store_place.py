"""What `store:` may say, and that nothing of it is repeated where it is wrong."""

import pytest

from understudy.core.store_place import (
    MemoryPlace,
    PostgresPlace,
    SqlitePlace,
    StoreUrlError,
    parse_store_url,
)


def postgres(**parts):
    told = {"database": "jobs", "host": None, "port": None, "user": None, "password": None}
    return PostgresPlace(**{**told, **parts})


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("memory", MemoryPlace()),
        ("sqlite:///understudy.db", SqlitePlace("understudy.db")),
        ("sqlite:///state/a%20b.db", SqlitePlace("state/a b.db")),
        ("sqlite:////var/lib/understudy.db", SqlitePlace("/var/lib/understudy.db")),
        ("postgresql:///jobs", postgres()),
        ("postgres://db.internal/jobs", postgres(host="db.internal")),
        ("postgresql://me@db:5433/jobs", postgres(host="db", port="5433", user="me")),
        ("postgresql://a:1,b:2/jobs", postgres(host="a,b", port="1,2")),
        ("postgresql://[::1]:5433/jobs", postgres(host="::1", port="5433")),
        ("postgresql:///jobs?host=/run/postgresql", postgres(host="/run/postgresql")),
        (
            "postgresql://db/jobs?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            postgres(
                host="db", options=(("sslmode", "verify-full"), ("sslrootcert", "/etc/ca.pem"))
            ),
        ),
    ],
)
def test_every_shape_is_read(url, place):
    assert parse_store_url(url) == place


def test_a_password_is_unquoted_and_shown_to_nobody():
    place = parse_store_url("postgresql://me:p%40ss%2Fhunter2@db:5432/jobs")
    assert place.password.reveal() == "p@ss/hunter2"
    assert (place.user, place.host, place.database) == ("me", "db", "jobs")
    for shown in (repr(place), str(place)):
        assert "hunter2" not in shown
    assert str(place) == "postgresql://db:5432/jobs"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "mysql://me:hunter2@db/jobs",
        "sqlite://hunter2.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///folder/hunter2/",
        "postgresql://me:hunter2@db",
        "postgresql://me:hunter2@db/",
        "postgresql://me:hunter2@db/a/b",
        "postgresql://me:hunter2@db:port/jobs",
        # Unencoded, each of these would make the rest of the password a host or an option.
        "postgresql://me:x@hunter2@db/jobs",
        "postgresql://me:x#hunter2@db/jobs",
        "postgresql://me:x/hunter2@db/jobs",
        "postgresql://me:x?hunter2@db/jobs",
        "postgresql://me:x:hunter2/jobs",
        "postgresql://db/jobs?password=hunter2",
        "postgresql://db/jobs?sslmode=require&sslmode=hunter2",
        "postgresql://[hunter2/jobs",
    ],
)
def test_what_can_not_be_opened_is_refused_and_not_repeated(url):
    with pytest.raises(StoreUrlError) as caught:
        parse_store_url(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
