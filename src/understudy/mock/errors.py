"""An error as a vendor would put it, and the exception that carries one out of a reader."""

from __future__ import annotations

import msgspec

from understudy.mock.reply import Headers

__all__ = ["ErrorSpec", "RefusedError"]


class ErrorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One error in one dialect's vocabulary.

    `type`, `code`, `param` and `details` are fields of the vendors' envelopes:
    https://platform.claude.com/docs/en/api/errors and
    https://developers.openai.com/api/docs/guides/error-codes.
    """

    status: int
    type: str
    message: str
    code: str | int | None = None
    param: str | None = None
    details: dict[str, str] | None = None


class RefusedError(Exception):
    """The request is answered with an error, which may bring headers of its own."""

    def __init__(self, spec: ErrorSpec, headers: Headers = ()) -> None:
        super().__init__(spec.message)
        self.spec = spec
        self.headers = headers
