# Who may do what, and how long things are kept.

mock_provider "google" {}

variables {
  project_id      = "acme-rally-mcp"
  project_number  = "123456789012"
  rally_client_id = "rally-client"
  source_archive  = "versions.tf"
}

run "no_function_has_more_than_its_code_uses" {
  # Applied to the mock, so that members are known.

  assert {
    condition     = length(distinct([for account in google_service_account.function : account.account_id])) == 3
    error_message = "Each function runs as somebody of its own."
  }
  assert {
    condition = alltrue([for key, function in google_cloudfunctions2_function.this :
      function.service_config[0].service_account_email == google_service_account.function[key].email
    ])
    error_message = "A function runs as its own account."
  }
  assert {
    condition = toset([for grant in google_secret_manager_secret_iam_member.reader : grant.member]) == toset([
      google_service_account.function["mcp_endpoint"].member, google_service_account.function["oauth_callback"].member,
    ])
    error_message = "auth_redirect reads no secret."
  }
  assert {
    condition = alltrue([for key in keys(google_cloudfunctions2_function.this) : (
      contains(keys(google_cloudfunctions2_function.this[key].service_config[0].environment_variables), "RALLY_CLIENT_SECRET")
      == contains(["mcp_endpoint", "oauth_callback"], key)
    )])
    error_message = "Only who may read the secret is told its name."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["mcp_endpoint"].service_config[0].environment_variables.RALLY_CLIENT_SECRET == "projects/acme-rally-mcp/secrets/rally-client-secret/versions/latest"
    error_message = "A function gets a reference, never a secret."
  }
  assert {
    condition = alltrue([for role in google_project_iam_custom_role.store : (
      length(setsubtract(role.permissions, [for verb in ["get", "create", "update", "delete"] : "datastore.entities.${verb}"])) == 0
    )])
    error_message = "No function may list records or change the database."
  }
  assert {
    condition     = [for key, role in google_project_iam_custom_role.store : key if contains(role.permissions, "datastore.entities.delete")] == ["mcp_endpoint"]
    error_message = "Only mcp_endpoint, where people sign out, deletes records."
  }
  assert {
    condition = alltrue([for grant in google_project_iam_member.store :
      grant.condition[0].expression == "resource.name == \"projects/acme-rally-mcp/databases/rally-mcp\""
    ])
    error_message = "The grant is for this deployment's database alone."
  }
  assert {
    condition = alltrue([for grant in google_cloud_run_service_iam_member.public : (
      grant.role == "roles/run.invoker" && grant.member == "allUsers"
    )]) && length(google_cloud_run_service_iam_member.public) == 3
    error_message = "Browsers and MCP clients reach all three."
  }
  assert {
    condition = (
      google_project_iam_member.build_source.role == "roles/storage.objectViewer" &&
      strcontains(google_project_iam_member.build_source.condition[0].expression, "buckets/gcf-v2-sources-123456789012-") &&
      google_project_iam_member.build_logs.role == "roles/logging.logWriter" &&
      google_artifact_registry_repository_iam_member.build_images.role == "roles/artifactregistry.writer"
    )
    error_message = "Who builds reads sources, writes logs and images, and nothing else."
  }
  assert {
    condition     = length(google_service_account.pipeline) == 0
    error_message = "Nobody deploys by machine unless asked for."
  }
}

run "records_and_secrets_outlive_a_mistake" {
  command = plan

  assert {
    condition = (
      google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_ENABLED" &&
      google_firestore_database.this.deletion_policy == "ABANDON" &&
      google_firestore_database.this.type == "FIRESTORE_NATIVE"
    )
    error_message = "The database is not deleted by terraform destroy."
  }
  assert {
    condition = (
      toset(keys(google_firestore_field.expire_at)) == toset(["oauth_states", "principals", "oauth_clients", "replay_marks", "attempts"]) &&
      alltrue([for collection, field in google_firestore_field.expire_at : (
        field.collection == collection && field.field == "expire_at" && length(field.ttl_config) == 1 && length(field.index_config) == 1
      )])
    )
    error_message = "Every collection is tidied up by expire_at."
  }
  assert {
    condition     = google_firestore_backup_schedule.daily[0].retention == "604800s"
    error_message = "Backups are kept for a week."
  }
  assert {
    condition     = alltrue([for secret in google_secret_manager_secret.this : secret.deletion_protection])
    error_message = "No secret is deleted in passing."
  }
  assert {
    condition     = google_storage_bucket.source.public_access_prevention == "enforced" && google_storage_bucket.source.uniform_bucket_level_access
    error_message = "Nobody outside reads the bucket."
  }
}

run "every_upstream_brings_its_secret_and_its_readers" {
  command = plan

  variables {
    upstreams             = ["entra_id", "github", "yata"]
    rally_client_id       = ""
    settings              = { GITHUB_CLIENT_ID = "Iv1.0", READ_ONLY = "true" }
    rally_api_key_secrets = ["rally-key-pipeline"]
  }

  assert {
    condition = toset(keys(google_secret_manager_secret_iam_member.reader)) == toset([
      "entra-client-secret/mcp_endpoint", "entra-client-secret/oauth_callback",
      "github-client-secret/mcp_endpoint", "github-client-secret/oauth_callback",
      "yata-client-secret/mcp_endpoint", "rally-key-pipeline/mcp_endpoint",
    ])
    error_message = "YATA has no callback, and only mcp_endpoint works with machine clients' keys."
  }
  assert {
    condition = alltrue([for function in google_cloudfunctions2_function.this : (
      function.service_config[0].environment_variables.UPSTREAMS == "entra_id,github,yata" &&
      function.service_config[0].environment_variables.READ_ONLY == "true" &&
      !contains(keys(function.service_config[0].environment_variables), "RALLY_CLIENT_ID")
    )])
    error_message = "Settings go to all three; Rally's only where Rally is an upstream."
  }
}

run "an_organisation_may_forbid_public_functions" {
  command = plan

  variables {
    public_invoker = false
  }

  assert {
    condition     = length(google_cloud_run_service_iam_member.public) == 0
    error_message = "allUsers is nowhere."
  }
}

run "the_pipeline_changes_no_permission" {
  command = plan

  variables {
    pipeline = true
  }

  assert {
    condition     = !anytrue([for permission in google_project_iam_custom_role.pipeline[0].permissions : can(regex("setIamPolicy|^iam\\..*(create|update|delete|Key)|datastore.entities|versions.access", permission))])
    error_message = "Who releases code gives nobody rights and reads no record or secret."
  }
  assert {
    condition     = toset(keys(google_service_account_iam_member.pipeline)) == toset(["mcp_endpoint", "auth_redirect", "oauth_callback", "build"])
    error_message = "It acts as the functions and their builder, and as nobody else."
  }
  assert {
    condition = { for key, grant in google_storage_bucket_iam_member.pipeline : key => grant.bucket } == {
      source = "acme-rally-mcp-rally-mcp-source", state = "acme-rally-mcp-rally-mcp-state"
    }
    error_message = "It writes to the buckets of sources and of state alone."
  }
}
