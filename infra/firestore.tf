locals {
  database    = coalesce(var.database, local.deployment)
  collections = ["oauth_states", "principals", "oauth_clients", "replay_marks", "attempts"]
}

resource "google_firestore_database" "this" {
  name                    = local.database
  location_id             = coalesce(var.firestore_location, var.region)
  type                    = "FIRESTORE_NATIVE"
  delete_protection_state = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy         = var.deletion_protection ? "ABANDON" : "DELETE"

  depends_on = [google_project_service.this]
}

resource "google_firestore_backup_schedule" "daily" {
  count = var.backup_days == 0 ? 0 : 1

  database  = google_firestore_database.this.name
  retention = "${var.backup_days * 86400}s"

  daily_recurrence {}
}

# Only tidies up: the functions themselves use no expired record, and Firestore deletes a day late.
resource "google_firestore_field" "expire_at" {
  for_each = toset(local.collections)

  database   = google_firestore_database.this.name
  collection = each.key
  field      = "expire_at"

  ttl_config {}
  # No index: nobody asks for records by their time, and times that only grow make one slow.
  index_config {}
}
