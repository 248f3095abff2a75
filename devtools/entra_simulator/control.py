"""What tests and developers ask of the simulator itself: statistics, faults, changes of Entra."""

from pydantic import TypeAdapter

from devtools.entra_simulator.directory import USERS
from devtools.entra_simulator.faults import (
    Fault,
    FaultRequest,
    IdTokenFaultRequest,
    KeyChangeRequest,
    UserChangeRequest,
)
from devtools.entra_simulator.pages import root_page
from devtools.entra_simulator.simulator import EntraSimulator
from devtools.simulation.control import Control

Wanted = FaultRequest | IdTokenFaultRequest | UserChangeRequest | KeyChangeRequest


def control_of(simulator: EntraSimulator) -> Control[Wanted]:
    """Return the endpoints, over what the simulator has."""

    def carry_out(wanted: Wanted) -> None:
        match wanted:
            case FaultRequest():
                simulator.faults.add(Fault(**wanted.model_dump()))
            case IdTokenFaultRequest():
                simulator.id_token_faults.add(wanted.id_token, wanted.count)
            case KeyChangeRequest():
                simulator.keys.rotate()
            case UserChangeRequest():
                _change_user(simulator, wanted)

    def forget() -> None:
        simulator.faults.clear()
        simulator.id_token_faults.clear()

    return Control(
        root_page=lambda: root_page(simulator.tenant, USERS, simulator.clients.values()),
        stats=simulator.stats.document,
        wanted=TypeAdapter(Wanted),
        carry_out=carry_out,
        forget=forget,
    )


def _change_user(simulator: EntraSimulator, wanted: UserChangeRequest) -> None:
    directory = simulator.directory
    changes = {
        "disable_user": directory.disable_user,
        "enable_user": directory.enable_user,
        "require_interaction": directory.require_interaction,
        "revoke_user": directory.revoke_user,
    }
    changes[wanted.change](wanted.user)
