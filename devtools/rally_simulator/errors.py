"""How the simulated Rally refuses a request: its texts, and where a client finds them."""


class WsapiError(Exception):
    """Refused inside HTTP 200: the texts stand in the envelope's `Errors`."""

    def __init__(self, *errors: str, warnings: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors
        self.warnings = warnings


class UnknownResource(Exception):
    """No such type or endpoint: HTTP 404 with a page, not JSON."""


class NotSignedIn(Exception):
    """No credential, or one that is not good (any more): an HTTP status with a page."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class TokenRefused(Exception):
    """The token endpoint says no, with the wire code of RFC 6749 §5.2."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
