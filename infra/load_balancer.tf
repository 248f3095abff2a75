# Only with var.domain: one address and certificate for all three functions, told apart by path.

locals {
  load_balancer = var.domain == null ? {} : local.functions
  on_domain     = var.domain == null ? 0 : 1
}

resource "google_compute_region_network_endpoint_group" "function" {
  for_each = local.load_balancer

  name                  = local.names[each.key]
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = google_cloudfunctions2_function.this[each.key].name
  }
}

resource "google_compute_backend_service" "function" {
  for_each = local.load_balancer

  name                  = local.names[each.key]
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.throttle[0].id

  backend {
    group = google_compute_region_network_endpoint_group.function[each.key].id
  }

  log_config {
    enable      = true # Cloud Armor tells here whom it refused
    sample_rate = 1
  }
}

resource "google_compute_url_map" "this" {
  count = local.on_domain

  name            = local.deployment
  default_service = google_compute_backend_service.function["mcp_endpoint"].id

  host_rule {
    hosts        = [var.domain]
    path_matcher = "functions"
  }

  path_matcher {
    name            = "functions"
    default_service = google_compute_backend_service.function["mcp_endpoint"].id

    dynamic "path_rule" {
      for_each = local.load_balancer
      content {
        paths   = path_rule.value.paths
        service = google_compute_backend_service.function[path_rule.key].id
      }
    }
  }
}

resource "google_compute_security_policy" "throttle" {
  count = local.on_domain

  #checkov:skip=CKV_GCP_73:that rule is against Log4j, and nothing here runs Java
  name        = local.deployment
  description = "Bounds what one address may ask; the functions bound what one caller may."

  rule {
    description = "${var.throttle_per_minute} requests per minute and address"
    action      = "throttle"
    priority    = 1000
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"
      rate_limit_threshold {
        count        = var.throttle_per_minute
        interval_sec = 60
      }
    }
  }

  rule {
    description = "default"
    action      = "allow"
    priority    = 2147483647
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_compute_ssl_policy" "this" {
  count = local.on_domain

  name            = local.deployment
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"

  depends_on = [google_project_service.this]
}

resource "google_compute_managed_ssl_certificate" "this" {
  count = local.on_domain

  # Another domain is another certificate, which has to stand before the old one goes.
  name = "${local.deployment}-${substr(sha256(var.domain), 0, 8)}"
  managed {
    domains = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_project_service.this]
}

resource "google_compute_global_address" "this" {
  count = local.on_domain

  name = local.deployment

  depends_on = [google_project_service.this]
}

resource "google_compute_target_https_proxy" "this" {
  count = local.on_domain

  name             = local.deployment
  url_map          = google_compute_url_map.this[0].id
  ssl_certificates = [google_compute_managed_ssl_certificate.this[0].id]
  ssl_policy       = google_compute_ssl_policy.this[0].id
}

# Port 443 alone: a redirect from 80 would let a client send its credential in the clear first.
resource "google_compute_global_forwarding_rule" "https" {
  count = local.on_domain

  name                  = local.deployment
  load_balancing_scheme = "EXTERNAL_MANAGED"
  target                = google_compute_target_https_proxy.this[0].id
  ip_address            = google_compute_global_address.this[0].id
  port_range            = "443"
}
