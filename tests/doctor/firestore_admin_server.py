"""A Firestore Admin API for tests: a real gRPC server that speaks the one method doctor calls."""

from collections.abc import Mapping
from typing import Self

import grpc
from google.cloud.firestore_admin_v1.services.firestore_admin import FirestoreAdminAsyncClient
from google.cloud.firestore_admin_v1.services.firestore_admin.transports import (
    FirestoreAdminGrpcAsyncIOTransport,
)
from google.cloud.firestore_admin_v1.types import Field, ListFieldsRequest, ListFieldsResponse


class FirestoreAdminServer:
    """Lists TTL policies: `states` has that of each collection, by its name.

    `refusal` is answered instead where it is set. `requests` has what was asked.
    """

    def __init__(self, **states: str) -> None:
        self.states = states
        self.refusal: grpc.StatusCode | None = None
        self.requests: list[ListFieldsRequest] = []
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self._handler(),))
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(grace=None)

    def client(self) -> FirestoreAdminAsyncClient:
        """Return a client of this server. Only inside the running loop."""
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{self._port}")
        return FirestoreAdminAsyncClient(
            transport=FirestoreAdminGrpcAsyncIOTransport(channel=channel)
        )

    def _handler(self) -> grpc.GenericRpcHandler:
        method = grpc.unary_unary_rpc_method_handler(
            self._list_fields,
            request_deserializer=ListFieldsRequest.deserialize,
            response_serializer=ListFieldsResponse.serialize,
        )
        methods: Mapping[str, grpc.RpcMethodHandler] = {"ListFields": method}
        return grpc.method_handlers_generic_handler(
            "google.firestore.admin.v1.FirestoreAdmin", methods
        )

    async def _list_fields(
        self, request: ListFieldsRequest, context: grpc.aio.ServicerContext
    ) -> ListFieldsResponse:
        self.requests.append(request)
        if self.refusal:
            await context.abort(self.refusal, "refused by the test")
        database = request.parent.removesuffix("/collectionGroups/-")
        # Two pages, as a database with many fields has them.
        names = sorted(self.states)
        shown = names[3:] if request.page_token else names[:3]
        fields = [
            Field(
                name=f"{database}/collectionGroups/{name}/fields/expire_at",
                ttl_config=Field.TtlConfig(state=self.states[name]),
            )
            for name in shown
        ]
        return ListFieldsResponse(
            fields=fields, next_page_token="" if request.page_token else "more"
        )
