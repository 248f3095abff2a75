resource "google_cloudfunctions2_function" "this" {
  for_each = local.functions

  #checkov:skip=CKV_GCP_124:browsers and MCP clients call it from anywhere; with a domain only the load balancer does
  name        = local.names[each.key]
  location    = var.region
  description = each.value.description

  build_config {
    runtime           = "python313"
    entry_point       = each.key
    service_account   = google_service_account.build.id
    docker_repository = google_artifact_registry_repository.images.id
    environment_variables = {
      GOOGLE_FUNCTION_SOURCE = "${each.key}.py"
    }
    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.function[each.key].email
    environment_variables            = merge(local.environment, local.secret_references[each.key])
    available_cpu                    = "1" # the least that serves more than one request at a time
    available_memory                 = each.value.memory
    max_instance_request_concurrency = 80
    min_instance_count               = lookup(var.min_instances, each.key, 0)
    max_instance_count               = var.max_instances
    timeout_seconds                  = 120
    all_traffic_on_latest_revision   = true
    ingress_settings                 = var.domain == null ? "ALLOW_ALL" : "ALLOW_INTERNAL_AND_GCLB"
    direct_vpc_egress                = local.has_egress[each.key] ? "VPC_EGRESS_ALL_TRAFFIC" : null

    dynamic "direct_vpc_network_interface" {
      for_each = local.has_egress[each.key] ? [var.egress_subnetwork] : []
      content {
        subnetwork = direct_vpc_network_interface.value
      }
    }
  }

  # Its first request may come at once. New TTL policies take minutes, after which the grants beside
  # them are known everywhere: so the first apply does not fail for want of one.
  depends_on = [
    google_firestore_field.expire_at,
    google_artifact_registry_repository_iam_member.build_images,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_source,
    google_project_iam_member.store,
    google_secret_manager_secret_iam_member.reader,
  ]
}

locals {
  # Only those that call Rally need an address that Rally knows.
  has_egress = { for key, function in local.functions : key => var.egress_subnetwork != null && function.calls_out }
}
