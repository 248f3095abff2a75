"""The proof of who signed in: an id_token, checked claim by claim (OpenID Connect Core §3.1.3.7).

    header     an algorithm that is served, and a key of the issuer's for it
    signature  made with that key
    claims     each has its check below, or is read by a declaration, or is known and has no use

A claim of no kind is reported: what Microsoft begins to say is to be noticed, not passed over.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
import jwt

from rally_mcp import logs
from rally_mcp.errors import UpstreamRejected
from rally_mcp.identity_providers.jwks import SIGNING_ALGORITHMS, KeySets, SigningKey, UnknownKey

LEEWAY = timedelta(seconds=60)
"""How far the issuer's clock and ours may be apart."""

LONGEST_ID_TOKEN = 16 * 1024
"""Characters. Microsoft leaves the groups out where there are more than 200."""

_NUMERIC_DATE_END = 253402300799
"""The last second of year 9999, where a datetime ends."""

_UNCHECKED_BY_PYJWT = {
    f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
}
"""It would ask the wall clock; they are checked here, by the clock that is given."""

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class IdTokenRules:
    """What an id_token must say: who issued it, to whom, and in answer to which request.

    `audience` is our client id; `nonce` is what the authorization request had. `tenant_id` is None
    where only the issuer tells the tenant.
    """

    issuer: str
    audience: str
    nonce: str
    tenant_id: str | None


async def verified_claims(
    http: httpx.AsyncClient,
    key_sets: KeySets,
    clock: Callable[[], datetime],
    jwks_uri: str,
    id_token: str,
    rules: IdTokenRules,
) -> Claims:
    """Return the claims of an id_token that was signed with a key from `jwks_uri` and keeps rules.

    Raises UpstreamRejected for any other token, and the reason goes to the log;
    UpstreamUnavailable or UpstreamTimeout where the keys cannot be had.
    """
    try:
        algorithm, kid = _algorithm_and_kid(id_token)
        key = await key_sets.key(http, jwks_uri, kid, clock())
        claims = _signed_claims(id_token, algorithm, key)
        _check_claims(claims, rules, clock())
        _check_key_is_for(claims, key)
    except UnknownKey:
        raise _rejected(key_sets, "no key of its issuer has its kid") from None
    except _Refused as refused:
        raise _rejected(key_sets, str(refused)) from None
    _account_for(claims)
    return claims


class _Refused(Exception):
    """The id_token proves nothing. The words are our own, and meant for the log."""


def _rejected(key_sets: KeySets, problem: str) -> UpstreamRejected:
    logs.event("WARNING", "id_token refused", problem=problem)
    return UpstreamRejected(f"{key_sets.title} did not prove who signed in.")


def _algorithm_and_kid(id_token: str) -> tuple[str, str]:
    if not id_token.isascii() or len(id_token) > LONGEST_ID_TOKEN:
        raise _Refused("it is not ASCII, or too long")
    try:
        header = jwt.get_unverified_header(id_token)
    except (jwt.PyJWTError, RecursionError):
        raise _Refused("it is not a JWT that can be read") from None
    # Other kinds of JWT have types of their own (RFC 8725 §3.11).
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise _Refused("it is a JWT of another type, typ")
    match header:
        case {"alg": str(algorithm), "kid": str(kid)} if algorithm in SIGNING_ALGORITHMS:
            return algorithm, kid
    raise _Refused("its alg is not one that is served, or it has no kid")


def _signed_claims(id_token: str, algorithm: str, key: SigningKey) -> Claims:
    if algorithm not in key.algorithms:
        raise _Refused("its alg is not one that the key is for")
    options: Any = _UNCHECKED_BY_PYJWT
    try:
        return jwt.decode(id_token, key.key, [algorithm], options)
    except (jwt.PyJWTError, RecursionError):
        raise _Refused("the key did not make its signature, or it holds no claims") from None


def _check_claims(claims: Claims, rules: IdTokenRules, now: datetime) -> None:
    for name, is_right in _CHECKS.items():
        if not is_right(claims, rules, now):
            raise _Refused(f"its {name} is wrong or missing")


def _check_key_is_for(claims: Claims, key: SigningKey) -> None:
    """Keep a key that is published for one issuer from signing for another, as Microsoft asks."""
    if key.issuer is None:
        return
    if key.issuer.replace("{tenantid}", str(claims.get("tid"))) != claims["iss"]:
        raise _Refused("the key is for another issuer")


def _is_issuer(claims: Claims, rules: IdTokenRules, _: datetime) -> bool:
    return bool(claims.get("iss") == rules.issuer)


def _is_audience(claims: Claims, rules: IdTokenRules, _: datetime) -> bool:
    match claims.get("aud"):
        case str(audience) | [str(audience)]:
            return audience == rules.audience
        case [*audiences]:
            # Whom else it is for does not matter where it was issued to us.
            return rules.audience in audiences and "azp" in claims
    return False


def _is_authorized_party(claims: Claims, rules: IdTokenRules, _: datetime) -> bool:
    return bool(claims.get("azp", rules.audience) == rules.audience)


def _is_to_come(claims: Claims, _: IdTokenRules, now: datetime) -> bool:
    expires_at = _moment(claims.get("exp"))
    return expires_at is not None and now < expires_at + LEEWAY


def _is_past(claims: Claims, _: IdTokenRules, now: datetime) -> bool:
    issued_at = _moment(claims.get("iat"))
    return issued_at is not None and issued_at <= now + LEEWAY


def _is_absent_or_past(claims: Claims, _: IdTokenRules, now: datetime) -> bool:
    if "nbf" not in claims:
        return True
    begins_at = _moment(claims["nbf"])
    return begins_at is not None and begins_at <= now + LEEWAY


def _is_nonce(claims: Claims, rules: IdTokenRules, _: datetime) -> bool:
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not nonce or not nonce.isascii():
        return False
    return hmac.compare_digest(nonce.encode(), rules.nonce.encode())


def _is_tenant(claims: Claims, rules: IdTokenRules, _: datetime) -> bool:
    if rules.tenant_id is None:
        return True
    # A GUID, which administrators also write in capitals.
    return str(claims.get("tid")).lower() == rules.tenant_id.lower()


def _moment(seconds: object) -> datetime | None:
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds < _NUMERIC_DATE_END else None


_CHECKS: Mapping[str, Callable[[Claims, IdTokenRules, datetime], bool]] = {
    "iss": _is_issuer,
    "aud": _is_audience,
    "azp": _is_authorized_party,
    "exp": _is_to_come,
    "iat": _is_past,
    "nbf": _is_absent_or_past,
    "nonce": _is_nonce,
    "tid": _is_tenant,
}

CHECKED = frozenset(_CHECKS)

READ = frozenset({"oid", "sub", "name", "preferred_username", "email"})
"""What a declaration makes a user of. None but `oid` and `sub` may decide anything."""

UNUSED = frozenset(
    name
    for names in (
        # The token itself, and what is for Microsoft alone.
        "aio at_hash c_hash rh sid uti ver xms_cc",
        # The sign-in.
        "acct acrs amr auth_time fwd idp in_corp ipaddr login_hint pwd_exp pwd_url vnet ztdid",
        # The person.
        "ctry family_name given_name onprem_sid upn verified_primary_email",
        "verified_secondary_email xms_edov xms_pdl xms_pl",
        # The tenant.
        "tenant_ctry tenant_region_scope xms_tpl",
        # What an administrator assigned, and where to ask for groups when they are too many.
        "groups groups:src1 hasgroups roles wids _claim_names _claim_sources",
    )
    for name in names.split()
)
"""What else Microsoft documents for id_tokens of its v2 endpoint, optional claims included.

Nothing is decided by them: what somebody may do is what a client was granted.
"""

_EXTENSION = "extn."
"""Begins the names of the directory extensions that an administrator adds."""


def _account_for(claims: Claims) -> None:
    for name in sorted(claims.keys() - CHECKED - READ - UNUSED):
        if not name.startswith(_EXTENSION):
            _report(name)


@cache
def _report(claim: str) -> None:
    """Log the name of a claim that nobody has accounted for: once in a process, by the cache."""
    logs.event("WARNING", "an id_token has a claim that is not accounted for", claim=claim)
