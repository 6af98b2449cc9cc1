"""Every way to lose a connection, and whom it speaks against."""

import asyncio
import errno
import socket
import ssl

import pytest

from understudy.core.faults import OUTAGE_LIKE, Kind, Scope
from understudy.providers.transport import transport_fault

P, M, N, US = Scope.PROVIDER, Scope.MODEL, Scope.NETWORK, Scope.OURSELVES


def certificate_error():
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_message = "certificate has expired"
    return error


MANY = OSError(
    "Multiple exceptions: [Errno 111] Connect call failed ('10.0.0.1', 443), "
    "[Errno 101] Network is unreachable"
)
MANY_UNREACHABLE = OSError(
    "Multiple exceptions: [Errno 101] Network is unreachable, [Errno 101] Network is unreachable"
)

ROWS = [
    ("dns", socket.gaierror(socket.EAI_NONAME, "not known"), Kind.OUTAGE, P, "dns_not_found"),
    ("dns", socket.gaierror(socket.EAI_AGAIN, "temporary"), Kind.OUTAGE, N, "dns_no_answer"),
    ("dns", TimeoutError(), Kind.SLOW, N, "dns_timeout"),
    ("connect", ConnectionRefusedError(errno.ECONNREFUSED, ""), Kind.OUTAGE, P, "ECONNREFUSED"),
    ("connect", ConnectionRefusedError(), Kind.OUTAGE, P, "ECONNREFUSED"),
    ("connect", TimeoutError(), Kind.SLOW, P, "connect_timeout"),
    ("connect", OSError(errno.ETIMEDOUT, ""), Kind.SLOW, P, "connect_timeout"),
    ("connect", OSError(errno.ENETUNREACH, ""), Kind.OUTAGE, N, "ENETUNREACH"),
    ("connect", OSError(errno.EHOSTUNREACH, ""), Kind.OUTAGE, N, "EHOSTUNREACH"),
    ("connect", PermissionError(errno.EPERM, ""), Kind.OUTAGE, N, "EPERM"),
    ("connect", OSError(errno.EMFILE, ""), Kind.INTERNAL, US, "EMFILE"),
    ("connect", OSError(errno.EADDRNOTAVAIL, ""), Kind.INTERNAL, US, "EADDRNOTAVAIL"),
    ("connect", MANY, Kind.OUTAGE, P, "ECONNREFUSED"),
    ("connect", MANY_UNREACHABLE, Kind.OUTAGE, N, "ENETUNREACH"),
    ("connect", None, Kind.OUTAGE, P, "eof"),
    ("tls", certificate_error(), Kind.OUTAGE, P, "tls_certificate"),
    ("tls", ssl.SSLError(1, "WRONG_VERSION_NUMBER"), Kind.OUTAGE, P, "tls"),
    ("tls", ssl.SSLEOFError(8, "EOF"), Kind.OUTAGE, P, "tls"),
    ("tls", ConnectionResetError(), Kind.OUTAGE, P, "ECONNRESET"),
    ("tls", TimeoutError(), Kind.SLOW, P, "tls_timeout"),
    ("tls", None, Kind.OUTAGE, P, "eof"),
    ("send", BrokenPipeError(errno.EPIPE, ""), Kind.OUTAGE, P, "EPIPE"),
    ("send", ConnectionResetError(errno.ECONNRESET, ""), Kind.OUTAGE, P, "ECONNRESET"),
    ("head", ConnectionResetError(errno.ECONNRESET, ""), Kind.OUTAGE, M, "ECONNRESET"),
    ("head", TimeoutError(), Kind.SLOW, M, "head_timeout"),
    ("head", None, Kind.OUTAGE, M, "eof"),
    ("body", ConnectionResetError(errno.ECONNRESET, ""), Kind.OUTAGE, M, "ECONNRESET"),
    ("body", asyncio.IncompleteReadError(b"half", 10), Kind.OUTAGE, M, "body_failed"),
    ("body", ssl.SSLError(1, "BAD_RECORD_MAC"), Kind.OUTAGE, M, "tls"),
    ("body", TimeoutError(), Kind.SLOW, M, "body_timeout"),
    ("body", None, Kind.TRUNCATED, M, "eof"),
    ("body", OSError(), Kind.OUTAGE, M, "body_failed"),
    ("elsewhere", OSError(), Kind.OUTAGE, P, "elsewhere_failed"),
    ("head", ValueError("a bug of ours"), Kind.INTERNAL, US, "unexpected"),
]


@pytest.mark.parametrize(
    ("stage", "error", "kind", "scope", "code"),
    ROWS,
    ids=[f"{stage}-{type(error).__name__}-{code}" for stage, error, _, _, code in ROWS],
)
def test_a_lost_connection(stage, error, kind, scope, code):
    fault = transport_fault(stage, error)
    assert (fault.kind, fault.scope, fault.code) == (kind, scope, code)
    assert fault.status is None
    assert fault.message


def test_a_certificate_is_told_in_plain_words():
    assert transport_fault("tls", certificate_error()).message == (
        "the provider's TLS certificate could not be verified: certificate has expired"
    )


def test_nothing_of_the_exceptions_own_text_is_repeated():
    error = OSError(errno.ECONNREFUSED, "connect to https://user:CANARY@10.0.0.1:443 failed")
    for stage in ("dns", "connect", "tls", "send", "head", "body"):
        assert "CANARY" not in repr(transport_fault(stage, error))


def test_what_this_machine_lacks_is_never_a_providers_outage():
    for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
        assert transport_fault("connect", OSError(number, "")).kind not in OUTAGE_LIKE
