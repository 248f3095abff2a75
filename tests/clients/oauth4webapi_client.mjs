// An OAuth client by oauth4webapi, which refuses what a standard does not allow.
// Argument: what to do, as JSON. A machine logs in; without one a person signs in: the client
// prints {"open": link} and reads the address that the browser was sent to. In the end it prints
// {"done": findings} or {"refused": why}.

import { createInterface } from "node:readline";
import * as oauth from "oauth4webapi";

const { resource, redirectUri, machine } = JSON.parse(process.argv[2]);
const loopback = { [oauth.allowInsecureRequests]: true };
const story = { title: "Pay by card" };

async function discovered() {
  const challenge = await challengeTo("never-issued");
  const found = await oauth.resourceDiscoveryRequest(new URL(resource), loopback);
  if (found.url !== challenge.resource_metadata) throw new Error(`challenge names ${found.url}`);
  const metadata = await oauth.processResourceDiscoveryResponse(new URL(resource), found);
  const issuer = new URL(metadata.authorization_servers[0]);
  const answer = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...loopback });
  return { server: await oauth.processDiscoveryResponse(issuer, answer), challenge };
}

async function signIn() {
  const { server, challenge } = await discovered();
  const client = await registered(server);
  const redeemed = await authorized(server, client, challenge.scope);
  const created = await call(redeemed.access_token, "create_rally_story", story);
  const refreshed = await renewed(server, client, redeemed.refresh_token);
  const user = await call(refreshed.access_token, "get_rally_user", {});
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(server, client, oauth.None(), refreshed.refresh_token, loopback),
  );
  const afterRevocation = await challengeTo(refreshed.access_token);
  return { client, redeemed, created, refreshed, user, afterRevocation };
}

async function registered(server) {
  const metadata = {
    client_name: "oauth4webapi",
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    application_type: "native",
  };
  const answer = await oauth.dynamicClientRegistrationRequest(server, metadata, loopback);
  return oauth.processDynamicClientRegistrationResponse(answer);
}

async function authorized(server, client, scope) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const link = new URL(server.authorization_endpoint);
  link.search = new URLSearchParams({
    response_type: "code",
    client_id: client.client_id,
    redirect_uri: redirectUri,
    scope,
    resource,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  tell({ open: link });
  const told = oauth.validateAuthResponse(server, client, new URL(await lineRead()), state);
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    told,
    redirectUri,
    verifier,
    { additionalParameters: { resource }, ...loopback },
  );
  return oauth.processAuthorizationCodeResponse(server, client, answer);
}

async function renewed(server, client, refreshToken) {
  const answer = await oauth.refreshTokenGrantRequest(
    server,
    client,
    oauth.None(),
    refreshToken,
    { additionalParameters: { resource }, ...loopback },
  );
  return oauth.processRefreshTokenResponse(server, client, answer);
}

async function logIn() {
  const { server } = await discovered();
  const client = { client_id: machine.clientId };
  const answer = await oauth.clientCredentialsGrantRequest(
    server,
    client,
    await authentication(),
    { resource, scope: machine.scope },
    loopback,
  );
  const granted = await oauth.processClientCredentialsResponse(server, client, answer);
  return { granted, created: await call(granted.access_token, "create_rally_story", story) };
}

async function authentication() {
  if (machine.method === "client_secret_basic") return oauth.ClientSecretBasic(machine.secret);
  if (machine.method === "client_secret_post") return oauth.ClientSecretPost(machine.secret);
  const der = Buffer.from(machine.pem.replaceAll(/-----.*-----/g, ""), "base64");
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  return oauth.PrivateKeyJwt(await crypto.subtle.importKey("pkcs8", der, curve, false, ["sign"]));
}

async function call(accessToken, tool, members) {
  const url = new URL(`/tools/${tool}`, resource);
  const headers = new Headers({ "Content-Type": "application/json" });
  const answer = await oauth.protectedResourceRequest(
    accessToken,
    "POST",
    url,
    headers,
    JSON.stringify(members),
    loopback,
  );
  return answer.json();
}

async function challengeTo(accessToken) {
  try {
    await call(accessToken, "get_rally_user", {});
  } catch (error) {
    if (error.code === oauth.WWW_AUTHENTICATE_CHALLENGE) return error.cause[0].parameters;
    throw error;
  }
  throw new Error("the access token was taken");
}

async function lineRead() {
  for await (const line of createInterface({ input: process.stdin })) return line;
}

function tell(line) {
  console.log(JSON.stringify(line));
}

try {
  tell({ done: await (machine ? logIn() : signIn()) });
} catch ({ code, message, error }) {
  tell({ refused: code ?? "not OAuth", message, error });
}
