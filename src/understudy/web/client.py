"""Speaks to the operator's API of a running Understudy: what the commands of `understudy` need.

Plain `http.client`: it goes through no proxy and follows no redirect, so that the console key goes
to the one place it is meant for.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from understudy.core.settings import Secret
from understudy.services.health_view import HealthView
from understudy.web.wire import PREFIX, Done, ErrorBody, PullRequest, RestoreRequest
from understudy.web.wire_jobs import Cancelled, CancelRequest, JobDetail, JobsPage, Lanes

__all__ = ["AdminClient", "AdminError", "RefusedError"]

#: Seconds that it may take to answer.
_PATIENCE = 10.0
_MOST_BYTES = 32 * 1024 * 1024

T = TypeVar("T")


class AdminError(Exception):
    """There is no answer; the text says why, in a line."""


class RefusedError(AdminError):
    """The answer is an error of the API's own."""

    def __init__(self, status: int, body: ErrorBody) -> None:
        super().__init__(body.error.message)
        self.status = status
        self.error = body.error


class AdminClient:
    """One Understudy's operator API.

    Args:
        url: of the web listener.
        key: the console key.
    """

    def __init__(self, url: str, key: Secret) -> None:
        self.url = url.rstrip("/")
        self._key = key

    def health(self) -> HealthView:
        """Everything that is known now. Raises AdminError, as the others do."""
        return self._decode(self._call("GET", "/health"), HealthView)

    def pull(self, node: str, asked: PullRequest) -> Done:
        """Take a node out of use."""
        return self._decode(self._call("POST", f"/targets/{_spelled(node)}/pull", asked), Done)

    def restore(self, node: str, asked: RestoreRequest) -> Done:
        """Bring a node back."""
        path = f"/targets/{_spelled(node)}/restore"
        return self._decode(self._call("POST", path, asked), Done)

    def jobs(self, **asked: str | None) -> JobsPage:
        """Some jobs: by `feature`, `tenant`, `status`, `order`, `limit`, `after`."""
        return self._decode(self._call("GET", f"/jobs{_query(asked)}"), JobsPage)

    def lanes(self, *, feature: str | None, tenant: str | None) -> Lanes:
        """What waits and runs, and why."""
        asked = _query({"feature": feature, "tenant": tenant})
        return self._decode(self._call("GET", f"/jobs/lanes{asked}"), Lanes)

    def job(self, job_id: str, tenant: str | None) -> JobDetail:
        """One job, with all that has happened to it."""
        path = f"/jobs/{quote(job_id, safe='')}{_query({'tenant': tenant})}"
        return self._decode(self._call("GET", path), JobDetail)

    def cancel_job(self, job_id: str, tenant: str | None) -> JobDetail:
        """End a job, if it has not ended."""
        path = f"/jobs/{quote(job_id, safe='')}/cancel{_query({'tenant': tenant})}"
        return self._decode(self._call("POST", path), JobDetail)

    def cancel_jobs(self, asked: CancelRequest) -> Cancelled:
        """End some jobs; again, while there are more."""
        return self._decode(self._call("POST", "/jobs/cancel", asked), Cancelled)

    def _call(self, method: str, path: str, asked: msgspec.Struct | None = None) -> bytes:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port or 443, timeout=_PATIENCE, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(host, parts.port or 80, timeout=_PATIENCE)
        headers = {"authorization": f"Bearer {self._key.reveal()}", "accept": "application/json"}
        body = None
        if asked is not None:
            headers["content-type"] = "application/json"
            body = msgspec.json.encode(asked)
        try:
            connection.request(method, f"{parts.path}{PREFIX}{path}", body, headers)
            response = connection.getresponse()
            answer = response.read(_MOST_BYTES)
        except ConnectionRefusedError:
            raise AdminError(f"nothing listens at {self.url}; is `understudy serve` on?") from None
        except TimeoutError:
            raise AdminError(f"{self.url} did not answer within {_PATIENCE:.0f} s") from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise AdminError(f"{self.url} can't be asked: {reason}") from None
        finally:
            connection.close()
        if response.status != 200:
            raise RefusedError(response.status, self._decode(answer, ErrorBody))
        return answer

    def _decode(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError:
            raise AdminError(
                f"what answers at {self.url} is not the web listener of this Understudy"
            ) from None


def _query(asked: Mapping[str, str | None]) -> str:
    given = {name: value for name, value in asked.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _spelled(node: str) -> str:
    return quote(node, safe="@/")
