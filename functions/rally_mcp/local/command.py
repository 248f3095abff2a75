"""What `rally-mcp stdio` does."""

import os
import sys
from pathlib import Path

from rally_mcp import logs
from rally_mcp.errors import RallyMcpError
from rally_mcp.local.configuration import load
from rally_mcp.local.data_folder import DataFolder, prepare_database
from rally_mcp.local.principal_secret import PrincipalSecret


def run() -> int:
    """Serve one client on stdin and stdout; return the exit code.

    Everything but the protocol goes to stderr: log lines and, where it cannot start, one line that
    says why.
    """
    logs.configure("stdio", None, to="stderr")
    folder = DataFolder.of(os.environ)
    try:
        settings = load(os.environ, folder.path)
        folder.prepare()
        prepare_database(Path(settings.sqlite_path))
        secret = PrincipalSecret.kept_in(folder)
        # The SDK takes half a second to import; what is wrong is said before.
        import anyio

        from rally_mcp.local.stdio_server import serve

        anyio.run(serve, settings, secret)
    except RallyMcpError as error:
        sys.stderr.write(f"rally-mcp: {error.message}\n")
        return 1
    return 0
