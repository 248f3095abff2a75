"""docker-compose.dev.yml fits the Compose specification, the image, the settings and itself.

The simulators' commands run here as they would in a container; the functions' command is the
image's.
"""

import signal
import subprocess
import sys

import pytest

from devtools import simulated_upstreams
from rally_mcp.bootstrap.configuration import load
from rally_mcp.identity_providers.registry import UPSTREAMS
from rally_mcp.settings import Function, Settings
from tests.containers.compose import (
    COMPOSE,
    WITH_DEFAULT,
    Service,
    functions,
    services,
    simulators,
)
from tests.containers.dockerfile import PROJECT, stages
from tests.containers.host_process import STOP_SECONDS, free_port, get, started

NETWORK = "network"
FIRST_PORT = 8080
LOOPBACK = simulated_upstreams.HOST
SIMULATED = ("rally", "github", "entra_id", "yata")
NOT_OURS = {"FUNCTION_TARGET", "PORT", "FIRESTORE_EMULATOR_HOST"}
"""Variables of the functions framework and of Google's client."""


def settings_variables() -> set[str]:
    """Return every environment variable that the functions read."""
    kinds = [upstream.settings for upstream in UPSTREAMS.values()]
    general = {field.upper() for field in Settings.model_fields}
    return general | {kind.variable(field) for kind in kinds for field in kind.model_fields}


def test_the_compose_specification_has_no_objection() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    command = (sys.executable, "-m", "check_jsonschema", *schema, str(COMPOSE))
    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")


def test_no_variable_has_to_be_set_to_start_it() -> None:
    assert "$" not in WITH_DEFAULT.sub("", COMPOSE.read_text())


def test_it_has_the_three_functions_and_a_simulator_of_each_upstream() -> None:
    targets = {service.environment["FUNCTION_TARGET"] for service in functions()}
    simulated = {service.name.replace("-", "_") for service in simulators()}

    assert targets == set(Function)
    assert simulated == set(SIMULATED)


@pytest.mark.parametrize("upstreams", [*SIMULATED, ",".join(SIMULATED)])
@pytest.mark.parametrize("service", functions(), ids=lambda service: service.name)
def test_a_function_accepts_its_settings_whichever_upstreams_are_chosen(
    service: Service, upstreams: str
) -> None:
    function = Function(service.environment["FUNCTION_TARGET"])

    settings = load(function, {**service.environment, "UPSTREAMS": upstreams})

    assert settings.upstreams == tuple(upstreams.split(","))


@pytest.mark.parametrize("service", functions(), ids=lambda service: service.name)
def test_a_function_is_told_nothing_that_it_does_not_read(service: Service) -> None:
    values = service.environment.values()
    referred_to = {value.removeprefix("env:") for value in values if value.startswith("env:")}

    assert set(service.environment) <= settings_variables() | NOT_OURS | referred_to


def test_auth_redirect_is_given_no_secret() -> None:
    environment = services()["auth-redirect"].environment

    assert not [name for name in environment if "SECRET" in name]


def test_the_settings_name_the_ports_that_are_listened_on() -> None:
    settings = services()["auth-redirect"].environment
    port = {name: service.port for name, service in services().items()}

    assert settings["MCP_URL"] == f"http://127.0.0.1:{port['mcp-endpoint']}/mcp"
    assert settings["AUTH_URL"] == f"http://127.0.0.1:{port['auth-redirect']}"
    assert settings["CALLBACK_URL"] == f"http://127.0.0.1:{port['oauth-callback']}/callback"
    assert settings["FIRESTORE_EMULATOR_HOST"] == f"127.0.0.1:{port['firestore']}"


@pytest.mark.parametrize("upstream", SIMULATED)
def test_a_simulator_and_its_settings_are_those_of_the_dev_command(upstream: str) -> None:
    settings = services()["mcp-endpoint"].environment
    simulator = services()[upstream.replace("_", "-")]
    dev = simulated_upstreams.SIMULATED[upstream]
    secret = settings[simulated_upstreams.SECRET_VARIABLE]
    _, *dev_command = dev.command(FIRST_PORT, secret, settings["CALLBACK_URL"])
    _, *command = (LOOPBACK if word == "0.0.0.0" else word for word in simulator.command)

    assert dev.environment(FIRST_PORT).items() <= settings.items()
    assert command == dev_command


@pytest.mark.parametrize("simulator", simulators(), ids=lambda service: service.name)
def test_a_simulator_starts_with_its_arguments_and_ends_when_told_to(simulator: Service) -> None:
    port = free_port()
    here = ("--host", "127.0.0.1", "--port", str(port))

    with started((*simulator.command, *here), {}, PROJECT) as process:
        answer = get(f"http://127.0.0.1:{port}/")
        process.terminate()
        ended = process.wait(STOP_SECONDS)

    assert answer.status_code == 200
    assert ended in {0, -signal.SIGTERM}


def test_every_container_has_the_loopback_interface_of_the_others() -> None:
    others = [service for service in services().values() if service.name != NETWORK]

    assert {service.members["network_mode"] for service in others} == {f"service:{NETWORK}"}


def test_each_port_is_published_on_this_machine_alone_under_its_own_number() -> None:
    others = [service for service in services().values() if service.name != NETWORK]
    ports = [service.port for service in others]
    published = services()[NETWORK].members["ports"]

    assert len(set(ports)) == len(ports)
    assert sorted(published) == sorted(f"127.0.0.1:{port}:{port}" for port in ports)
    assert not [service for service in others if "ports" in service.members]


def test_everything_listens_where_a_published_port_arrives() -> None:
    image = stages()["release"].pairs("ENV")
    hosts = {simulator.argument("--host") for simulator in simulators()}

    assert hosts | {image["HOST"]} == {"0.0.0.0"}
    assert "--host-port=0.0.0.0" in services()["firestore"].command[-1]


def test_what_a_service_needs_exists() -> None:
    members = [service.members for service in services().values()]
    needed = {name for each in members for name in each.get("depends_on", ())}
    targets = {each["build"]["target"] for each in members if "build" in each}

    assert needed == {"firestore"}
    assert "healthcheck" in services()["firestore"].members
    assert targets == {"release", "dev"} & set(stages())
    assert services()[NETWORK].members["image"] == stages()["python"].base


def test_what_is_ours_can_write_nowhere_and_gain_nothing() -> None:
    ours = [*functions(), *simulators(), services()[NETWORK]]

    for service in ours:
        assert service.members["read_only"] is True
        assert service.members["cap_drop"] == ["ALL"]
        assert service.members["security_opt"] == ["no-new-privileges:true"]
