# As in ../variables.tf; give both roots the same values.

variable "project_id" {
  description = "Project that everything is made in."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be a project's id, such as acme-rally-mcp: 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "name_prefix" {
  description = "Begins every name, so that a second deployment fits into the project, such as dev-."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([a-z][a-z0-9-]{0,10}-)?$", var.name_prefix))
    error_message = "name_prefix must be empty or end in a hyphen: up to 12 lower-case letters, digits and hyphens, such as dev-."
  }
}

variable "region" {
  description = "Region of the functions."
  type        = string
  default     = "us-central1"
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region must be a region, such as europe-west1, not a zone."
  }
}
