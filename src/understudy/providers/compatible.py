"""Servers that speak OpenAI's chat completions: vLLM, SGLang, Ollama, llama.cpp, LM Studio, hosts.

Their errors differ in shape (`understudy.providers.evidence` reads them all) and in words. The
rows here stand around OpenAI's own, which many of them borrow. Sources stand beside the rows.
"""

from __future__ import annotations

from types import MappingProxyType

from understudy.core.faults import Kind, Scope
from understudy.providers.base import Manners
from understudy.providers.openai import VENDOR_RULES, bearer
from understudy.providers.quotas import openai_quotas
from understudy.providers.rules import Rule, error_reader, fault_reader, says
from understudy.providers.statuses import STATUSES
from understudy.providers.traits import compatible_traits

__all__ = ["COMPATIBLE", "RULES"]

_PATHS = MappingProxyType(
    {"chat_completions": "/chat/completions", "responses": "/responses", "models": "/models"}
)

# llama.cpp, tools/server/server-common.cpp `format_error_response`.
_LLAMA_CPP: tuple[Rule, ...] = (
    Rule(
        case="exceed_context_size_error",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        types=("exceed_context_size_error",),
    ),
    Rule(
        case="not_supported_error",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        types=("not_supported_error",),
    ),
    # "Loading model": the server is up and will serve, not yet.
    Rule(
        case="unavailable_error",
        kind=Kind.OVERLOAD,
        scope=Scope.MODEL,
        types=("unavailable_error",),
    ),
    Rule(
        case="permission_error", kind=Kind.CONFIG, scope=Scope.ACCOUNT, types=("permission_error",)
    ),
)

_TOO_LONG = Rule(
    case="longer than the server's context",
    kind=Kind.ADAPTABLE,
    scope=Scope.REQUEST,
    status=(200, 400, 413, 422, 500),
    message=says(
        # vLLM, by version (vllm-project/vllm #19464, #20409, #33418).
        r"(?:'max_tokens' or 'max_completion_tokens'|max_tokens) (?:is|must be)[^\n]{0,120}context "
        r"length",
        r"max_tokens must be at least 1, got -",
        r"you passed \d+ input tokens and requested",
        r"the decoder prompt \(length \d+\) is longer than",
        # SGLang.
        r"the input \(\d+ tokens\) is longer than the model's context length",
        r"requested token count exceeds the model's maximum context length",
        r"input length \(\d+(?: tokens)?\) exceeds ",
        # llama.cpp before it had a type for it; LM Studio.
        r"the request exceeds the available context size",
        r"trying to keep the first \d+ tokens when context",
        # OpenRouter.
        r"this endpoint's maximum context length is ",
    ),
)

_MESSAGES: tuple[Rule, ...] = (
    # LM Studio says so under 200 (lmstudio-ai/lmstudio-bug-tracker #618, #1323): the base_url
    # lacks its /v1.
    Rule(
        case="unexpected endpoint",
        kind=Kind.CONFIG,
        scope=Scope.PROVIDER,
        message=says(r"unexpected endpoint or method"),
    ),
    Rule(
        case="no model is loaded",
        kind=Kind.CONFIG,
        scope=Scope.MODEL,
        message=says(r"no models? (?:is |are )?loaded"),
    ),
    # Ollama's `model "x" not found, try pulling it first`, also as a line inside a stream, and what
    # vLLM says of a model that it does not serve.
    Rule(
        case="model not found",
        kind=Kind.CONFIG,
        scope=Scope.MODEL,
        status=(200, 400, 404),
        message=says(
            r"(?:the )?model [\"'`][^\"'`\n]{1,200}[\"'`] (?:not found|does not exist)",
        ),
    ),
    _TOO_LONG,
    # Ollama: `registry.ollama.ai/library/x does not support tools`.
    Rule(
        case="a feature that this model lacks",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        status=(200, 400, 422, 501),
        message=says(
            r"[^\s]{1,200} does not support (?:tools|thinking|chat|vision|images|insert|generate)"
        ),
    ),
    # Ollama's queue (OLLAMA_MAX_QUEUE; ollama/ollama #15934), SGLang's.
    Rule(
        case="the queue is full",
        kind=Kind.OVERLOAD,
        scope=Scope.MODEL,
        message=says(
            r"server busy, please try again", r"server overloaded", r"the request queue is full"
        ),
    ),
    # https://openrouter.ai/docs/api-reference/errors: a 403 by its moderation.
    Rule(
        case="flagged by moderation",
        kind=Kind.REFUSED,
        scope=Scope.REQUEST,
        status=(200, 400, 403),
        message=says(r"[^\n]{0,120}\binput was flagged\b"),
    ),
    # Google's compatible endpoint: a bad key is a 400.
    Rule(
        case="API key not valid",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        status=(200, 400),
        message=says(r"api key not valid", r"api key expired"),
    ),
)

_WORDS: tuple[Rule, ...] = (
    Rule(
        case="API_KEY_INVALID",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        codes=("API_KEY_INVALID",),
    ),
    # Google files the country and missing billing under it.
    Rule(
        case="FAILED_PRECONDITION",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        types=("FAILED_PRECONDITION",),
    ),
    # Mistral.
    Rule(
        case="service_tier_capacity_exceeded",
        kind=Kind.OVERLOAD,
        scope=Scope.MODEL,
        types=("service_tier_capacity_exceeded",),
    ),
    # https://console.groq.com/docs/errors: 498, flex tier capacity exceeded.
    Rule(
        case="capacity exceeded (498)",
        kind=Kind.OVERLOAD,
        scope=Scope.MODEL,
        status=(498,),
    ),
)

# The broad types, after all messages that are known.
_BROAD: tuple[Rule, ...] = (
    # vLLM inside a stream; its older versions give no status there, only the exception's name.
    Rule(
        case="BadRequestError",
        kind=Kind.CALLER,
        scope=Scope.REQUEST,
        status=(200, 400),
        types=("BadRequestError",),
    ),
    Rule(
        case="NotFoundError",
        kind=Kind.CONFIG,
        scope=Scope.MODEL,
        status=(200, 404),
        types=("NotFoundError", "not_found_error"),
        message=says(r"(?!not found\.?$|file not found$)"),
    ),
)

RULES: tuple[Rule, ...] = (
    *_WORDS,
    *_LLAMA_CPP,
    *_MESSAGES,
    *VENDOR_RULES,
    *_BROAD,
    *STATUSES,
)

COMPATIBLE = Manners(
    kind="openai-compatible",
    default_base_url=None,
    # vLLM and Ollama offer responses as well, others do not: a configuration says so.
    dialects=("chat_completions",),
    keyless=True,
    path=_PATHS.__getitem__,
    authorise=bearer,
    forwarded_headers=frozenset(),
    read_fault=fault_reader(RULES),
    read_error=error_reader(RULES),
    traits=compatible_traits,
    read_quotas=openai_quotas,
    # As OpenAI, and as Cerebras says of itself (https://inference-docs.cerebras.ai/support/rate-limits).
    reserves_output=True,
)
