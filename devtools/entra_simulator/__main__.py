"""Run the simulator: `python -m devtools.entra_simulator --port 8092`."""

import argparse
import uuid
from collections.abc import Sequence

from devtools.entra_simulator import TENANT, EntraSimulator, create_app
from devtools.entra_simulator.directory import USERS
from devtools.simulation import serving


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; stderr names the URL once connections are accepted."""
    options = _parser().parse_args(arguments)
    simulator = EntraSimulator(
        tenant=str(options.tenant),
        clients=serving.registered_clients(options),
        auto_consent=options.auto_consent,
        latency=serving.latency(options),
    )
    serving.serve("Entra", create_app(simulator), options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("entra_simulator", description=__doc__)
    serving.add_address_options(parser)
    parser.add_argument("--tenant", type=uuid.UUID, default=TENANT, metavar="GUID")
    serving.add_client_options(parser, "application")
    serving.add_sign_in_options(parser, USERS)
    serving.add_latency_option(parser)
    return parser


if __name__ == "__main__":
    main()
