"""From a caller's HTTP request to an `Order`: what is asked, of which feature, for whom, how long.

Everything that can be wrong with a request before any provider is asked is refused here, by name.
"""

from __future__ import annotations

import hashlib
import hmac

from understudy.core.conversation import BadRequestError
from understudy.core.quota import Need
from understudy.core.units import parse_duration
from understudy.policy.decisions import Limits
from understudy.policy.plans import Claim
from understudy.policy.targets import Plan
from understudy.relay.http import Incoming, Refusal
from understudy.relay.order import Order
from understudy.relay.runtime import DIALECTS, Place, Route, Runtime

__all__ = ["Intake", "asked_deadline", "tenant_of"]

TIERS = ("same", "substitute", "reduced")
#: The one query that official SDKs send (Anthropic's beta resources).
PASSED_QUERIES = frozenset({"", "beta=true"})


#: Bytes of a request for each token of it: English prose in JSON. What a target's answers tell
#: corrects it there (`understudy.policy.allowance`).
BYTES_PER_TOKEN = 4.0
#: Tokens of an answer whose caller set no limit, as far as its provider can know beforehand.
OUTPUT_UNSAID = 500


class Intake:
    """Understands requests.

    Args:
        pepper: makes users' digests useless to anyone who does not hold it.
    """

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def understand(
        self, runtime: Runtime, request: Incoming, operation: str, request_id: str
    ) -> Order:
        """The order of a request.

        Raises:
            Refusal: it cannot be served as it is.
        """
        try:
            envelope = DIALECTS[operation].read_envelope(request.body)
        except BadRequestError as error:
            raise Refusal(
                400, error.code or "invalid_request", str(error), param=error.field
            ) from error
        if request.query not in PASSED_QUERIES:
            raise Refusal(400, "invalid_query", "The only query that is known here is beta=true.")
        own = request.own
        place = _place(runtime, operation, request, envelope.model)
        feature = place.route.feature
        allowed = feature.deadline
        hurried = False
        user = None
        if own:
            asked = asked_deadline(request)
            if asked is not None:
                hurried = asked < allowed
                allowed = min(allowed, asked)
            if "x-understudy-user" in own:
                user = self._digest(own["x-understudy-user"])
        order = Order(
            request_id,
            operation,
            request,
            envelope,
            place,
            runtime,
            Limits(
                deadline=request.arrived + allowed,
                first_token=feature.first_token,
                idle=feature.idle,
                attempts=feature.attempts,
                stream=envelope.stream,
                max_tokens=envelope.max_tokens,
                hurried=hurried,
                learned=feature.first_token_auto,
                continues=envelope.stream and feature.continue_streams and envelope.choices == 1,
                hedge=feature.hedge if envelope.stream else None,
                hold=feature.hold,
                claim=Claim(
                    Need(
                        len(envelope.body) / BYTES_PER_TOKEN, envelope.max_tokens or OUTPUT_UNSAID
                    ),
                    place.tenant,
                    feature.priority == "background",
                ),
            ),
        )
        order.user = user
        if "traceparent" in request.headers:
            order.trace = _trace(request.headers["traceparent"])
        return order

    def _digest(self, user: str) -> str:
        return hmac.new(self._pepper, user.encode(), hashlib.sha256).hexdigest()[:16]


def _place(runtime: Runtime, operation: str, request: Incoming, model: str) -> Place:
    """Where the request belongs; remembered where no header of its own has a say in it."""
    own = request.own
    if own:
        return _look_up_place(runtime, operation, request, model)
    key = (operation, model, request.caller)
    place = runtime.places.get(key)
    if place is None:
        place = _look_up_place(runtime, operation, request, model)
        runtime.remember_place(key, place)
    return place


def _look_up_place(runtime: Runtime, operation: str, request: Incoming, model: str) -> Place:
    own = request.own
    route = _route(runtime, model, own.get("x-understudy-feature"))
    tenant = tenant_of(request)
    named = None if model == route.feature.name else model
    tiers = _tiers(own["x-understudy-tiers"]) if "x-understudy-tiers" in own else None
    plan = runtime.plan(route, operation, tenant, tiers, named if route.wild else None)
    if not plan.targets:
        raise _nobody(route, plan)
    holders = runtime.holders(request.caller, tenant)
    return Place(route=route, plan=plan, model=named, tenant=tenant, holders=holders)


def _route(runtime: Runtime, model: str, feature: str | None) -> Route:
    if feature is not None:
        route = runtime.routes.get(feature)
        if route is None:
            raise Refusal(
                404,
                "unknown_feature",
                f"There is no feature {_shown(feature)!r}. There are: {_names(runtime)}.",
            )
        return route
    route = runtime.route(model)
    if route is None:
        known = [name for r in runtime.routes.values() for name in r.feature.models]
        models = f" Their models: {', '.join(known)}." if known else ""
        raise Refusal(
            404,
            "model_not_found",
            f"No feature answers to the model {_shown(model)!r}. "
            f"There are: {_names(runtime)}.{models}",
            param="model",
        )
    return route


def tenant_of(request: Incoming) -> str | None:
    """The tenant that a request is for: its key's, or the one that it names.

    Raises:
        Refusal: the key belongs to another.
    """
    named = request.own.get("x-understudy-tenant")
    own = request.caller.tenant if request.caller is not None else None
    if named is not None and own is not None and named != own:
        raise Refusal(
            403, "tenant_not_allowed", f"This key belongs to the tenant {own!r} and no other."
        )
    return own if named is None else named


def _tiers(text: str) -> frozenset[str]:
    tiers = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not tiers or not tiers <= set(TIERS):
        raise Refusal(
            400,
            "invalid_header",
            f"x-understudy-tiers takes {', '.join(TIERS)}, separated by commas.",
            param="x-understudy-tiers",
        )
    return tiers


def asked_deadline(request: Incoming) -> float | None:
    """The time that the caller itself allows, in seconds; None if it names none.

    Raises:
        Refusal: it is none.
    """
    text = request.own.get("x-understudy-deadline")
    return None if text is None else _deadline(text)


def _deadline(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise Refusal(
            400,
            "invalid_header",
            "x-understudy-deadline takes a duration such as 20s, 500ms or 2m.",
            param="x-understudy-deadline",
        ) from error
    if seconds <= 0.0:
        raise Refusal(
            400,
            "invalid_header",
            "x-understudy-deadline must be longer than nothing.",
            param="x-understudy-deadline",
        )
    return seconds


def _nobody(route: Route, plan: Plan) -> Refusal:
    """No target of the feature may ever serve such a request."""
    reasons = "; ".join(f"{key}: {reason}" for key, reason in plan.excluded)
    title = route.feature.name
    if "tenant" in plan.codes:
        return Refusal(
            403, "not_allowed_for_tenant", f"No target of {title!r} is allowed here ({reasons})."
        )
    return Refusal(400, "no_target_fits", f"No target of {title!r} can do this ({reasons}).")


def _trace(traceparent: str) -> str | None:
    """The trace id of a W3C traceparent, None if it is not one."""
    parts = traceparent.split("-")
    if len(parts) < 4 or len(parts[1]) != 32 or not set(parts[1]) <= set("0123456789abcdef"):
        return None
    return parts[1]


def _names(runtime: Runtime) -> str:
    return ", ".join(runtime.routes)


def _shown(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}…"
