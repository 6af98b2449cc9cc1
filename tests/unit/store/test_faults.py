"""What drivers say, in the store's words: what may pass by itself, and what needs a human."""

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from understudy.ports import (
    StoreBusyError,
    StoreDamagedError,
    StoreNewerError,
    StoreRefusedError,
    StoreUnreachableError,
)
from understudy.store.faults import may_heal, store_error

SERVER = 'connection to server at "127.0.0.1", port 5432 failed: '


def not_connected(words):
    """No connection, as psycopg tells it."""
    origin = psycopg.OperationalError(f"connection failed: {words}")
    return store_error(OperationalError("SELECT 'a secret'", {}, origin))


@pytest.mark.parametrize(
    "words",
    [
        f'{SERVER}FATAL:  password authentication failed for user "me"',
        f"{SERVER}fe_sendauth: no password supplied",
        f'{SERVER}FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "me", database "jobs"',
        f'{SERVER}FATAL:  database "jobs" does not exist',
        f'{SERVER}FATAL:  role "me" does not exist',
        f'{SERVER}FATAL:  role "me" is not permitted to log in',
        f'{SERVER}FATAL:  permission denied for database "jobs"\nDETAIL:  no CONNECT privilege',
        f"{SERVER}server does not support SSL, but SSL was required",
        f"{SERVER}SSL error: certificate verify failed",
        f'{SERVER}server certificate for "db" does not match host name "10.0.0.1"',
    ],
)
def test_what_only_a_human_can_mend_is_a_refusal_in_the_servers_words(words):
    error = not_connected(words)
    assert isinstance(error, StoreRefusedError)
    assert not may_heal(error)
    assert str(error) == f"the store turns us away: {words.splitlines()[0]}"


@pytest.mark.parametrize(
    "words",
    [
        f"{SERVER}Connection refused\n\tIs the server running on that host?",
        f"{SERVER}FATAL:  the database system is starting up",
        f"{SERVER}FATAL:  the database system is shutting down",
        f"{SERVER}FATAL:  sorry, too many clients already",
        'could not translate host name "db" to address: Name or service not known',
        f"{SERVER}FATAL:  etwas in einer anderen Sprache",
    ],
)
def test_what_may_pass_is_waited_for(words):
    error = not_connected(words)
    assert type(error) is StoreUnreachableError
    assert may_heal(error)
    assert "a secret" not in str(error)


def test_of_what_was_said_on_a_connection_only_the_code_is_passed_on():
    origin = psycopg.errors.UniqueViolation("Key (id)=(a secret) already exists.")
    assert "a secret" not in str(store_error(OperationalError("INSERT", {}, origin)))


@pytest.mark.parametrize(
    ("error", "heals"),
    [
        (StoreBusyError("x"), True),
        (StoreNewerError("x"), False),
        (StoreDamagedError("x"), False),
        (StoreRefusedError("x"), False),
    ],
)
def test_what_may_heal(error, heals):
    assert may_heal(error) is heals
