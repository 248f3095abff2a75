"""Requirements of the authorization server (B..) and of machine clients (C..), one sentence each.

Where docs/security.md decides otherwise than the list that they come from, the sentence says what
holds here, and `decided` why.
"""

from tests.conformance.requirement import Requirement

AUTHORIZATION = (
    Requirement(
        "B1",
        "The protected resource's metadata stands at its own path and at the root, with the "
        "configured resource byte for byte, an authorization server, and no offline_access.",
    ),
    Requirement(
        "B2",
        "The authorization server's metadata has one issuer without a trailing slash wherever it "
        "stands, S256 alone, iss, metadata documents, the method none, revocation and the grants.",
    ),
    Requirement("B3", "No header of a request changes any metadata or challenge."),
    Requirement(
        "B4",
        "No credential is a 401 with a bare Bearer challenge; a bad, expired or foreign access "
        "token a 401 invalid_token; a missing scope a 403 with every scope needed; an access "
        "token in the URL a 400.",
    ),
    Requirement(
        "B5",
        "An unknown client or a redirect URI that it did not register gives the person a page, "
        "never a redirect.",
    ),
    Requirement(
        "B6",
        "Redirect URIs match byte for byte but for the port of http loopback ones; fragments, "
        "users, other schemes, dot segments and this deployment's own addresses are refused.",
    ),
    Requirement(
        "B7",
        "A request without PKCE, with plain or without a method is told invalid_request, with "
        "state and iss.",
    ),
    Requirement(
        "B8",
        "Another resource is told invalid_target; none stands for this one, which tokens are "
        "bound to.",
    ),
    Requirement("B9", "A parameter that comes twice is refused as invalid_request."),
    Requirement(
        "B10",
        "Every authorization asks for consent.",
        decided="Nothing is remembered, so that there is no consent to ride on.",
    ),
    Requirement(
        "B11",
        "The consent page names the client, says who vouches for the name, where the answer goes "
        "(and that it is this computer), what is allowed, and the upstream.",
        decided="Which upstream account it will be is not known before the sign-in that follows.",
    ),
    Requirement(
        "B12",
        "The code is released to the browser that consented; in any other the sign-in is refused "
        "with 403 and what was parked is destroyed.",
        decided="The cookie is asked for at /authorize/complete, on the origin that set it, "
        "because the callback may have another.",
    ),
    Requirement("B13", "Who declines sends the client access_denied, with state and iss."),
    Requirement(
        "B14",
        "The upstream leg has a state and a PKCE verifier of its own, and a state says which "
        "upstream it belongs to.",
    ),
    Requirement(
        "B15",
        "Token answers are not stored; errors are 400, and invalid_client is 401, with a Basic "
        "challenge where Basic was used.",
    ),
    Requirement(
        "B16",
        "A code lives 60 seconds, stands hashed, and is bound to client, redirect URI, challenge "
        "and resource; a wrong one of these leaves it as it is, and the fifth ends the grant.",
    ),
    Requirement("B17", "Of any number of redemptions of one code, on any instances, one succeeds."),
    Requirement("B18", "A code that comes again revokes every token that came from it."),
    Requirement(
        "B19",
        "A refresh token is good once; the one before gets the same answer again for 60 seconds "
        "until its successor is used; anything else revokes the grant and is audited.",
    ),
    Requirement(
        "B20", "Callers that need fresh upstream tokens at once, on any instances, refresh once."
    ),
    Requirement(
        "B21",
        "A refresh can narrow the scope and never widen it, is bound to the client, and a grant "
        "ends after 30 days however much it is used.",
    ),
    Requirement(
        "B22",
        "When the upstream ends the sign-in, the grant ends: the call that finds out and the next "
        "are 401, and the refresh token invalid_grant.",
        decided="/token asks no upstream; the next call after a refresh does.",
    ),
    Requirement("B23", "An upstream that is down costs nobody the sign-in: 503 with Retry-After."),
    Requirement(
        "B24", "Upstream tokens never leave the server, and clients' tokens never go upstream."
    ),
    Requirement(
        "B25",
        "/revoke is always there: unknown tokens are 200, another client's are refused and stay, "
        "and an access or refresh token ends its grant at once on every instance.",
    ),
    Requirement(
        "B26",
        "Registration answers 201 and not stored, takes supported grants and redirect URIs alone, "
        "is limited per address and in size, stores nothing, and gives the same metadata the same "
        "client id; an unknown client is 401 at /token and a page at /authorize.",
        decided="There is no record, so there is no life of one to limit.",
    ),
    Requirement(
        "B27", "What clients call themselves is shown as text, and nothing of theirs is fetched."
    ),
    Requirement(
        "B28",
        "A client id metadata document is taken only from the URL that it names, as JSON of at "
        "most 5 KB within 5 seconds, without redirects and secrets, and remembered for a while.",
    ),
    Requirement(
        "B29",
        "No metadata document is fetched from an address that is not public, however it is "
        "written or resolved, and the refusal tells nothing about the network.",
    ),
    Requirement(
        "B30",
        "A client assertion is signed by the client's key for this server, lives five minutes at "
        "most, and is good once across instances.",
    ),
    Requirement(
        "B31",
        "Codes and tokens are random with a prefix that scanners know, and stand as hashes; one "
        "read recognises an access token.",
    ),
    Requirement(
        "B32",
        "Rotating a signing key keeps tokens working.",
        not_applicable="Tokens are not signed: there is no key to rotate.",
    ),
)

MACHINES = (
    Requirement("C1", "Only an administrator adds machine clients; registration never gives one."),
    Requirement(
        "C2",
        "A client authenticates by the method it is registered with, private_key_jwt among them, "
        "and two methods at once are refused.",
    ),
    Requirement(
        "C3",
        "A secret has 256 bits, is shown once and stands hashed; two are good during a rotation.",
        decided="A plain SHA-256 hash is enough for 256 random bits; nobody chooses a secret.",
    ),
    Requirement(
        "C4",
        "A wrong secret is 401 invalid_client; ten from one address in five minutes are 429, also "
        "for the right one, across instances.",
    ),
    Requirement(
        "C5",
        "A scope that the client was not given is invalid_scope; without one it gets the least.",
    ),
    Requirement("C6", "Another resource is invalid_target."),
    Requirement("C7", "A machine client gets no refresh token."),
    Requirement(
        "C8",
        "An access token lives an hour at most, or as long as the client's record says; disabling "
        "or removing the client ends it at the next call.",
    ),
    Requirement(
        "C9",
        "A machine client works with its own Rally API key, never with a person's sign-in, and "
        "without one it is told so.",
    ),
    Requirement(
        "C10",
        "A caller that asks too much is answered 429 with Retry-After, and the limits failing "
        "stops nobody.",
        decided="RateLimit header fields are left out: Retry-After is what clients act on.",
    ),
    Requirement("C11", "A client assertion that comes again is refused."),
    Requirement(
        "C12",
        "The audit log tells who, which client, scope, tool, decision and how long, and no secret.",
    ),
    Requirement(
        "C13",
        "What an administrator does is written down first, and not done if that fails; a request "
        "is served although its line is lost.",
    ),
    Requirement("C14", "No secret stands in a repr, an exception, a log line or the store."),
    Requirement("C15", "An access token is good for this resource alone."),
)
