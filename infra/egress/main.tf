# One public address for the calls to Rally, for the IP allow-list there. A root with a state of its
# own: a network is often another team's, and outlives the functions.

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = { app = "rally-mcp" }
}

locals {
  name = "${var.name_prefix}rally-mcp-egress"
}

resource "google_project_service" "compute" {
  project            = var.project_id
  service            = "compute.googleapis.com"
  disable_on_destroy = false # others in the project may use it
}

# It has no firewall rule, so the two that every network has decide: all out, nothing in. Its default
# route stays, because both the NAT and private Google access go through it.
resource "google_compute_network" "this" {
  #checkov:skip=CKV2_GCP_18:a rule could only let something in, and nothing here listens
  name                    = local.name
  description             = "The way out of Rally MCP's functions."
  auto_create_subnetworks = false

  depends_on = [google_project_service.compute]
}

# Cloud Run takes addresses in blocks of 16 and about two per instance, and keeps them for a while
# after a new revision has replaced an old one: with two functions of ten instances 40, and 80 at a
# release. A /26 is the least that it accepts; 252 serve up to 30 instances of each function.
resource "google_compute_subnetwork" "this" {
  #checkov:skip=CKV_GCP_26:flow logs do not tell which function called; the NAT logs what fails
  name                     = local.name
  region                   = var.region
  network                  = google_compute_network.this.id
  ip_cidr_range            = "10.0.0.0/24"
  private_ip_google_access = true # Firestore and Secret Manager stay off the NAT, its ports and its price
}

resource "google_compute_address" "this" {
  name         = local.name
  description  = "On Rally's IP allow-list: whoever deletes it cuts Rally MCP off."
  region       = var.region
  address_type = "EXTERNAL"

  depends_on = [google_project_service.compute]
}

resource "google_compute_router" "this" {
  name    = local.name
  region  = var.region
  network = google_compute_network.this.id
}

resource "google_compute_router_nat" "this" {
  name   = local.name
  region = var.region
  router = google_compute_router.this.name

  # An address that Google adds under load would not be on the list.
  nat_ip_allocate_option = "MANUAL_ONLY"
  nat_ips                = [google_compute_address.this.self_link]

  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"
  subnetwork {
    name                    = google_compute_subnetwork.this.self_link
    source_ip_ranges_to_nat = ["PRIMARY_IP_RANGE"]
  }

  # All calls lead to one host, so each takes a port: an address has 64,512. 256 is what is left for
  # each of the subnetwork's 252 addresses; a busy instance may take more while others rest.
  enable_dynamic_port_allocation      = true
  enable_endpoint_independent_mapping = false # excludes the former
  min_ports_per_vm                    = 256
  max_ports_per_vm                    = 1024

  log_config {
    enable = true
    filter = "ERRORS_ONLY" # a call that found no port; the functions log the others themselves
  }
}
