"""What is Entra's own about signing in to it: one tenant, and a person read from an id_token."""

import pytest
from pydantic import ValidationError

from devtools.entra_simulator import TENANT
from rally_mcp.identity_providers.entra_id import EntraSettings
from tests.fixtures.upstream_contract import declared

ENDPOINTS = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0"


def test_the_endpoints_are_those_of_the_tenant():
    entra_id = declared("entra_id", ENTRA_URL="https://login.microsoftonline.com")

    assert entra_id.authorization_endpoint == f"{ENDPOINTS}/authorize"
    assert entra_id.token_endpoint == f"{ENDPOINTS}/token"
    assert entra_id.scope == "openid profile email offline_access"


def test_a_national_cloud_is_another_origin():
    entra_id = declared("entra_id", ENTRA_URL="https://login.microsoftonline.us")

    assert entra_id.token_endpoint.startswith("https://login.microsoftonline.us/")


@pytest.mark.parametrize("tenant", [TENANT, TENANT.upper(), "acme.onmicrosoft.com", "acme.com"])
def test_a_tenant_is_named_by_its_id_or_a_domain_of_it(tenant):
    assert EntraSettings(tenant_id=tenant).tenant_id == tenant


@pytest.mark.parametrize("tenant", ["common", "organizations", "Consumers", "COMMON"])
def test_everybodys_tenants_are_refused_because_anybody_could_sign_in(tenant):
    with pytest.raises(ValidationError, match="anybody with a Microsoft account"):
        EntraSettings(tenant_id=tenant)


@pytest.mark.parametrize(
    "tenant", ["acme/v2.0", "../common", "acme.com?x=1", "acme.com#", "a b", ".", "acme.com\n"]
)
def test_what_is_neither_an_id_nor_a_domain_is_refused(tenant):
    with pytest.raises(ValidationError, match="or a verified domain of the tenant"):
        EntraSettings(tenant_id=tenant)


@pytest.mark.parametrize(
    "scope", ["openid", "profile openid", "openid User.Read", "email openid x"]
)
def test_any_scopes_may_be_asked_for_beside_openid(scope):
    assert EntraSettings(scope=scope).scope == scope


@pytest.mark.parametrize("scope", ["profile email", "openid2", "xopenid", "offline_access"])
def test_without_openid_there_is_no_proof_of_who_signed_in(scope):
    with pytest.raises(ValidationError):
        EntraSettings(scope=scope)
