"""One run of doctor: the checks of a deployment or of this environment, and the report."""

from collections.abc import Mapping

from devtools.doctor import checks
from devtools.doctor.deployment_checks import deployment_checks
from devtools.doctor.functions import Outside
from devtools.doctor.google_cloud import Database, Google
from devtools.doctor.report import Report
from devtools.doctor.settings_checks import Environment, environment_checks
from rally_mcp import __version__


async def of_deployment(
    mcp_url: str, outside: Outside, google: Google, database: Database | None = None
) -> Report:
    """Examine the deployment at `mcp_url`, and its `database` and secrets where one is given."""
    wanted = deployment_checks(mcp_url, outside, google, database)
    findings = await checks.run(wanted.all)
    health = wanted.health.found
    return Report(mcp_url, health.version if health else None, wanted.redirect_uri.found, findings)


async def of_environment(variables: Mapping[str, str], outside: Outside, google: Google) -> Report:
    """Examine the settings in these environment variables, and what they lead to."""
    environment = Environment.read(variables)
    findings = await checks.run(environment_checks(environment, outside, google))
    return Report(None, __version__, environment.redirect_uri, findings)
