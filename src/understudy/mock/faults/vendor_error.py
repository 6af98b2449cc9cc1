"""How an error of the vendor's is played, and how entries for such errors are written.

Anthropic: https://platform.claude.com/docs/en/api/errors. OpenAI:
https://developers.openai.com/api/docs/guides/error-codes. Wordings that the pages do not give are
those in users' reports. `{model}` and `{next_month}` are filled in when played.
"""

from __future__ import annotations

import datetime as dt
from email.utils import formatdate

import msgspec

from understudy.mock.dialect import DialectName
from understudy.mock.errors import ErrorSpec
from understudy.mock.faults.entry import ANYWHERE, OPENAI, CatalogueEntry
from understudy.mock.faults.scene import Args, Scene
from understudy.mock.reply import Headers, Where
from understudy.mock.script import Script

__all__ = ["INVALID", "claude", "entry", "gpt"]

INVALID = "invalid_request_error"


def _play(scene: Scene) -> Script:
    """Before the headers, a response of its own; within a stream, an event and no more; in a
    whole answer, an error in the body of a 200.
    """
    spec = _filled(scene)
    if scene.where is not Where.BEFORE_HEADERS and scene.reply.streamed:
        yield from scene.before()
        yield scene.framed(scene.dialect.error_event(spec, scene.struck))
        yield scene.end
        return
    status = spec.status if scene.where is Where.BEFORE_HEADERS else 200
    body = scene.dialect.error_body(spec, scene.request_id)
    yield from scene.instead(status, body, "application/json", _retry_after(scene))


def _filled(scene: Scene) -> ErrorSpec:
    spec = scene.error
    if spec is None:
        raise LookupError(f"no such error in {scene.dialect.name}")
    message = spec.message
    if "{" in message:
        today = dt.datetime.fromtimestamp(scene.now, dt.UTC).date()
        following = (today.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        message = message.replace("{model}", scene.model).replace(
            "{next_month}", following.isoformat()
        )
    return msgspec.structs.replace(spec, message=message)


def _retry_after(scene: Scene) -> Headers:
    value = scene.args.retry_after
    if value is None or value == "none":
        return ()
    told = formatdate(scene.now + 30, usegmt=True) if value == "date" else value
    return (("retry-after", told),)


def claude(status: int, kind: str, message: str, *, code: str | None = None) -> ErrorSpec:
    """An error as Anthropic words it."""
    details = {"error_code": code} if code else None
    return ErrorSpec(status=status, type=kind, message=message, details=details)


def gpt(
    status: int, kind: str, code: str | int | None, message: str, *, param: str | None = None
) -> ErrorSpec:
    """An error as OpenAI words it."""
    return ErrorSpec(status=status, type=kind, code=code, message=message, param=param)


def entry(
    name: str,
    summary: str,
    anthropic: ErrorSpec | None = None,
    openai: ErrorSpec | None = None,
    *,
    retry_after: str | None = None,
    where: Where = Where.BEFORE_HEADERS,
    every: int = 1,
    responses: ErrorSpec | None = None,
) -> CatalogueEntry:
    """An error in the words of the vendors that have it, at any place of an answer."""
    theirs: tuple[DialectName, ...] = ("messages",) if anthropic else ()
    return CatalogueEntry(
        name=name,
        summary=summary,
        where=where,
        wheres=ANYWHERE,
        dialects=theirs + (OPENAI if openai else ()),
        defaults=Args(retry_after=retry_after),
        argument="retry_after",
        every=every,
        anthropic=anthropic,
        openai=openai,
        responses=responses,
        play=_play,
    )
