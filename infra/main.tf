# The table of three. A key is the entry point, the entry file and the log label; in the cloud, where
# names have no underscore, "_" becomes "-".

locals {
  functions = {
    mcp_endpoint = {
      description = "MCP endpoint and REST interface: the protected resource"
      memory      = "512Mi"
      calls_out   = true
      # Routes on one domain; what nobody else has is its own, and its plain / too.
      paths = ["/", "/mcp", "/mcp/*", "/tools", "/tools/*", "/openapi.json", "/health",
      "/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/*"]
    }
    auth_redirect = {
      description = "Authorization server: starts sign-ins, issues codes and tokens to MCP clients"
      memory      = "512Mi"
      calls_out   = false
      paths = ["/auth", "/auth/health", "/authorize", "/authorize/*", "/token", "/register", "/revoke",
      "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]
    }
    oauth_callback = {
      description = "Redirect URI: exchanges the upstream's code"
      memory      = "512Mi"
      calls_out   = true
      # The function takes any path that ends in /callback; rules cannot say that, so these three.
      paths = ["/callback", "/callback/health", "/oauth/callback", "/auth/callback"]
    }
  }

  # What there is once, and what begins the names of what there is several times.
  deployment = "${var.name_prefix}rally-mcp"

  names = { for key in keys(local.functions) : key => "${var.name_prefix}${replace(key, "_", "-")}" }

  # Known before anything exists, because Cloud Run makes them of name, project number and region: so
  # the redirect URI can be registered first, and one apply is enough.
  origins = { for key, name in local.names : key => (
    var.domain == null ? "https://${name}-${var.project_number}.${var.region}.run.app" : "https://${var.domain}"
  ) }

  mcp_url      = "${local.origins["mcp_endpoint"]}/mcp"
  auth_url     = local.origins["auth_redirect"]
  callback_url = "${local.origins["oauth_callback"]}/callback"

  role_prefix = replace(local.deployment, "-", "_")
  labels      = merge({ app = "rally-mcp" }, var.labels)
}

# A chat window and a model copy a link whole while it is short; 36 characters come after the origin.
check "sign_in_links_are_short" {
  assert {
    condition     = length(local.auth_url) + 36 < 100
    error_message = "Sign-in links will have ${length(local.auth_url) + 36} characters. Copying breaks long ones: take a shorter name_prefix, region or domain if you can."
  }
}

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = local.labels
}

resource "google_project_service" "this" {
  for_each = toset(concat([
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
  ], var.domain == null && var.egress_subnetwork == null ? [] : ["compute.googleapis.com"]))

  project            = var.project_id
  service            = each.key
  disable_on_destroy = false # others in the project may use it
}
