# Secrets without their values: `gcloud secrets versions add NAME --data-file=-` adds those, and
# neither state nor plan ever holds one. A function asks for a secret when it first needs it, so that
# it can be deployed before there is a version.

locals {
  # Who reads it: oauth_callback exchanges codes with it, mcp_endpoint refreshes. Nobody else.
  client_secrets = { for upstream, secret in {
    rally    = { name = "rally-client-secret", variable = "RALLY_CLIENT_SECRET", readers = ["mcp_endpoint", "oauth_callback"] }
    github   = { name = "github-client-secret", variable = "GITHUB_CLIENT_SECRET", readers = ["mcp_endpoint", "oauth_callback"] }
    entra_id = { name = "entra-client-secret", variable = "ENTRA_CLIENT_SECRET", readers = ["mcp_endpoint", "oauth_callback"] }
    yata     = { name = "yata-client-secret", variable = "YATA_CLIENT_SECRET", readers = ["mcp_endpoint"] }
  } : upstream => merge(secret, { name = "${var.name_prefix}${secret.name}" }) }

  secret_readers = merge(
    { for upstream in var.upstreams : local.client_secrets[upstream].name => local.client_secrets[upstream].readers },
    { for name in var.rally_api_key_secrets : name => ["mcp_endpoint"] },
  )
}

resource "google_secret_manager_secret" "this" {
  for_each = local.secret_readers

  secret_id           = each.key
  deletion_protection = var.deletion_protection

  replication {
    dynamic "auto" {
      for_each = length(var.secret_locations) == 0 ? [1] : []
      content {}
    }
    dynamic "user_managed" {
      for_each = length(var.secret_locations) == 0 ? [] : [1]
      content {
        dynamic "replicas" {
          for_each = var.secret_locations
          content {
            location = replicas.value
          }
        }
      }
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = merge([for name, readers in local.secret_readers : {
    for key in readers : "${name}/${key}" => { secret = name, function = key }
  }]...)

  secret_id = google_secret_manager_secret.this[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.value.function].member
}
