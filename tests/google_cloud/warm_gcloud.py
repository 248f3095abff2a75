"""Starts gcloud once and forks it for each call: `python warm_gcloud.py SDK SOCKET`.

gcloud's own Python runs this, and /usr/bin/gcloud is given `client` as its interpreter. What runs
is gcloud's own code either way; only its start, most of a call's time, is saved.
"""

import contextlib
import importlib
import json
import os
import socket
import sys
from pathlib import Path

_APIS = {
    "artifactregistry": "v1",
    "cloudfunctions": "v2",
    "cloudresourcemanager": "v1",
    "firestore": "v1",
    "iam": "v1",
    "logging": "v2",
    "monitoring": "v3",
    "run": "v1",
    "secretmanager": "v1",
    "serviceusage": "v1",
    "storage": "v1",
}
_SLOW_TO_IMPORT = (
    "googlecloudsdk.api_lib.storage.api_factory",
    "googlecloudsdk.api_lib.storage.gcs_json.client",
    "googlecloudsdk.command_lib.artifacts.flags",
    "googlecloudsdk.command_lib.functions.v2.deploy.command",
    "googlecloudsdk.command_lib.monitoring.util",
    "googlecloudsdk.command_lib.run.commands",
    "googlecloudsdk.command_lib.run.serverless_operations",
    "googlecloudsdk.command_lib.storage.tasks.cp.copy_task_factory",
    "googlecloudsdk.core.resource.resource_printer",
)


def client(python: str, path: Path) -> str:
    """Return a program that hands a call over to the server at `path`."""
    return f"""#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({str(path)!r})
    call = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(server, [len(call).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(call)
    sys.exit((server.recv(1) or b"\\1")[0])
"""


def serve(sdk: Path, path: str) -> None:
    """Answer calls until the process is ended. Says "ready" on stdout once it listens."""
    sys.path.insert(0, str(sdk / "lib"))
    gcloud = importlib.import_module("gcloud")
    gcloud._fix_google_module()
    gcloud._import_gcloud_main()
    apis = importlib.import_module("googlecloudsdk.api_lib.util.apis")
    for name, version in _APIS.items():
        apis.GetClientClass(name, version)
        apis.GetMessagesModule(name, version)
    for name in _SLOW_TO_IMPORT:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)  # noqa: T201 - for whoever started this
        while True:
            call, _ = listener.accept()
            if _is_child():
                _answer(gcloud, call)
            call.close()


def _is_child() -> bool:
    """Fork twice, so that nobody has to wait for the grandchild."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return False
    if os.fork():
        os._exit(0)
    return True


def _answer(gcloud, call: socket.socket) -> None:
    code = 1
    with contextlib.suppress(BaseException):
        length, descriptors, _, _ = socket.recv_fds(call, 4, 3)
        arguments, environment, folder = json.loads(_exactly(call, int.from_bytes(length, "big")))
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.argv = [word for word in arguments if word != "-S"]
        try:
            gcloud.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
    call.sendall(bytes([code]))
    os._exit(0)


def _exactly(call: socket.socket, length: int) -> bytes:
    content = b""
    while len(content) < length:
        content += call.recv(length - len(content))
    return content


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])
