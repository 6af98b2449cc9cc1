"""Every row of OpenAI's table, by a reply that was documented or reported."""

import json
from typing import get_args

import pytest
from openai.types.responses import ResponseError

from understudy.core.faults import Kind, Remedy, Scope
from understudy.providers.evidence import of_error, of_reply
from understudy.providers.openai import OPENAI, VENDOR_RULES
from understudy.providers.rules import ruling
from understudy.providers.statuses import STATUSES
from unit.providers.provider_replies import openai_error, sample

A, P, R, M = Scope.ACCOUNT, Scope.PROVIDER, Scope.REQUEST, Scope.MODEL
INVALID = "invalid_request_error"
RULES = (*VENDOR_RULES, *STATUSES)

SAMPLES = [
    *(
        sample(
            "a monthly spending limit",
            code,
            429,
            openai_error("You exceeded your current quota.", "insufficient_quota", code),
            Kind.ACCOUNT,
            A,
            retry_after=15.5 * 86_400,
            code=code,
        )
        for code in (
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "billing_hard_limit_reached",
        )
    ),
    *(
        sample(
            "credit or quota used up",
            code,
            429,
            openai_error("You exceeded your current quota.", "insufficient_quota", code),
            Kind.ACCOUNT,
            A,
        )
        for code in (
            "insufficient_quota",
            "credit_balance_exhausted",
            "organization_usage_limit_exceeded",
            "billing_not_active",
        )
    ),
    sample(
        "credit or quota used up",
        "a quota is money even where a retry-after stands beside it",
        429,
        openai_error("You exceeded your current quota.", None, "insufficient_quota"),
        Kind.ACCOUNT,
        A,
        headers={"retry-after": "1"},
        retry_after=1.0,
    ),
    sample(
        "the type insufficient_quota",
        "a new code of the type insufficient_quota",
        429,
        openai_error("No.", "insufficient_quota", "team_limit_exceeded"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "a key or account that is no longer valid",
        "wrong key",
        401,
        openai_error("Incorrect API key provided: sk-ab***yz.", INVALID, "invalid_api_key"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "a key or account that is no longer valid",
        "deactivated",
        401,
        openai_error("The OpenAI account has been deactivated", INVALID, "account_deactivated"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "the key was not accepted",
        "IP not authorised",
        401,
        openai_error("Your request IP does not match the allowlist.", INVALID, None),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "country not served",
        "country",
        403,
        openai_error("Country", "request_forbidden", "unsupported_country_region_territory"),
        Kind.CONFIG,
        P,
    ),
    sample(
        "data residency does not match",
        "data residency",
        400,
        openai_error("no", INVALID, "data_residency_mismatch"),
        Kind.CONFIG,
        A,
    ),
    sample(
        "model not allowed for this project",
        "model not for this project",
        403,
        openai_error("Project does not have access to model `o3`", INVALID, "model_not_found"),
        Kind.CONFIG,
        A,
    ),
    sample(
        "model_not_found",
        "model not found",
        404,
        openai_error("The model `gpt-9` does not exist", INVALID, "model_not_found"),
        Kind.CONFIG,
        M,
        code="model_not_found",
    ),
    sample(
        "no such path",
        "a wrong path",
        404,
        openai_error("Invalid URL (POST /v1/v1/chat/completions)", INVALID),
        Kind.CONFIG,
        P,
    ),
    sample(
        "larger than the account's limit for a minute",
        "a request that no minute has room for",
        429,
        openai_error(
            "Request too large for gpt-4o in organization org-abcdefghij on tokens per min (TPM):"
            " Limit 30000, Requested 50000.",
            "tokens",
            "rate_limit_exceeded",
        ),
        Kind.ADAPTABLE,
        A,
    ),
    sample(
        "rate_limit_exceeded, slow_down",
        "tokens a minute, with a link to billing",
        429,
        openai_error(
            "Rate limit reached for gpt-4o. You can increase your limit by adding a payment "
            "method at https://platform.openai.com/account/billing",
            "tokens",
            "rate_limit_exceeded",
        ),
        Kind.THROTTLED,
        A,
        headers={"retry-after-ms": "6200", "retry-after": "7"},
        retry_after=6.2,
    ),
    sample(
        "rate_limit_exceeded, slow_down",
        "slow_down",
        429,
        openai_error("Slow down", "rate_limit_error", "slow_down"),
        Kind.THROTTLED,
        A,
    ),
    sample(
        "server_is_overloaded",
        "server_is_overloaded",
        503,
        openai_error("busy", "service_unavailable_error", "server_is_overloaded"),
        Kind.OVERLOAD,
        M,
        headers={"retry-after": "5"},
        retry_after=5.0,
    ),
    *(
        sample("does not fit this model", code, 400, openai_error("x", INVALID, code), kind, R)
        for code, kind in (
            ("context_length_exceeded", Kind.ADAPTABLE),
            ("string_above_max_length", Kind.ADAPTABLE),
            ("unsupported_parameter", Kind.ADAPTABLE),
            ("unsupported_value", Kind.ADAPTABLE),
        )
    ),
    *(
        sample("against the content policy", code, 400, openai_error("x", None, code), kind, R)
        for code, kind in (
            ("content_filter", Kind.REFUSED),
            ("content_policy_violation", Kind.REFUSED),
            ("bio_policy", Kind.REFUSED),
        )
    ),
    sample(
        "prompt flagged",
        "prompt flagged",
        400,
        openai_error(
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            INVALID,
            "invalid_prompt",
        ),
        Kind.REFUSED,
        R,
    ),
    sample(
        "a prompt that is malformed",
        "a prompt that is only malformed",
        400,
        openai_error("Invalid prompt: expected a string.", INVALID, "invalid_prompt"),
        Kind.CALLER,
        R,
    ),
    *(
        sample(case, code, 400, openai_error("No.", INVALID, code), kind, R)
        for case, kind, codes in (
            (
                "kept by another account",
                Kind.ADAPTABLE,
                ("previous_response_not_found", "image_file_not_found"),
            ),
            (
                "an image that it cannot take",
                Kind.ADAPTABLE,
                (
                    "failed_to_download_image",
                    "image_file_too_large",
                    "image_too_large",
                    "image_too_small",
                    "invalid_image_mode",
                    "unsupported_image_media_type",
                ),
            ),
            (
                "an image that is none",
                Kind.CALLER,
                (
                    "empty_image_file",
                    "image_parse_error",
                    "invalid_base64_image",
                    "invalid_image",
                    "invalid_image_format",
                    "invalid_image_url",
                ),
            ),
            ("vector_store_timeout", Kind.SLOW, ("vector_store_timeout",)),
            (
                "past reasoning that it cannot read",
                Kind.ADAPTABLE,
                ("invalid_encrypted_content",),
            ),
        )
        for code in codes
    ),
    *(
        sample("past reasoning that it does not find", words, status, body, Kind.ADAPTABLE, R)
        for status, words in (
            (404, "Item with id 'rs_0de7' not found. Items are not persisted when `store` is set"),
            (400, "Item 'fc_07b2' of type 'function_call' was provided without its required"),
            (400, "Item 'rs_0c38' of type 'reasoning' was provided without its required following"),
            (400, "The encrypted content gAAA...DQ== could not be verified."),
            (400, "The encrypted content for item rs_0a18 could not be verified. Reason: no"),
        )
        for body in (openai_error(words, INVALID, None, "input"),)
    ),
    *(
        sample(
            "a conversation that this account does not keep",
            words,
            status,
            openai_error(words, INVALID, code),
            Kind.ADAPTABLE,
            R,
        )
        for status, words, code in (
            (400, "Previous response with id 'resp_1' not found.", None),
            (404, "Conversation with id 'conv_1' not found.", None),
            (404, "Item with id 'msg_1' not found.", None),
            (400, "Invalid `previous_response_id`.", INVALID),
        )
    ),
    sample(
        "server_error",
        "server_error",
        500,
        openai_error("The server had an error", "server_error", "server_error"),
        Kind.OUTAGE,
        M,
    ),
    sample(
        "too long for this model",
        "context length without its code",
        400,
        openai_error("This model's maximum context length is 8192 tokens.", INVALID),
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        "too long for this model",
        "max_tokens above the model's",
        400,
        openai_error("max_tokens is too large: 100000.", INVALID, None, "max_tokens"),
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        "a parameter that this model does not take",
        "parameter",
        400,
        openai_error("'logprobs' is not supported with this model.", INVALID),
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        "the model is overloaded",
        "engine overloaded, as a 429",
        429,
        openai_error("The engine is currently overloaded, please try again later", "requests"),
        Kind.OVERLOAD,
        M,
    ),
    sample(
        "service_unavailable_error",
        "overload inside a stream",
        200,
        openai_error("busy", "service_unavailable_error"),
        Kind.OVERLOAD,
        M,
    ),
    sample(
        "a rate limit that says when it ends",
        "requests",
        429,
        openai_error("Rate limit reached", "requests"),
        Kind.THROTTLED,
        A,
        headers={"retry-after": "20"},
        retry_after=20.0,
    ),
    sample(
        "a rate limit inside a success",
        "a rate limit in a stream",
        200,
        openai_error("Rate limit reached", "tokens"),
        Kind.THROTTLED,
        A,
    ),
    sample(
        "an authentication error",
        "authentication by its type",
        200,
        openai_error("no", "authentication_error"),
        Kind.ACCOUNT,
        A,
    ),
    sample("a timeout", "timeout", 500, openai_error("Timed out", "timeout"), Kind.SLOW, M),
    sample(
        "server_error, by its type",
        "server_error in a stream",
        200,
        openai_error("The server had an error while processing", "server_error"),
        Kind.OUTAGE,
        M,
    ),
    sample(
        "invalid_request_error",
        "invalid value",
        400,
        openai_error("Invalid value: 'robot'.", INVALID, "invalid_value", "messages[0].role"),
        Kind.CALLER,
        R,
    ),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_a_reply_is_taken_for_what_it_is(sample):
    fault = OPENAI.read_fault(sample.reply())
    assert (fault.kind, fault.scope) == (sample.kind, sample.scope)
    assert fault.retry_after == sample.retry_after
    assert sample.code in {None, fault.code}
    assert ruling(RULES, of_reply(sample.reply())).case == sample.case


def test_every_row_of_the_table_has_its_sample():
    assert {rule.case for rule in VENDOR_RULES} - {s.case for s in SAMPLES} == set()


def test_cases_are_named_once():
    cases = [rule.case for rule in RULES]
    assert len(cases) == len(set(cases))


@pytest.mark.parametrize(
    "body",
    [
        openai_error("No.", INVALID, "invalid_encrypted_content"),
        openai_error("Item with id 'rs_1' not found.", INVALID),
    ],
)
def test_reasoning_that_is_refused_can_be_left_out(body):
    fault = OPENAI.read_fault(sample("", "", 400, body, "", "").reply())
    assert fault.remedy is Remedy.WITHOUT_THINKING


@pytest.mark.parametrize("code", get_args(ResponseError.model_fields["code"].annotation))
def test_every_code_of_a_failed_response_is_known(code):
    error = json.dumps({"error": {"code": code, "message": "The model said no."}}).encode()
    rule = ruling(RULES, of_error(error))
    assert code in rule.codes
    assert OPENAI.read_error(error).code == code


def test_the_flat_error_event_of_responses_is_read():
    fault = OPENAI.read_error(
        b'{"type":"error","code":"rate_limit_exceeded","message":"Rate limit","param":null}'
    )
    assert (fault.kind, fault.code) == (Kind.THROTTLED, "rate_limit_exceeded")


def test_the_key_in_a_401_is_not_repeated():
    body = openai_error("Incorrect API key provided: sk-proj-abcdEFGH1234wxyz.", None, None)
    message = OPENAI.read_fault(sample("", "", 401, body, "", "").reply()).message
    assert "abcdEFGH" not in message
    assert message.startswith("Incorrect API key provided")
