output "mcp_url" {
  description = "What MCP clients are given."
  value       = local.mcp_url
}

output "auth_url" {
  description = "Origin of auth_redirect: the issuer."
  value       = local.auth_url
}

output "callback_url" {
  description = "Where upstreams send the browser back to."
  value       = local.callback_url
}

output "redirect_uri" {
  description = "What to register at Rally and at every other upstream, to the letter: callback_url."
  value       = local.callback_url
}

output "health_urls" {
  description = "Where each function tells that it runs."
  value       = local.health_urls
}

output "client_secrets" {
  description = "Secrets that need a value: gcloud secrets versions add NAME --data-file=-"
  value       = [for upstream in var.upstreams : local.client_secrets[upstream].name]
}

# The address and nothing else: these clients sign in by themselves, each person as himself. A
# Session-ID in a team's file would share one person's Rally.
output "mcp_json" {
  description = "A ready configuration per MCP client: terraform output -json mcp_json | jq -r .vscode"
  value = {
    vscode      = jsonencode({ servers = { rally = { type = "http", url = local.mcp_url } } })
    copilot-cli = jsonencode({ mcpServers = { rally = { type = "http", url = local.mcp_url, tools = ["*"] } } })
    claude-code = jsonencode({ mcpServers = { rally = { type = "http", url = local.mcp_url } } })
    cursor      = jsonencode({ mcpServers = { rally = { url = local.mcp_url } } })
  }
}

output "load_balancer_address" {
  description = "Where the domain's A record has to point; null without a domain."
  value       = one(google_compute_global_address.this[*].address)
}

output "database" {
  description = "The Firestore database, as rally-mcp doctor and the administrator's commands want to know it."
  value       = local.database
}
