"""A fault as a client meets it: the service's own words for an error, or no answer at all.

Throttling is `ThrottlingException` for KMS and DynamoDB (400), `SlowDown` for S3 (503) and `Throttling` for
the query services (400). An error is the service's internal failure (500), or that it is unavailable (503);
another status may name its code. (AWS KMS API Reference, "Common Errors"; Amazon S3 API Reference, "Error
responses"; Amazon DynamoDB Developer Guide, "Error handling")
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, assert_never

from engine.sandbox.faults.model import Effect
from engine.sandbox.refusals import Names, refuse_as

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sandbox.faults.model import Fault
    from engine.sandbox.faults.plan import FaultPlan, Strike
    from engine.sandbox.http_messages import HttpRequest, HttpResponse

_THROTTLED = "You have exceeded the rate at which you may call this service. Reduce the frequency of your calls."
_FAILED = "An internal error occurred."


def meet(
    plan: FaultPlan, strike: Strike, request: HttpRequest, service: str, serve: Callable[[], HttpResponse | None]
) -> HttpResponse | None:
    """Let a call meet what strikes it.

    Args:
        plan: The plan, which ends every wait when the sandbox stops.
        strike: What the call meets.
        request: The request.
        service: Its service.
        serve: Lets the call take effect and answers it.

    Returns:
        The answer; None where there is none, so that the connection ends.
    """
    if strike.wait:
        plan.wait(strike.wait)
    fault = strike.fault
    if fault is None:
        return serve()
    if fault.after:
        serve()  # what it answers is lost on the way
    match fault.effect:
        case Effect.THROTTLE:
            status = HTTPStatus.SERVICE_UNAVAILABLE if service == "s3" else HTTPStatus.BAD_REQUEST
            names = Names(status, "ThrottlingException", "Throttling", "SlowDown", _THROTTLED)
            return refuse_as(request, service, names)
        case Effect.ERROR:
            return refuse_as(request, service, _error(fault, service))
        case Effect.TIMEOUT:
            plan.wait(fault.seconds or 0.0)
            return None
        case Effect.DROP:
            return None
        case Effect.SLOW:
            return serve()  # its wait is over; a strike never has it as its fault
        case _:
            assert_never(fault.effect)


def _error(fault: Fault, service: str) -> Names:
    status = fault.status or HTTPStatus.INTERNAL_SERVER_ERROR
    if fault.code is not None:
        return Names(status, fault.code, fault.code, fault.code, _FAILED)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        internal = {"kms": "KMSInternalException", "dynamodb": "InternalServerError"}.get(service, "InternalFailure")
        return Names(status, internal, "InternalFailure", "InternalError", _FAILED)
    if status == HTTPStatus.CONFLICT:
        conflict = "ConditionalRequestConflict"
        return Names(status, "ConflictException", "Conflict", conflict, "A conflicting operation is under way.")
    return Names(status, "ServiceUnavailableException", "ServiceUnavailable", "ServiceUnavailable", _FAILED)
