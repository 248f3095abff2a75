"""Run the simulator: `python -m devtools.yata_simulator --port 8091`."""

import argparse
from collections.abc import Sequence

from devtools.simulation import serving
from devtools.yata_simulator import RegisteredClient, YataSimulator, create_app
from devtools.yata_simulator.clients import CLIENT_NAME, READ, WRITE


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; stderr names the URL once connections are accepted."""
    options = _parser().parse_args(arguments)
    simulator = YataSimulator(clients=_clients(options), latency=serving.latency(options))
    serving.serve("YATA", create_app(simulator), options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("yata_simulator", description=__doc__)
    serving.add_address_options(parser)
    serving.add_client_options(parser, "OAuth client")
    parser.add_argument("--client-name", default=CLIENT_NAME)
    parser.add_argument("--scopes", default=f"{READ} {WRITE}", help="what the client may ask for")
    serving.add_latency_option(parser)
    return parser


def _clients(options: argparse.Namespace) -> tuple[RegisteredClient, ...]:
    if not options.client_id:
        return ()
    scopes = tuple(options.scopes.split())
    return (
        RegisteredClient(options.client_id, options.client_secret, options.client_name, scopes),
    )


if __name__ == "__main__":
    main()
