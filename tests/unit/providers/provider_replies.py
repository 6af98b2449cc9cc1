"""Replies of providers as they were documented or reported, for the tests of this folder."""

import json

import msgspec

from understudy.core.faults import Kind, Scope
from understudy.providers.base import Reply

#: 15 November 2026, 12:00 UTC.
NOW = 1_794_744_000.0
DAY = 86_400.0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A reply, and what it must be taken for. `case` is the row of the table that decides."""

    case: str
    name: str
    status: int
    body: bytes
    kind: Kind
    scope: Scope
    headers: dict[str, str] = {}
    retry_after: float | None = None
    code: str | None = None

    def reply(self) -> Reply:
        return Reply(status=self.status, headers=self.headers, body=self.body, now=NOW)


def sample(case, name, status, body, kind, scope, **more) -> Sample:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Sample(case=case, name=name, status=status, body=data, kind=kind, scope=scope, **more)


def anthropic_error(kind, message="", error_code=None):
    error = {"type": kind, "message": message}
    if error_code:
        error["details"] = {"error_code": error_code}
    return {"type": "error", "error": error, "request_id": "req_011CdiGoqGztGDh6yhEmTzLF"}


def openai_error(message="", type_=None, code=None, param=None):
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


CHALLENGE = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>...</body></html>"
)


def page(title: str) -> bytes:
    return f"<html>\r\n<head><title>{title}</title></head><body></body></html>".encode()
