"""`rally-mcp stdio`: the same tools for one client on this machine, with no deployment.

The process serves the protocol on stdin and stdout, keeps what it stores in the user's data folder
and, while somebody signs in, listens on a loopback port for the browser to come back to.
"""
