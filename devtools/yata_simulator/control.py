"""What tests and developers ask of the simulator itself: statistics, faults, changes of clients."""

from pydantic import TypeAdapter

from devtools.simulation.control import Control
from devtools.yata_simulator.faults import ChangeRequest, Fault, FaultRequest
from devtools.yata_simulator.pages import root_page
from devtools.yata_simulator.simulator import YataSimulator

Wanted = FaultRequest | ChangeRequest


def control_of(simulator: YataSimulator) -> Control[Wanted]:
    """Return the endpoints, over what the simulator has."""

    def carry_out(wanted: Wanted) -> None:
        match wanted:
            case FaultRequest():
                simulator.faults.add(Fault(**wanted.model_dump()))
            case ChangeRequest():
                _change(simulator, wanted)

    return Control(
        root_page=lambda: root_page(simulator.clients.values()),
        stats=simulator.stats.document,
        wanted=TypeAdapter(Wanted),
        carry_out=carry_out,
        forget=simulator.faults.clear,
    )


def _change(simulator: YataSimulator, wanted: ChangeRequest) -> None:
    changes = {
        "drop_access_tokens": simulator.drop_access_tokens,
        "deactivate_client": simulator.deactivate_client,
        "activate_client": simulator.activate_client,
    }
    changes[wanted.change](wanted.client_id)
