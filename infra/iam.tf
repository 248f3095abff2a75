# One identity per function, each with what its code does and nothing else.

locals {
  # Held to the code by a test. Nobody can list: whoever takes a function over still has to know the
  # key of a record, which is the hash of a secret.
  firestore_permissions = {
    mcp_endpoint   = ["get", "create", "update", "delete"]
    auth_redirect  = ["get", "create", "update"]
    oauth_callback = ["get", "create", "update"]
  }
}

resource "google_service_account" "function" {
  for_each = local.functions

  account_id   = local.names[each.key]
  display_name = "Rally MCP: ${each.key}"
  description  = each.value.description

  depends_on = [google_project_service.this]
}

resource "google_project_iam_custom_role" "store" {
  for_each = local.firestore_permissions

  role_id     = "${local.role_prefix}_${each.key}"
  title       = "Rally MCP store: ${each.key}"
  description = "What ${each.key} does with single records of its database."
  permissions = [for verb in each.value : "datastore.entities.${verb}"]

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "store" {
  for_each = local.functions

  project = var.project_id
  role    = google_project_iam_custom_role.store[each.key].id
  member  = google_service_account.function[each.key].member

  # Another database's grant stands before this one goes: the functions change over in between.
  lifecycle {
    create_before_destroy = true
  }

  condition {
    title       = "${local.database}-database"
    description = "In the database of this deployment alone."
    expression  = "resource.name == \"projects/${var.project_id}/databases/${local.database}\""
  }
}

# Browsers and MCP clients call the functions; the product checks its own credential. The role goes on
# the Cloud Run service: a function itself does not take it.
resource "google_cloud_run_service_iam_member" "public" {
  for_each = var.public_invoker ? local.functions : {}

  #checkov:skip=CKV_GCP_102:an OAuth and MCP endpoint is public; what it serves needs a credential of its own
  service  = google_cloudfunctions2_function.this[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}

# Who builds the functions' images: Google's default has every permission in old projects and none in
# new ones.
resource "google_service_account" "build" {
  account_id   = "${var.name_prefix}function-build"
  display_name = "Rally MCP: builds the functions"

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "build_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

resource "google_project_iam_member" "build_source" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title       = "function-sources"
    description = "The buckets that Cloud Functions and Cloud Run copy sources to, and ours."
    expression = join(" || ", [
      "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${var.project_number}-\")",
      "resource.name.startsWith(\"projects/_/buckets/gcf-v2-uploads-${var.project_number}\")",
      "resource.name.startsWith(\"projects/_/buckets/run-sources-${var.project_id}-\")",
      "resource.name.startsWith(\"projects/_/buckets/${local.source_bucket}/\")",
    ])
  }
}

resource "google_artifact_registry_repository_iam_member" "build_images" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}
