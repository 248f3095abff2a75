"""What tests and developers ask of the simulator itself: statistics, faults, ended tokens."""

from pydantic import TypeAdapter

from devtools.github_simulator.faults import ExpiredTokens, Fault, FaultRequest, RevokedUser
from devtools.github_simulator.pages import root_page
from devtools.github_simulator.simulator import GitHubSimulator
from devtools.simulation.control import Control

Wanted = FaultRequest | ExpiredTokens | RevokedUser


def control_of(simulator: GitHubSimulator) -> Control[Wanted]:
    """Return the endpoints, over what the simulator has."""

    def carry_out(wanted: Wanted) -> None:
        match wanted:
            case FaultRequest():
                simulator.faults.add(Fault(**wanted.model_dump()))
            case ExpiredTokens():
                simulator.expire_access_tokens()
            case RevokedUser():
                simulator.revoke_user(wanted.revoke_user)

    return Control(
        root_page=lambda: root_page(simulator.users, simulator.clients.values()),
        stats=simulator.stats.document,
        wanted=TypeAdapter(Wanted),
        carry_out=carry_out,
        forget=simulator.faults.clear,
    )
