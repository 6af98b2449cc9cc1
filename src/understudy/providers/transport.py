"""What failed between us and a provider, below HTTP, as a fault.

Pure, so it knows exceptions by the names of their classes and by their `errno`, not by importing
the modules that raise them. Messages are our own plain words: the text of an exception may hold
addresses, and in a proxy's URL even a password.

Whom a failure speaks against follows from how far the request had come. Until it was sent, no
model had a part in it: the provider. From then on: the model. A network that cannot be reached,
or a resolver that does not answer, is ours; so are too many open files, which is nobody's outage.
"""

from __future__ import annotations

import errno
import re
from types import MappingProxyType

import msgspec

from understudy.core.faults import Fault, Kind, Scope
from understudy.providers.scrub import scrub

__all__ = ["transport_fault"]

#: Stage → (what was being done, scope).
_STAGES = MappingProxyType(
    {
        "dns": ("looking up its name", Scope.PROVIDER),
        "connect": ("connecting to it", Scope.PROVIDER),
        "tls": ("setting up TLS with it", Scope.PROVIDER),
        "send": ("sending the request", Scope.PROVIDER),
        "head": ("waiting for its answer", Scope.MODEL),
        "body": ("reading its answer", Scope.MODEL),
    }
)
_UNKNOWN_STAGE = ("talking to it", Scope.PROVIDER)

#: Nothing of ours gets out: no route, no network, a local firewall.
_NETWORK = MappingProxyType(
    {
        errno.ENETUNREACH: "the network is unreachable from here",
        errno.EHOSTUNREACH: "there is no route to it from here",
        errno.ENETDOWN: "our network is down",
        errno.EACCES: "a local rule forbids the connection",
        errno.EPERM: "a local rule forbids the connection",
    }
)
#: This machine has run out of something.
_OURSELVES = MappingProxyType(
    {
        errno.EMFILE: "this process has too many open files",
        errno.ENFILE: "this machine has too many open files",
        errno.ENOMEM: "this machine is out of memory",
        errno.ENOBUFS: "this machine is out of network buffers",
        errno.EADDRNOTAVAIL: "this machine is out of local ports",
    }
)
#: The other side is there, and says no or hangs up.
_REMOTE = MappingProxyType(
    {
        errno.ECONNREFUSED: "it refused the connection",
        errno.ECONNRESET: "it reset the connection",
        errno.EPIPE: "it closed the connection",
        errno.ECONNABORTED: "the connection was aborted",
        errno.ESHUTDOWN: "the connection was shut down",
        errno.ENOTCONN: "the connection was lost",
    }
)
#: Classes that say what happened even when made without an errno (by an event loop, say).
_NUMBER_OF = MappingProxyType(
    {
        "ConnectionRefusedError": errno.ECONNREFUSED,
        "ConnectionResetError": errno.ECONNRESET,
        "ConnectionAbortedError": errno.ECONNABORTED,
        "BrokenPipeError": errno.EPIPE,
        "PermissionError": errno.EACCES,
    }
)
#: `EAI_AGAIN` of getaddrinfo: the resolver gave no answer (glibc and musl -3; BSD and macOS 2).
_RESOLVER_SILENT = frozenset({-3, 2})

_ERRNO_IN_TEXT = re.compile(r"\[Errno (\d{1,4})\]", re.ASCII)


class _Failure(msgspec.Struct, frozen=True):
    """An exception, taken apart. `names` are the classes it is of; `number` 0 is no errno."""

    names: frozenset[str]
    number: int = 0
    reason: str = ""


def transport_fault(stage: str, error: BaseException | None) -> Fault:
    """The fault of losing a connection at `stage`.

    `stage` is dns, connect, tls, send, head (until the status line and headers are in) or body.
    `error` None means that the provider closed in order before its time.
    """
    doing, scope = _STAGES.get(stage, _UNKNOWN_STAGE)
    if error is None:
        return _closed(stage, scope)
    failure = _take_apart(error)
    if "TimeoutError" in failure.names or failure.number == errno.ETIMEDOUT:
        return _timed_out(stage, doing, scope)
    if "gaierror" in failure.names or "herror" in failure.names:
        return _unresolved(failure)
    if "SSLError" in failure.names:
        return _tls(failure, stage, scope)
    return _by_number(failure, stage, doing, scope)


def _closed(stage: str, scope: Scope) -> Fault:
    if stage == "body":
        return Fault(
            kind=Kind.TRUNCATED,
            scope=scope,
            code="eof",
            message="the provider closed the connection before its answer was whole",
        )
    return Fault(
        kind=Kind.OUTAGE,
        scope=scope,
        code="eof",
        message="the provider closed the connection without an answer",
    )


def _timed_out(stage: str, doing: str, scope: Scope) -> Fault:
    return Fault(
        kind=Kind.SLOW,
        scope=Scope.NETWORK if stage == "dns" else scope,
        code=f"{stage}_timeout",
        message=f"no answer from the provider in time while {doing}",
    )


def _unresolved(failure: _Failure) -> Fault:
    silent = failure.number in _RESOLVER_SILENT
    return Fault(
        kind=Kind.OUTAGE,
        scope=Scope.NETWORK if silent else Scope.PROVIDER,
        code="dns_no_answer" if silent else "dns_not_found",
        message=(
            "the name service gave no answer about the provider"
            if silent
            else "the provider's name has no address"
        ),
    )


def _tls(failure: _Failure, stage: str, scope: Scope) -> Fault:
    if "SSLCertVerificationError" in failure.names:
        why = f": {failure.reason}" if failure.reason else ""
        return Fault(
            kind=Kind.OUTAGE,
            scope=Scope.PROVIDER,
            code="tls_certificate",
            message=f"the provider's TLS certificate could not be verified{why}",
        )
    if failure.names & {"SSLEOFError", "SSLZeroReturnError"} or stage in {"send", "head", "body"}:
        message = "the TLS connection to the provider broke"
    else:
        message = "the provider and we could not agree on TLS"
    return Fault(kind=Kind.OUTAGE, scope=scope, code="tls", message=message)


def _by_number(failure: _Failure, stage: str, doing: str, scope: Scope) -> Fault:
    number = failure.number
    name = errno.errorcode.get(number)
    if number in _OURSELVES:
        message = f"{_OURSELVES[number]} (while {doing})"
        return Fault(
            kind=Kind.INTERNAL, scope=Scope.OURSELVES, code=name, message=f"our fault: {message}"
        )
    if number in _NETWORK:
        message = f"the provider was not reached: {_NETWORK[number]}"
        return Fault(kind=Kind.OUTAGE, scope=Scope.NETWORK, code=name, message=message)
    if not failure.names & {"OSError", "EOFError"}:
        # Nothing that a network does: a fault in our own code.
        return Fault(
            kind=Kind.INTERNAL,
            scope=Scope.OURSELVES,
            code="unexpected",
            message=f"our fault: an unexpected error while {doing}",
        )
    what = _REMOTE.get(number, "the connection broke")
    return Fault(
        kind=Kind.OUTAGE,
        scope=scope,
        code=name or f"{stage}_failed",
        message=f"the provider was lost while {doing}: {what}",
    )


def _take_apart(error: BaseException) -> _Failure:
    names = frozenset(cls.__name__ for cls in type(error).__mro__)
    reason = getattr(error, "verify_message", "")
    return _Failure(names, _number(error, names), scrub(reason)[:120] if reason else "")


def _number(error: BaseException, names: frozenset[str]) -> int:
    number = getattr(error, "errno", None)
    if isinstance(number, int):
        return number
    # Several addresses were tried, and asyncio tells of each in its text. One that could not be
    # reached at all (IPv6 on a machine without it) says less than one that was.
    numbers = {int(found) for found in _ERRNO_IN_TEXT.findall(str(error)[:4_000])}
    numbers = (numbers - _NETWORK.keys()) or numbers
    if len(numbers) == 1:
        return numbers.pop()
    return next((number for name, number in _NUMBER_OF.items() if name in names), 0)
