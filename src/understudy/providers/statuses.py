"""What the look of a body and the HTTP status say, where the provider's own words say nothing.

The tail of every provider's table. Sources: RFC 9110 §15; Cloudflare's 5xx pages
(https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/)
as seen in front of Anthropic (anthropics/claude-code #3197, #12208, #30437, #67341) and Ollama
(ollama/ollama #13129); Anthropic's status table
(https://platform.claude.com/docs/en/api/errors): 529 is overload, 413 comes from the edge.

Two scopes are decided here. A fault in an envelope was written by the provider's software, so
it speaks against the model that was asked for (all models failing alike is for health to see).
Without one it was written by something in front, and speaks against the edge.
"""

from __future__ import annotations

from understudy.core.faults import Kind, Scope
from understudy.providers.evidence import Shape
from understudy.providers.rules import Rule, says

__all__ = ["STATUSES"]

_ENVELOPE = (Shape.ENVELOPE,)
_EDGE = (Shape.EDGE,)
_SUCCESS = range(200, 300)

_UNDER_SUCCESS: tuple[Rule, ...] = (
    Rule(
        case="an HTML page in place of an answer",
        kind=Kind.MALFORMED,
        scope=Scope.EDGE,
        status=_SUCCESS,
        shapes=_EDGE,
    ),
    # An error that no row above knows, under a 200: an attempt went wrong, and not by our doing.
    Rule(
        case="an unknown error under a success",
        kind=Kind.OUTAGE,
        scope=Scope.MODEL,
        status=_SUCCESS,
        shapes=_ENVELOPE,
    ),
    # Not EMPTY: that is an answer which ended properly without content. Here nothing ended.
    Rule(
        case="an empty body in place of an answer",
        kind=Kind.MALFORMED,
        scope=Scope.PROVIDER,
        status=_SUCCESS,
        shapes=(Shape.EMPTY,),
    ),
    Rule(
        case="a body that is not an answer",
        kind=Kind.MALFORMED,
        scope=Scope.PROVIDER,
        status=_SUCCESS,
    ),
)

_NOT_AN_ERROR: tuple[Rule, ...] = (
    # Followed, a redirect would carry the prompt and the key to another address.
    Rule(
        case="a redirect, which is never followed",
        kind=Kind.MALFORMED,
        scope=Scope.PROVIDER,
        status=range(300, 400),
    ),
    Rule(
        case="a status that no HTTP answer has",
        kind=Kind.MALFORMED,
        scope=Scope.PROVIDER,
        status=range(200),
    ),
)

_REFUSALS: tuple[Rule, ...] = (
    Rule(case="the key was not accepted", kind=Kind.ACCOUNT, scope=Scope.ACCOUNT, status=(401,)),
    Rule(case="payment required", kind=Kind.ACCOUNT, scope=Scope.ACCOUNT, status=(402,)),
    # A challenge ("Just a moment…") or a block by the edge says nothing about the key.
    Rule(
        case="turned away by the edge",
        kind=Kind.OUTAGE,
        scope=Scope.EDGE,
        status=(403,),
        shapes=_EDGE,
    ),
    # What one key may not use, another may: the account is named, not the model.
    Rule(
        case="not allowed for this key",
        kind=Kind.CONFIG,
        scope=Scope.ACCOUNT,
        status=(403,),
    ),
    Rule(
        case="no such path",
        kind=Kind.CONFIG,
        scope=Scope.PROVIDER,
        status=(404,),
        shapes=_ENVELOPE,
        # Anthropic, OpenAI, llama.cpp, for a path that they do not serve.
        message=says(r"not found\.?$", r"invalid url ", r"file not found$", r"unknown request url"),
    ),
    Rule(
        case="no such model",
        kind=Kind.CONFIG,
        scope=Scope.MODEL,
        status=(404,),
        shapes=_ENVELOPE,
    ),
    # No envelope: whoever answered does not serve the API here, so the base_url is wrong, for
    # every model alike.
    Rule(
        case="nothing that speaks this API is at that address",
        kind=Kind.CONFIG,
        scope=Scope.PROVIDER,
        status=(404, 405),
    ),
    Rule(case="a model that is gone", kind=Kind.CONFIG, scope=Scope.MODEL, status=(410,)),
    Rule(case="the request timed out", kind=Kind.SLOW, scope=Scope.PROVIDER, status=(408,)),
    # A passing clash inside the provider (both vendors' SDKs try again). It speaks against
    # nothing but this one try.
    Rule(case="a conflict", kind=Kind.OUTAGE, scope=Scope.REQUEST, status=(409,)),
    # Comes as HTML too: the edge measures the request before the API sees it.
    Rule(case="the request is too large", kind=Kind.CALLER, scope=Scope.REQUEST, status=(413,)),
)

#: Money, in the words of a 429 that does not say when to come back. No bare "billing" or "quota":
#: plain rate limits point to billing pages.
_SPENT = says(
    r"(?s).{0,300}\b(?:"
    r"spend(?:ing)?[ -](?:limit|cap)|credit balance|(?:out of|insufficient|not enough) "
    r"(?:credits?|balance|funds|quota)|exceeded your current quota|usage limits?\b|"
    r"billing (?:hard )?limit|monthly (?:limit|budget)|budget (?:has been )?exceeded)"
)

_THROTTLES: tuple[Rule, ...] = (
    Rule(
        case="throttled by the edge",
        kind=Kind.THROTTLED,
        scope=Scope.EDGE,
        status=(429,),
        shapes=_EDGE,
    ),
    Rule(
        case="the money is spent",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        status=(429,),
        message=_SPENT,
        hinted=False,
    ),
    Rule(case="throttled", kind=Kind.THROTTLED, scope=Scope.ACCOUNT, status=(429,)),
    Rule(
        case="rejected as a bad request",
        kind=Kind.CALLER,
        scope=Scope.REQUEST,
        status=range(400, 500),
    ),
)

_FAILURES: tuple[Rule, ...] = (
    Rule(
        case="not implemented",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        status=(501,),
    ),
    Rule(
        case="overloaded",
        kind=Kind.OVERLOAD,
        scope=Scope.MODEL,
        status=(503, 529),
        shapes=_ENVELOPE,
    ),
    Rule(case="overloaded, says the edge", kind=Kind.OVERLOAD, scope=Scope.EDGE, status=(503,)),
    Rule(case="overloaded (529)", kind=Kind.OVERLOAD, scope=Scope.MODEL, status=(529,)),
    Rule(
        case="no answer in time", kind=Kind.SLOW, scope=Scope.MODEL, status=(504,), shapes=_ENVELOPE
    ),
    Rule(case="no answer in time, says the edge", kind=Kind.SLOW, scope=Scope.EDGE, status=(504,)),
    Rule(
        case="the edge itself failed",
        kind=Kind.OUTAGE,
        scope=Scope.EDGE,
        status=range(500, 600),
        shapes=_EDGE,
    ),
    Rule(
        case="the edge does not reach the provider",
        kind=Kind.OUTAGE,
        scope=Scope.EDGE,
        status=(502, *range(520, 529), 530),
        shapes=(Shape.EMPTY, Shape.TEXT, Shape.JSON),
    ),
    Rule(case="failed inside", kind=Kind.OUTAGE, scope=Scope.MODEL, status=range(500, 600)),
    Rule(case="an impossible status", kind=Kind.MALFORMED, scope=Scope.PROVIDER),
)

STATUSES: tuple[Rule, ...] = (
    *_UNDER_SUCCESS,
    *_NOT_AN_ERROR,
    *_REFUSALS,
    *_THROTTLES,
    *_FAILURES,
)
