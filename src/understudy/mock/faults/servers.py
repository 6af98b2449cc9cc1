"""Errors in the words of servers that speak OpenAI's dialects and are not OpenAI's.

vLLM (vllm/entrypoints/openai), Ollama (server/routes.go, middleware/openai.go), llama.cpp
(tools/server/utils.hpp): each has an envelope of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from understudy.mock.faults.entry import OPENAI, CatalogueEntry
from understudy.mock.faults.scene import Scene
from understudy.mock.script import Script

__all__ = ["ENTRIES"]

_ENCODER = msgspec.json.Encoder()


def _entry(name: str, summary: str, status: int, body: dict[str, object]) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        summary=summary,
        dialects=OPENAI,
        play=_plays(status, _ENCODER.encode(body)),
    )


def _plays(status: int, body: bytes) -> Callable[[Scene], Script]:
    def play(scene: Scene) -> Script:
        yield from scene.instead(status, body, "application/json")

    return play


ENTRIES = (
    _entry(
        "vllm_flat_error",
        "An older vLLM's error, without an envelope and with a number for a code.",
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens.",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    ),
    _entry(
        "vllm_engine_dead",
        "vLLM's engine has died: an error with a number for a code.",
        500,
        {
            "error": {
                "message": "EngineCore encountered an issue.",
                "type": "InternalServerError",
                "param": None,
                "code": 500,
            }
        },
    ),
    _entry(
        "ollama_queue_full",
        "Ollama's queue is full: the error is a bare string.",
        503,
        {"error": "server busy, please try again.  maximum pending requests exceeded"},
    ),
    _entry(
        "llamacpp_loading",
        "llama.cpp is still loading the model.",
        503,
        {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
    ),
    _entry(
        "llamacpp_context",
        "llama.cpp's context is too small for the prompt.",
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size, try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 5000,
                "n_ctx": 4096,
            }
        },
    ),
)
