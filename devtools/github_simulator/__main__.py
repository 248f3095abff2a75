"""Run the simulator: `python -m devtools.github_simulator --port 8091`."""

import argparse
from collections.abc import Sequence

from devtools.github_simulator import GitHubSimulator, create_app
from devtools.simulation import serving


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; stderr names the URL once connections are accepted."""
    options = _parser().parse_args(arguments)
    simulator = GitHubSimulator(
        clients=serving.registered_clients(options),
        auto_consent=options.auto_consent,
        expiring_tokens=options.expiring_tokens,
        latency=serving.latency(options),
    )
    serving.serve("GitHub", create_app(simulator), options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("github_simulator", description=__doc__)
    serving.add_address_options(parser)
    serving.add_client_options(parser, "app")
    serving.add_sign_in_options(parser, ["ann", "bob"])
    serving.add_latency_option(parser)
    parser.add_argument(
        "--expiring-tokens",
        action="store_true",
        help="the app is a GitHub App whose tokens end after eight hours",
    )
    return parser


if __name__ == "__main__":
    main()
