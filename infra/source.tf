# One zip for all three functions. Its name has its hash, so that a change deploys, and no change does
# not; earlier ones stay for a way back.

locals {
  source_bucket = "${var.project_id}-${local.deployment}-source"
  source_hash   = fileexists(var.source_archive) ? filesha256(var.source_archive) : "not-built"
}

resource "google_storage_bucket" "source" {
  #checkov:skip=CKV_GCP_62:holds the published source code; Cloud Audit Logs record who changes it
  name                        = local.source_bucket
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 3
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      matches_prefix = ["builds/"] # what Cloud Build keeps of each build
      age            = 365
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_storage_bucket_object" "source" {
  bucket = google_storage_bucket.source.name
  name   = "functions-${local.source_hash}.zip"
  source = var.source_archive
  # The object of the last release is what a rollback deploys.
  deletion_policy = "ABANDON"

  lifecycle {
    precondition {
      # Asked once the bucket is known, so that a plan can be made before anything was built.
      condition     = google_storage_bucket.source.id == "" ? false : fileexists(var.source_archive)
      error_message = "${var.source_archive} does not exist. Run: make archive"
    }
  }
}

resource "google_artifact_registry_repository" "images" {
  #checkov:skip=CKV_GCP_84:images of published source code; Google's own key encrypts them
  repository_id = local.deployment
  location      = var.region
  format        = "DOCKER"
  description   = "Images that Cloud Functions builds."

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "30d"
    }
  }

  depends_on = [google_project_service.this]
}
