"""Every row of the compatible servers' table: vLLM, SGLang, Ollama, llama.cpp, LM Studio, hosts."""

import pytest

from understudy.core.faults import OUTAGE_LIKE, Kind, Scope
from understudy.providers.compatible import COMPATIBLE, RULES
from understudy.providers.evidence import of_reply
from understudy.providers.openai import VENDOR_RULES
from understudy.providers.rules import ruling
from understudy.providers.statuses import STATUSES
from unit.providers.provider_replies import openai_error, sample

A, E, P, R, M = Scope.ACCOUNT, Scope.EDGE, Scope.PROVIDER, Scope.REQUEST, Scope.MODEL


def vllm(message, kind, code):
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def flat(message, kind, code):
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def llama(message, kind, code, **more):
    return {"error": {"code": code, "message": message, "type": kind, **more}}


def google(code, message, status, details=()):
    return [
        {"error": {"code": code, "message": message, "status": status, "details": list(details)}}
    ]


LONG = "longer than the server's context"

SAMPLES = [
    # -- vLLM
    sample(
        "too long for this model",
        "vLLM: context, flat and with a number for a code",
        400,
        flat(
            "This model's maximum context length is 6048 tokens. However, you requested 6616 "
            "tokens (568 in the messages, 6048 in the completion).",
            "BadRequestError",
            400,
        ),
        Kind.ADAPTABLE,
        R,
    ),
    *(
        sample(LONG, f"vLLM: {message[:40]}", 400, vllm(message, "BadRequestError", 400), kind, R)
        for message, kind in (
            ("max_tokens must be at least 1, got -186.", Kind.ADAPTABLE),
            (
                "'max_tokens' or 'max_completion_tokens' is too large. The context length is 4096",
                Kind.ADAPTABLE,
            ),
            ("You passed 9000 input tokens and requested 100 output tokens.", Kind.ADAPTABLE),
            (
                "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
                Kind.ADAPTABLE,
            ),
        )
    ),
    sample(
        "BadRequestError",
        "vLLM: bad request",
        400,
        vllm("1 validation error for ChatCompletionRequest", "BadRequestError", 400),
        Kind.CALLER,
        R,
    ),
    sample(
        "BadRequestError",
        "vLLM: bad request, before 0.9 in a stream without a status",
        200,
        flat("bad", "BadRequestError", None),
        Kind.CALLER,
        R,
    ),
    sample(
        "rejected as a bad request",
        "vLLM: a status as the code of an error inside a 200",
        200,
        vllm("bad", "SomethingNew", 422),
        Kind.CALLER,
        R,
    ),
    sample(
        "failed inside",
        "vLLM: engine death inside a 200",
        200,
        vllm("EngineCore encountered an issue.", "InternalServerError", 500),
        Kind.OUTAGE,
        M,
    ),
    sample(
        "model not found",
        "vLLM: model",
        404,
        vllm("The model `llama-9` does not exist.", "NotFoundError", 404),
        Kind.CONFIG,
        M,
    ),
    sample(
        "NotFoundError",
        "vLLM: not found in other words",
        404,
        flat("No LoRA adapter of that name", "NotFoundError", 404),
        Kind.CONFIG,
        M,
    ),
    sample(
        "nothing that speaks this API is at that address",
        "vLLM: wrong path",
        404,
        {"detail": "Not Found"},
        Kind.CONFIG,
        P,
    ),
    sample(
        "the key was not accepted", "vLLM: key", 401, {"error": "Unauthorized"}, Kind.ACCOUNT, A
    ),
    sample("failed inside", "vLLM: plain text", 500, b"Internal Server Error", Kind.OUTAGE, M),
    # -- SGLang
    sample(
        LONG,
        "SGLang: context",
        400,
        flat(
            "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
            "BadRequestError",
            400,
        ),
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        "the queue is full",
        "SGLang: queue",
        503,
        flat("The request queue is full.", "service_unavailable", 503),
        Kind.OVERLOAD,
        M,
    ),
    # -- Ollama
    sample(
        "the queue is full",
        "Ollama: queue",
        503,
        {"error": "server busy, please try again.  maximum pending requests exceeded"},
        Kind.OVERLOAD,
        M,
    ),
    sample(
        "model not found",
        "Ollama: model",
        404,
        {"error": 'model "llama9" not found, try pulling it first'},
        Kind.CONFIG,
        M,
    ),
    sample(
        "NotFoundError",
        "Ollama: its OpenAI layer's type",
        404,
        openai_error("llama9 is missing", "not_found_error"),
        Kind.CONFIG,
        M,
    ),
    sample(
        "a feature that this model lacks",
        "Ollama: tools",
        400,
        openai_error(
            "registry.ollama.ai/library/tiny:latest does not support tools",
            "invalid_request_error",
        ),
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        "an unknown error under a success",
        "Ollama: a line of an error in a stream",
        200,
        {"error": "an error was encountered while running the model: unexpected EOF"},
        Kind.OUTAGE,
        M,
    ),
    sample(
        "nothing that speaks this API is at that address",
        "Ollama: wrong path",
        404,
        b"404 page not found",
        Kind.CONFIG,
        P,
    ),
    # -- llama.cpp
    sample(
        "exceed_context_size_error",
        "llama.cpp: context",
        400,
        llama(
            "request (4476 tokens) exceeds the available context size (4096 tokens)",
            "exceed_context_size_error",
            400,
            n_prompt_tokens=4476,
            n_ctx=4096,
        ),
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        LONG,
        "llama.cpp: context, before it had a type",
        500,
        llama("the request exceeds the available context size. try", "server_error", 500),
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        "not_supported_error",
        "llama.cpp: not supported",
        501,
        llama("This server does not support embeddings.", "not_supported_error", 501),
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        "unavailable_error",
        "llama.cpp: loading",
        503,
        llama("Loading model", "unavailable_error", 503),
        Kind.OVERLOAD,
        M,
    ),
    sample(
        "permission_error",
        "llama.cpp: permission",
        403,
        llama("no", "permission_error", 403),
        Kind.CONFIG,
        A,
    ),
    sample(
        "an authentication error",
        "llama.cpp: key",
        401,
        llama("Invalid API Key", "authentication_error", 401),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "no such path",
        "llama.cpp: wrong path",
        404,
        llama("File Not Found", "not_found_error", 404),
        Kind.CONFIG,
        P,
    ),
    sample(
        "server_error, by its type",
        "llama.cpp: server error",
        500,
        llama("failed to decode", "server_error", 500),
        Kind.OUTAGE,
        M,
    ),
    # -- LM Studio
    sample(
        "unexpected endpoint",
        "LM Studio: wrong path under a 200",
        200,
        {"error": "Unexpected endpoint or method. (POST /chat/completions)"},
        Kind.CONFIG,
        P,
    ),
    sample(
        "no model is loaded",
        "LM Studio: no model",
        404,
        openai_error("No models loaded. Please load a model in the developer page."),
        Kind.CONFIG,
        M,
    ),
    sample(
        LONG,
        "LM Studio: context",
        400,
        {"error": "Trying to keep the first 5000 tokens when context the overflows."},
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        "a body that is not an answer",
        "LM Studio: some other JSON under a 200",
        200,
        {"data": [], "object": "list"},
        Kind.MALFORMED,
        P,
    ),
    # -- hosts
    sample(
        "flagged by moderation",
        "OpenRouter: moderation",
        403,
        llama("Your chosen model requires moderation and your input was flagged", None, 403),
        Kind.REFUSED,
        R,
    ),
    sample(
        "failed inside",
        "OpenRouter: the model's host is down",
        502,
        llama("Provider returned error", None, 502),
        Kind.OUTAGE,
        M,
    ),
    sample(
        "payment required",
        "DeepSeek: balance, under the code invalid_request_error",
        402,
        openai_error("Insufficient Balance", "unknown_error", "invalid_request_error"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "service_tier_capacity_exceeded",
        "Mistral: capacity, as a 429",
        429,
        flat("Service tier capacity exceeded", "service_tier_capacity_exceeded", "3505"),
        Kind.OVERLOAD,
        M,
    ),
    sample(
        "capacity exceeded (498)",
        "Groq: flex capacity",
        498,
        openai_error("no capacity", "x"),
        Kind.OVERLOAD,
        M,
    ),
    sample(
        "API key not valid",
        "Google: a bad key is a 400",
        400,
        google(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "API_KEY_INVALID",
        "Google: a bad key, by its reason",
        400,
        google(400, "No.", "INVALID_ARGUMENT", [{"reason": "API_KEY_INVALID"}]),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "FAILED_PRECONDITION",
        "Google: billing not enabled",
        400,
        google(400, "User location is not supported", "FAILED_PRECONDITION"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "throttled",
        "Google: a limit a minute in the words of a quota, with its delay",
        429,
        google(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            "RESOURCE_EXHAUSTED",
            [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}],
        ),
        Kind.THROTTLED,
        A,
        retry_after=34.0,
    ),
    sample(
        "the money is spent",
        "Google: the same words without a delay",
        429,
        google(429, "You exceeded your current quota.", "RESOURCE_EXHAUSTED"),
        Kind.ACCOUNT,
        A,
    ),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_a_reply_is_taken_for_what_it_is(sample):
    fault = COMPATIBLE.read_fault(sample.reply())
    assert (fault.kind, fault.scope) == (sample.kind, sample.scope)
    assert fault.retry_after == sample.retry_after
    assert fault.status == sample.status
    assert ruling(RULES, of_reply(sample.reply())).case == sample.case


def test_every_row_of_the_table_has_its_sample():
    own = {rule.case for rule in RULES} - {rule.case for rule in (*VENDOR_RULES, *STATUSES)}
    assert own - {sample.case for sample in SAMPLES} == set()


@pytest.mark.parametrize("s", [s for s in SAMPLES if s.status == 200], ids=lambda s: s.name)
def test_no_error_under_a_200_passes_as_a_success_or_asks_for_nothing(s):
    fault = COMPATIBLE.read_fault(s.reply())
    assert fault.kind in OUTAGE_LIKE | {Kind.CALLER, Kind.CONFIG}


def test_the_text_of_an_error_alone_is_read():
    fault = COMPATIBLE.read_error(b'"server busy, please try again"')
    assert (fault.kind, fault.message) == (Kind.OVERLOAD, "server busy, please try again")


def test_a_clause_of_fastapi_is_told_in_its_words():
    body = {"detail": [{"loc": ["body", "messages"], "msg": "Field required", "type": "missing"}]}
    fault = COMPATIBLE.read_fault(sample("", "", 422, body, "", "").reply())
    assert (fault.kind, "Field required" in fault.message) == (Kind.CALLER, True)
