// Microsoft Entra ID, played by oidc-provider: one tenant, its paths, and what its id_tokens say.
// Argument: {port, tenant, clientId, clientSecret, redirectUri, accessTokenSeconds} as JSON.
// It prints {"ready": issuer} once it answers, then a line for each request that a client makes:
// {"authorize": parameters} or {"grant": type}.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { port, tenant, clientId, clientSecret, redirectUri, accessTokenSeconds } = JSON.parse(
  process.argv[2],
);
const origin = `http://127.0.0.1:${port}`;
const issuer = `${origin}/${tenant}/v2.0`;
const authorize = `/${tenant}/oauth2/v2.0/authorize`;
const DAY = 24 * 3600;

const people = {
  ann: { oid: "6f1c3f0e-8f7b-4f5c-9a51-1d3f0d5b7a01", name: "Ann Archer" },
  bob: { oid: "0b8c6f51-3a0d-4a7b-8a44-7e3f6c2d9b02", name: "Bob Baker" },
};

function signingKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: "key-1", use: "sig", alg: "RS256" };
}

function account(_, id) {
  const { oid, name } = people[id];
  const email = `${id}@example.com`;
  // An app's own name for the person, as Microsoft's `sub` is.
  const claims = { sub: id, oid, tid: tenant, ver: "2.0", name, email, preferred_username: email };
  return { accountId: id, claims: () => claims };
}

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: clientId,
      client_secret: clientSecret,
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code", "refresh_token"],
      token_endpoint_auth_method: "client_secret_post",
    },
  ],
  routes: {
    authorization: authorize,
    token: `/${tenant}/oauth2/v2.0/token`,
    jwks: `/${tenant}/discovery/v2.0/keys`,
  },
  claims: {
    openid: ["sub", "ver"],
    profile: ["oid", "tid", "name", "preferred_username"],
    email: ["email"],
  },
  // Microsoft's id_tokens hold what the scopes give, without a request for more.
  conformIdTokenClaims: false,
  findAccount: account,
  pkce: { required: () => true },
  jwks: { keys: [signingKey()] },
  cookies: { keys: [randomBytes(32).toString("hex")] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, { uid }) => `/sign-in/${uid}` },
  ttl: {
    AccessToken: accessTokenSeconds,
    AuthorizationCode: 60,
    Grant: DAY,
    IdToken: 3600,
    Interaction: 600,
    RefreshToken: DAY,
    Session: DAY,
  },
});

const page = `<!doctype html><title>Sign in</title>
<form method="post">
  <select name="user"><option value="ann">Ann</option><option value="bob">Bob</option></select>
  <button name="decision" value="allow">Accept</button>
  <button name="decision" value="deny">Cancel</button>
</form>`;

async function signIn(request, response) {
  if (request.method === "GET") {
    response.setHeader("Content-Type", "text/html; charset=utf-8").end(page);
    return;
  }
  const form = new URLSearchParams(Buffer.concat(await Array.fromAsync(request)).toString());
  const { params } = await provider.interactionDetails(request, response);
  await provider.interactionFinished(request, response, await decided(form, params.scope));
}

async function decided(form, scope) {
  if (form.get("decision") !== "allow") return { error: "access_denied" };
  const accountId = form.get("user");
  const grant = new provider.Grant({ accountId, clientId });
  grant.addOIDCScope(scope);
  return { login: { accountId }, consent: { grantId: await grant.save() } };
}

function asMicrosoft(url) {
  // The issuer has a path of its own; all else is beside it.
  const path = url.pathname.replace(`/${tenant}/v2.0/.well-known/`, "/.well-known/");
  if (path === authorize) {
    tell({ authorize: Object.fromEntries(url.searchParams) });
    // Microsoft gives a refresh token without being asked to prompt for it.
    url.searchParams.set("prompt", "consent");
  }
  return path + url.search;
}

function tell(line) {
  console.log(JSON.stringify(line));
}

provider.on("grant.success", ({ oidc }) => tell({ grant: oidc.params.grant_type }));
provider.on("grant.error", (_, { error }) => tell({ refused: error }));
provider.on("server_error", (_, { message }) => tell({ failed: message }));

const answer = provider.callback();

createServer((request, response) => {
  const url = new URL(request.url, origin);
  if (url.pathname.startsWith("/sign-in/")) {
    signIn(request, response).catch(({ message }) => response.writeHead(500).end(message));
    return;
  }
  request.url = asMicrosoft(url);
  answer(request, response);
}).listen(port, "127.0.0.1", () => tell({ ready: issuer }));
