"""Endpoints that are slow or fail, as planned."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

import anyio
from starlette.requests import Request
from starlette.responses import Response

from devtools.simulation.faults import FaultPlan, FaultT

Endpoint = Callable[[Request], Awaitable[Response]]

FaultyAnswer = Callable[[Request, FaultT, bytes], Response]
"""Makes what a client gets instead of the true answer, of which it is given the body."""


class Simulator(Protocol[FaultT]):
    """What each request looks at anew, so that a test may change it at any time."""

    faults: FaultPlan[FaultT]
    latency: timedelta


def with_planned_faults(
    endpoint: Endpoint,
    simulator: Simulator[FaultT],
    faulty_answer: FaultyAnswer[FaultT],
    unspoken: bytes,
) -> Endpoint:
    """Delay an endpoint's answers by the latency, and apply the first fault that meets a request.

    `unspoken` stands for the true answer's body if the fault keeps the request from being carried
    out. What the endpoint raises is raised.
    """

    async def answered(request: Request) -> Response:
        fault = simulator.faults.take(request.method, request.url.path)
        await anyio.sleep(simulator.latency.total_seconds())
        if fault is None:
            return await endpoint(request)
        response = await endpoint(request) if fault.after_effect else None
        await fault.wait()
        if fault.replaces_answer:
            return faulty_answer(request, fault, bytes(response.body) if response else unspoken)
        return response or await endpoint(request)

    return answered
