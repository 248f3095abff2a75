# Who cloudbuild.yaml runs as. It releases code and keeps alerts in order; it can see who may do what,
# and change none of it. An apply that would is refused by Google, and an administrator makes it.
# What it releases runs as the functions, though: who controls it reaches what they reach.

locals {
  pipeline = var.pipeline ? 1 : 0

  # What terraform asks for to compare what is there with what is written here.
  refresh_permissions = [
    "artifactregistry.repositories.get",
    "artifactregistry.repositories.getIamPolicy",
    "compute.backendServices.get",
    "compute.globalAddresses.get",
    "compute.globalForwardingRules.get",
    "compute.regionNetworkEndpointGroups.get",
    "compute.securityPolicies.get",
    "compute.sslCertificates.get",
    "compute.sslPolicies.get",
    "compute.targetHttpsProxies.get",
    "compute.urlMaps.get",
    "datastore.backupSchedules.get",
    "datastore.databases.get",
    "datastore.databases.getMetadata",
    "datastore.indexes.get",
    "iam.roles.get",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "logging.exclusions.get",
    "monitoring.notificationChannels.get",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "run.services.getIamPolicy",
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "serviceusage.services.get",
    "serviceusage.services.list",
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
  ]

  release_permissions = [
    "cloudfunctions.functions.get",
    "cloudfunctions.functions.sourceCodeSet",
    "cloudfunctions.functions.update",
    "cloudfunctions.operations.get",
    "logging.logMetrics.create",
    "logging.logMetrics.delete",
    "logging.logMetrics.get",
    "logging.logMetrics.update",
    "monitoring.alertPolicies.create",
    "monitoring.alertPolicies.delete",
    "monitoring.alertPolicies.get",
    "monitoring.alertPolicies.update",
    "monitoring.uptimeCheckConfigs.create",
    "monitoring.uptimeCheckConfigs.delete",
    "monitoring.uptimeCheckConfigs.get",
    "monitoring.uptimeCheckConfigs.update",
  ]
}

resource "google_service_account" "pipeline" {
  count = local.pipeline

  account_id   = "${var.name_prefix}pipeline"
  display_name = "Rally MCP: checks and releases (cloudbuild.yaml)"

  depends_on = [google_project_service.this]
}

resource "google_project_iam_custom_role" "pipeline" {
  count = local.pipeline

  role_id     = "${local.role_prefix}_pipeline"
  title       = "Rally MCP pipeline"
  description = "Releases code; sees permissions and changes none."
  permissions = concat(local.refresh_permissions, local.release_permissions)

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "pipeline" {
  for_each = var.pipeline ? {
    releases = google_project_iam_custom_role.pipeline[0].id
    logs     = "roles/logging.logWriter"
  } : {}

  project = var.project_id
  role    = each.value
  member  = google_service_account.pipeline[0].member
}

# A release says whom the functions run as and are built by, which takes the right to act as them.
resource "google_service_account_iam_member" "pipeline" {
  for_each = var.pipeline ? merge(google_service_account.function, { build = google_service_account.build }) : {}

  service_account_id = each.value.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.pipeline[0].member
}

resource "google_storage_bucket_iam_member" "pipeline" {
  for_each = var.pipeline ? {
    source = google_storage_bucket.source.name
    state  = "${var.project_id}-rally-mcp-state"
  } : {}

  bucket = each.value
  role   = "roles/storage.objectAdmin"
  member = google_service_account.pipeline[0].member
}
