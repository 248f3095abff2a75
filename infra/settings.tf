# The environment of the functions: docs/settings.md. A test holds the names to the code.

locals {
  known_settings = sort([
    "SERVER_NAME", "SIGN_IN_CONFIRMATION", "RATE_LIMITS", "TOOLSETS", "READ_ONLY",
    "RALLY_URL", "RALLY_SCOPE", "RALLY_TOKEN_HEADER", "RALLY_PROJECTS", "RALLY_SUBSCRIPTIONS",
    "GITHUB_URL", "GITHUB_API_URL", "GITHUB_CLIENT_ID", "GITHUB_SCOPE",
    "ENTRA_URL", "ENTRA_TENANT_ID", "ENTRA_CLIENT_ID", "ENTRA_SCOPE",
    "YATA_URL", "YATA_TOKEN_URL", "YATA_API_URL", "YATA_CLIENT_ID", "YATA_SCOPE", "YATA_CALLERS",
  ])

  environment = merge(var.settings, {
    STORAGE              = "firestore"
    FIRESTORE_DATABASE   = local.database
    GOOGLE_CLOUD_PROJECT = var.project_id
    MCP_URL              = local.mcp_url
    AUTH_URL             = local.auth_url
    CALLBACK_URL         = local.callback_url
    UPSTREAMS            = join(",", var.upstreams)
    # Whose X-Forwarded-For entries are ours: Cloud Run's, and the load balancer's before it.
    TRUSTED_PROXY_HOPS = var.domain == null ? "1" : "2"
  }, contains(var.upstreams, "rally") ? { RALLY_CLIENT_ID = var.rally_client_id } : {})

  # A reference to each secret that the function may read, and to no other.
  secret_references = { for key in keys(local.functions) : key => {
    for upstream in var.upstreams : local.client_secrets[upstream].variable =>
    "projects/${var.project_id}/secrets/${local.client_secrets[upstream].name}/versions/latest"
    if contains(local.client_secrets[upstream].readers, key)
  } }
}
