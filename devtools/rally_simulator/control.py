"""What tests and developers ask of the simulator itself: statistics and faults."""

from pydantic import TypeAdapter

from devtools.rally_simulator.faults import Fault, FaultRequest
from devtools.rally_simulator.pages import root_page
from devtools.rally_simulator.simulator import RallySimulator
from devtools.simulation.control import Control


def control_of(simulator: RallySimulator) -> Control[FaultRequest]:
    """Return the endpoints, over what the simulator has."""

    def plan(wanted: FaultRequest) -> None:
        simulator.faults.add(Fault(**wanted.model_dump()))

    return Control(
        root_page=lambda: root_page(simulator.api_keys, simulator.clients.values()),
        stats=simulator.stats.document,
        wanted=TypeAdapter(FaultRequest),
        carry_out=plan,
        forget=simulator.faults.clear,
    )
