"""A Secret Manager for tests: a real gRPC server that speaks the one method the product calls."""

from asyncio import Event, timeout
from collections.abc import Mapping
from typing import Self

import grpc
from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcAsyncIOTransport,
)
from google.cloud.secretmanager_v1.types import (
    AccessSecretVersionRequest,
    AccessSecretVersionResponse,
    SecretPayload,
)


class SecretManagerServer:
    """Answers for the secrets it was given; every other one is not found, as at Google.

    `requests` lists the names asked for. While `answering` is not set no request is answered.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.answering = Event()
        self.answering.set()
        self._versions: dict[str, list[bytes]] = {}
        self._asked = Event()
        self._refusals: dict[str, grpc.StatusCode] = {}
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self._handler(),))
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop at once, dropping requests that were not answered."""
        await self._server.stop(grace=None)

    def add_version(self, secret: str, payload: bytes) -> str:
        """Add a version to projects/P/secrets/S; return its name. It is the latest now."""
        versions = self._versions.setdefault(secret, [])
        versions.append(payload)
        return f"{secret}/versions/{len(versions)}"

    def refuse(self, name: str, code: grpc.StatusCode) -> None:
        """Answer requests for this version with an error from now on."""
        self._refusals[name] = code

    async def next_request(self) -> None:
        """Wait until one more request has arrived."""
        self._asked.clear()
        async with timeout(5):
            await self._asked.wait()

    def client(self) -> SecretManagerServiceAsyncClient:
        """Return a client of this server. Only inside the running loop."""
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{self._port}")
        return SecretManagerServiceAsyncClient(
            transport=SecretManagerServiceGrpcAsyncIOTransport(channel=channel)
        )

    def _handler(self) -> grpc.GenericRpcHandler:
        method = grpc.unary_unary_rpc_method_handler(
            self._access,
            request_deserializer=AccessSecretVersionRequest.deserialize,
            response_serializer=AccessSecretVersionResponse.serialize,
        )
        methods: Mapping[str, grpc.RpcMethodHandler] = {"AccessSecretVersion": method}
        return grpc.method_handlers_generic_handler(
            "google.cloud.secretmanager.v1.SecretManagerService", methods
        )

    async def _access(
        self, request: AccessSecretVersionRequest, context: grpc.aio.ServicerContext
    ) -> AccessSecretVersionResponse:
        self.requests.append(request.name)
        self._asked.set()
        await self.answering.wait()
        if code := self._refusals.get(request.name):
            await context.abort(code, "refused by the test")
        secret, _, version = request.name.partition("/versions/")
        versions = self._versions.get(secret, [])
        number = len(versions) if version == "latest" else int(version)
        if not 0 < number <= len(versions):
            await context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} not found")
        return AccessSecretVersionResponse(
            name=f"{secret}/versions/{number}",
            payload=SecretPayload(data=versions[number - 1]),
        )
