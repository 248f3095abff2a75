"""How the simulated YATA refuses a request: FastAPI's `{"detail": …}`."""

from starlette.responses import JSONResponse


class Refused(Exception):
    """An HTTP status with a detail; `scheme` is what `WWW-Authenticate` asks for (RFC 9110 §11)."""

    def __init__(self, status: int, detail: object, *, scheme: str = "") -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.scheme = scheme

    def answer(self) -> JSONResponse:
        """Return what the client gets."""
        headers = {"WWW-Authenticate": self.scheme} if self.scheme else None
        return JSONResponse({"detail": self.detail}, self.status, headers)


def invalid_client() -> Refused:
    """Refuse a client that is unknown, inactive or has another secret."""
    return Refused(401, "Invalid client credentials", scheme="Basic")


def invalid_access_token() -> Refused:
    """Refuse an access token that is unknown, expired, or has a successor."""
    return Refused(401, "Invalid or expired token", scheme="Bearer")


def not_authenticated(scheme: str) -> Refused:
    """Refuse a request without a credential of this scheme."""
    return Refused(401, "Not authenticated", scheme=scheme)
