"""How the simulated GitHub refuses a request: the REST API by status, the token endpoint in a 200.

The texts are those of GitHub's documentation and of answers that its users published.
"""

from collections.abc import Mapping, Sequence

from starlette.responses import JSONResponse, Response

DOCS = "https://docs.github.com"

JSON_TYPE = "application/json; charset=utf-8"


class ApiError(Exception):
    """The REST API says no. `page` is what follows the origin in `documentation_url`."""

    def __init__(
        self,
        status: int,
        message: str,
        page: str = "rest",
        *,
        errors: Sequence[Mapping[str, object]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.page = page
        self.errors = errors
        self.headers = headers or {}

    def response(self) -> Response:
        """Write the error as GitHub does: the status once more, as text."""
        document: dict[str, object] = {"message": self.message}
        if self.errors:
            document["errors"] = [dict(error) for error in self.errors]
        document |= {"documentation_url": f"{DOCS}/{self.page}", "status": str(self.status)}
        return JSONResponse(document, self.status, self.headers, JSON_TYPE)


class TokenRefused(Exception):
    """The token endpoint says no, with status 200. `page` is what `error_uri` ends in."""

    def __init__(self, error: str, description: str, page: str) -> None:
        super().__init__(f"{error}: {description}")
        self.document = {
            "error": error,
            "error_description": description,
            "error_uri": f"{DOCS}/apps/managing-oauth-apps/{page}",
        }


def not_found(page: str = "rest") -> ApiError:
    """Return the answer to what does not exist, or must not be known to exist."""
    return ApiError(404, "Not Found", page)


def bad_credentials() -> ApiError:
    """Return the answer to an access token that is not good (any more)."""
    return ApiError(401, "Bad credentials")


def validation_failed(page: str, **error: object) -> ApiError:
    """Return the answer to a value that is well-formed and impossible."""
    return ApiError(422, "Validation Failed", page, errors=[error])
