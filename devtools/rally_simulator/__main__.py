"""Run the simulator: `python -m devtools.rally_simulator --port 8090`."""

import argparse
from collections.abc import Sequence

from devtools.rally_simulator import RallySimulator, create_app
from devtools.simulation import serving


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; stderr names the URL once connections are accepted."""
    options = _parser().parse_args(arguments)
    simulator = RallySimulator(
        clients=serving.registered_clients(options),
        auto_consent=options.auto_consent,
        latency=serving.latency(options),
    )
    serving.serve("Rally", create_app(simulator), options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("rally_simulator", description=__doc__)
    serving.add_address_options(parser)
    serving.add_client_options(parser, "OAuth client")
    serving.add_sign_in_options(parser, ["ann", "bob"])
    serving.add_latency_option(parser)
    return parser


if __name__ == "__main__":
    main()
