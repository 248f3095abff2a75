output "address" {
  description = "For Rally's IP allow-list."
  value       = google_compute_address.this.address
}

# Put together, not asked for: a plan shows it already.
output "subnetwork" {
  description = "Value of egress_subnetwork in the environment's file of the functions."
  value       = "projects/${var.project_id}/regions/${var.region}/subnetworks/${google_compute_subnetwork.this.name}"
}
