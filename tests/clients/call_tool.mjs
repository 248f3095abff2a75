// Calls one tool with the TypeScript SDK's client and prints the result that it hands to a program.
// Arguments: MCP URL, Session-ID, tool, arguments as JSON.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, sessionId, name, json] = process.argv.slice(2);

const client = new Client({ name: "typescript-sdk", version: "1.0.0" });
const requestInit = { headers: { "Session-ID": sessionId } };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
try {
  // The client checks results against output schemas, which it learns here.
  await client.listTools();
  const result = await client.callTool({ name, arguments: JSON.parse(json) });
  console.log(JSON.stringify(result));
} finally {
  await client.close();
}
