"""Callers with OpenAI's official SDK: they ask, wait no longer than people would, and look closely.

Imports the SDK, which takes a second: only for those who need it.
"""

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum

from openai import DEFAULT_MAX_RETRIES, AsyncOpenAI, OpenAIError
from openai import __version__ as sdk_version

__all__ = ["DEFAULT_MAX_RETRIES", "PROMPTS", "Answer", "Caller", "Outcome", "sdk_version"]

#: Seconds after which a caller counts a request as failed.
PATIENCE = 60
#: Tokens that an answer may have; the longest of the stand-in's answers has about 300.
MAX_TOKENS = 400
_TEXT = (
    "The number of support tickets went up by twelve percent in the last quarter while the number "
    "of customers grew by four percent. Most of the new tickets are about billing and about the "
    "new export. The team in Lisbon answers within two hours, the team in Toronto within nine. "
    "Nobody has looked at the weekend yet, when a third of the tickets arrive."
)
#: What is asked, in turn. The stand-in's answer to each is always the same.
PROMPTS = tuple(
    f"{task}\n\n{_TEXT}"
    for task in (
        "Summarise this for people who were not in the meeting.",
        "Write an outline for a report about this.",
        "Rewrite this in a friendlier tone.",
        "Which three figures should we look at next, and why?",
        "Draft an answer to a customer who has waited for nine hours.",
        "Explain what may be behind this, in plain words.",
    )
)


class Outcome(StrEnum):
    """What a caller got."""

    WHOLE = "whole"
    #: An exception, or no end in time.
    FAILED = "failed"
    #: The beginning of the answer, without an error: taken for the whole.
    TRUNCATED = "truncated"
    #: Another text than the stand-in's, without an error.
    OTHER = "other"


@dataclass(frozen=True)
class Answer:
    """One request and what became of it."""

    phase: str
    stream: bool
    outcome: Outcome
    #: From the request to the first content of a stream, seconds; None where none came.
    first: float | None
    #: Why it failed, or where the text parts from what it should be.
    why: str = ""


class Caller:
    """One contestant's client.

    Args:
        base_url: as the SDK takes it, with `/v1`.
        key: the caller's key.
        model: what to name in the request.
        headers: sent with every request.
        retries: the SDK's `max_retries`.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        model: str,
        headers: dict[str, str] | None = None,
        retries: int = DEFAULT_MAX_RETRIES,
    ) -> None:
        self._client = AsyncOpenAI(
            base_url=base_url, api_key=key, default_headers=headers, max_retries=retries
        )
        self._model = model

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.close()

    async def ask(self, prompt: str, expected: str, phase: str, *, stream: bool) -> Answer:
        """One request from beginning to end; never raises for what a gateway does."""
        reading = _Reading()
        try:
            async with asyncio.timeout(PATIENCE):
                await (self._stream if stream else self._whole)(prompt, reading)
        except TimeoutError:
            return Answer(phase, stream, Outcome.FAILED, reading.first, f"no end in {PATIENCE} s")
        except OpenAIError as error:
            return Answer(phase, stream, Outcome.FAILED, reading.first, _named(error))
        except Exception as error:  # noqa: BLE001  # whatever else the SDK lets out, the caller meets
            return Answer(phase, stream, Outcome.FAILED, reading.first, _named(error))
        outcome, why = _judge(reading.text, expected)
        return Answer(phase, stream, outcome, reading.first, why)

    async def text(self, prompt: str) -> str:
        """The whole answer of a target that is well."""
        reading = _Reading()
        await self._whole(prompt, reading)
        return reading.text

    async def _whole(self, prompt: str, into: "_Reading") -> None:
        answer = await self._client.chat.completions.create(
            model=self._model,
            messages=[{"role": "user", "content": prompt}],
            max_tokens=MAX_TOKENS,
        )
        into.text = answer.choices[0].message.content or ""

    async def _stream(self, prompt: str, into: "_Reading") -> None:
        stream = await self._client.chat.completions.create(
            model=self._model,
            messages=[{"role": "user", "content": prompt}],
            max_tokens=MAX_TOKENS,
            stream=True,
        )
        async with stream:
            async for chunk in stream:
                for choice in chunk.choices:
                    into.take(choice.delta.content or "")


class _Reading:
    """The text of an answer as it comes."""

    def __init__(self) -> None:
        self.since = time.monotonic()
        self.first: float | None = None
        self.text = ""

    def take(self, text: str) -> None:
        if text and self.first is None:
            self.first = time.monotonic() - self.since
        self.text += text


def _judge(text: str, expected: str) -> tuple[Outcome, str]:
    if text == expected:
        return Outcome.WHOLE, ""
    same = next(
        (n for n, (a, b) in enumerate(zip(text, expected, strict=False)) if a != b),
        min(len(text), len(expected)),
    )
    if same == len(text):
        return Outcome.TRUNCATED, f"{len(text)} of {len(expected)} characters"
    return Outcome.OTHER, f"from character {same}: {text[same : same + 30]!r}"


def _named(error: Exception) -> str:
    status = getattr(error, "status_code", None)
    cause = f" ({type(error.__cause__).__name__})" if error.__cause__ else ""
    return f"{type(error).__name__}{cause}{f' {status}' if status else ''}"
