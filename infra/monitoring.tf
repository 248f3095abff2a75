# What tells that something is wrong: log-based metrics, alert policies, uptime checks. The files in
# metrics/ and alerts/ have the form of the API; gcloud-deploy.sh reads the same ones.

locals {
  metric_prefix = replace(var.name_prefix, "-", "_")
  monitoring = { for file in fileset(path.module, "{alerts,metrics}/*.yaml") : file => yamldecode(replace(replace(
    file("${path.module}/${file}"),
    "{prefix}", var.name_prefix),
    "{metric_prefix}", local.metric_prefix)
  ) }
  alert_policies = { for file, policy in local.monitoring : trimsuffix(basename(file), ".yaml") => policy if dirname(file) == "alerts" }
  log_metrics    = { for file, metric in local.monitoring : trimsuffix(basename(file), ".yaml") => metric if dirname(file) == "metrics" }
  thresholds = { for name, policy in local.alert_policies :
    name => lookup(var.alert_thresholds, name, policy.conditions[0].conditionThreshold.thresholdValue)
  }

  # On one domain the three /health would collide.
  health_paths = { for key, path in { mcp_endpoint = "/mcp", auth_redirect = "/auth", oauth_callback = "/callback" } :
    key => var.domain == null ? "/health" : "${path}/health"
  }
  health_urls = { for key, origin in local.origins : key => "${origin}${local.health_paths[key]}" }

  # Requests whose addresses carry state, codes and tickets, as Cloud Run and the load balancer log them.
  service_names = join(" OR ", [for name in values(local.names) : "\"${name}\""])
  request_logs = join(" OR ", [
    "(resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(${local.service_names}))",
    "(resource.type=\"http_load_balancer\" AND resource.labels.url_map_name=\"${local.deployment}\")",
  ])
  sign_in_addresses = "(${local.request_logs}) AND httpRequest.requestUrl=~\"/(auth|authorize|authorize/complete|callback)[?]\""
}

resource "google_logging_metric" "this" {
  for_each = local.log_metrics

  name            = each.value.name
  description     = each.value.description
  filter          = each.value.filter
  value_extractor = try(each.value.valueExtractor, null)

  metric_descriptor {
    display_name = each.value.metricDescriptor.displayName
    metric_kind  = each.value.metricDescriptor.metricKind
    value_type   = each.value.metricDescriptor.valueType
    unit         = each.value.metricDescriptor.unit

    dynamic "labels" {
      for_each = try(each.value.metricDescriptor.labels, [])
      content {
        key         = labels.value.key
        value_type  = labels.value.valueType
        description = labels.value.description
      }
    }
  }
  label_extractors = try(each.value.labelExtractors, null)

  dynamic "bucket_options" {
    for_each = try([each.value.bucketOptions.exponentialBuckets], [])
    content {
      exponential_buckets {
        num_finite_buckets = bucket_options.value.numFiniteBuckets
        growth_factor      = bucket_options.value.growthFactor
        scale              = bucket_options.value.scale
      }
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alert_emails)

  display_name = "${local.deployment} ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alert_policies

  display_name          = each.value.displayName
  severity              = each.value.severity
  combiner              = each.value.combiner
  user_labels           = each.value.userLabels
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  dynamic "conditions" {
    for_each = each.value.conditions
    iterator = condition
    content {
      display_name = condition.value.displayName

      condition_threshold {
        filter                  = condition.value.conditionThreshold.filter
        denominator_filter      = try(condition.value.conditionThreshold.denominatorFilter, null)
        comparison              = condition.value.conditionThreshold.comparison
        threshold_value         = condition.key == 0 ? local.thresholds[each.key] : condition.value.conditionThreshold.thresholdValue
        duration                = condition.value.conditionThreshold.duration
        evaluation_missing_data = condition.value.conditionThreshold.evaluationMissingData

        dynamic "aggregations" {
          for_each = condition.value.conditionThreshold.aggregations
          content {
            alignment_period     = aggregations.value.alignmentPeriod
            per_series_aligner   = aggregations.value.perSeriesAligner
            cross_series_reducer = aggregations.value.crossSeriesReducer
            group_by_fields      = try(aggregations.value.groupByFields, null)
          }
        }
        dynamic "denominator_aggregations" {
          for_each = try(condition.value.conditionThreshold.denominatorAggregations, [])
          content {
            alignment_period     = denominator_aggregations.value.alignmentPeriod
            per_series_aligner   = denominator_aggregations.value.perSeriesAligner
            cross_series_reducer = denominator_aggregations.value.crossSeriesReducer
          }
        }
        trigger {
          count = condition.value.conditionThreshold.trigger.count
        }
      }
    }
  }

  alert_strategy {
    auto_close = each.value.alertStrategy.autoClose
  }

  documentation {
    content   = each.value.documentation.content
    mime_type = each.value.documentation.mimeType
    subject   = each.value.documentation.subject
  }

  # A metric is unknown to alert policies for a while after it was made, and one that names it is then
  # refused with a 404. Building the functions takes longer than that.
  depends_on = [google_logging_metric.this, google_cloudfunctions2_function.this]
}

# Its id begins with its display name, which alerts/unreachable.yaml relies on.
resource "google_monitoring_uptime_check_config" "health" {
  for_each = local.functions

  display_name = "${local.deployment}-${replace(each.key, "_", "-")}"
  period       = "300s"
  timeout      = "30s" # a cold start is no failure

  http_check {
    path           = local.health_paths[each.key]
    port           = 443
    use_ssl        = true
    validate_ssl   = true
    request_method = "GET"
    accepted_response_status_codes {
      status_value = 200
    }
  }

  content_matchers {
    matcher = "CONTAINS_STRING"
    content = "\"status\":\"ok\""
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project_id
      host       = trimprefix(local.origins[each.key], "https://")
    }
  }

  depends_on = [google_cloudfunctions2_function.this]
}

resource "google_logging_project_exclusion" "sign_in_addresses" {
  name        = "${local.deployment}-sign-in-addresses"
  description = "Requests whose addresses carry state, codes or tickets of a sign-in."
  filter      = local.sign_in_addresses

  depends_on = [google_project_service.this]
}
