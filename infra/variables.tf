# Alphabetical, those without a default first.

variable "project_id" {
  description = "Project that everything is made in."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be a project's id, such as acme-rally-mcp: 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "project_number" {
  description = "Its number, as `gcloud projects describe PROJECT --format='value(projectNumber)'` tells; the functions' addresses are made of it."
  type        = string
  validation {
    condition     = can(regex("^[1-9][0-9]{0,18}$", var.project_number))
    error_message = "project_number must be the project's number, not its id: gcloud projects describe PROJECT --format='value(projectNumber)'."
  }
}

variable "rally_client_id" {
  description = "Client id of the OAuth client registered at Rally; empty where upstreams leaves Rally out."
  type        = string
  validation {
    condition     = var.rally_client_id != "" || !contains(var.upstreams, "rally")
    error_message = "rally_client_id is empty: register an OAuth client at Rally (docs/operations.md), or leave rally out of upstreams."
  }
  validation {
    condition     = can(regex("^[!-~]*$", var.rally_client_id))
    error_message = "rally_client_id must be one word, as Rally shows it."
  }
}

variable "alert_emails" {
  description = "Who is written to when an alert fires; nobody when empty, and alerts show in Cloud Monitoring alone."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alert_emails must be e-mail addresses, such as [\"platform@example.com\"]."
  }
}

variable "alert_thresholds" {
  description = "Other thresholds than those in alerts/, by the file's name, such as { latency = 15000 }: that of its first condition."
  type        = map(number)
  default     = {}
  validation {
    condition     = length(setsubtract(keys(var.alert_thresholds), keys(local.alert_policies))) == 0
    error_message = "alert_thresholds knows ${join(", ", keys(local.alert_policies))}."
  }
}

variable "backup_days" {
  description = "Days that daily backups of the database are kept, 98 at most; 0 makes none. Its tokens are sealed in backups too."
  type        = number
  default     = 7
  validation {
    condition     = var.backup_days >= 0 && var.backup_days <= 98 && floor(var.backup_days) == var.backup_days
    error_message = "backup_days must be a whole number from 0 to 98."
  }
}

variable "database" {
  description = "Name of the Firestore database, to move to a restored one (docs/operations.md). Null: rally-mcp after the prefix."
  type        = string
  default     = null
  validation {
    condition     = var.database == null || can(regex("^[a-z][a-z0-9-]{2,61}[a-z0-9]$", var.database))
    error_message = "database must be 4 to 63 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "deletion_protection" {
  description = "Whether the database and the secrets refuse to be deleted, by terraform destroy too."
  type        = bool
  default     = true
}

variable "domain" {
  description = "One domain for all three functions, behind a load balancer with a certificate and throttling; null gives each its own run.app address and no load balancer."
  type        = string
  default     = null
  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.domain))
    error_message = "domain must be a host name in lower case without scheme or path, such as rally-mcp.example.com."
  }
}

variable "egress_subnetwork" {
  description = "Subnetwork (projects/PROJECT/regions/REGION/subnetworks/NAME) through whose NAT the functions call out, for a static address on Rally's IP allow-list; infra/egress makes one. Null: Google's own addresses."
  type        = string
  default     = null
  validation {
    condition     = var.egress_subnetwork == null || can(regex("^projects/[^/]+/regions/${var.region}/subnetworks/[^/]+$", var.egress_subnetwork))
    error_message = "egress_subnetwork must be a subnetwork in the functions' region: projects/PROJECT/regions/REGION/subnetworks/NAME."
  }
}

variable "firestore_location" {
  description = "Where records are kept: a region, or nam5 or eur3. It cannot be changed later. Null: the functions' region."
  type        = string
  default     = null
  validation {
    condition     = var.firestore_location == null || can(regex("^([a-z]+-[a-z]+[0-9]{1,2}|nam5|nam7|eur3)$", var.firestore_location))
    error_message = "firestore_location must be a region, such as europe-west1, or nam5, nam7 or eur3."
  }
}

variable "labels" {
  description = "Labels on everything that takes some, beside app = \"rally-mcp\"."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for name, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", name)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "labels must be of lower-case letters, digits, hyphens and underscores, such as { team = \"platform\" }."
  }
}

variable "max_instances" {
  description = "Most instances of each function: the bound on cost. Each serves 80 requests at a time."
  type        = number
  default     = 10
  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 1000 && floor(var.max_instances) == var.max_instances
    error_message = "max_instances must be a whole number from 1 to 1000."
  }
}

variable "min_instances" {
  description = "Instances kept warm, per function, such as { mcp_endpoint = 1 }. Each costs money all the time."
  type        = map(number)
  default     = {}
  validation {
    condition     = alltrue([for key in keys(var.min_instances) : contains(["mcp_endpoint", "auth_redirect", "oauth_callback"], key)])
    error_message = "min_instances knows mcp_endpoint, auth_redirect and oauth_callback."
  }
  validation {
    condition     = alltrue([for count in values(var.min_instances) : count >= 0 && count <= var.max_instances && floor(count) == count])
    error_message = "min_instances must be whole numbers from 0 to max_instances."
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

variable "pipeline" {
  description = "Whether to make a service account for cloudbuild.yaml, which may release code and change nothing about permissions."
  type        = bool
  default     = false
}

variable "public_invoker" {
  description = "Whether allUsers may call the functions. False where an organisation policy forbids it: docs/operations.md says what to do instead."
  type        = bool
  default     = true
}

variable "rally_api_key_secrets" {
  description = "Names of secrets with machine clients' Rally API keys, made here for mcp_endpoint to read."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for name in var.rally_api_key_secrets : can(regex("^[A-Za-z0-9_-]{1,200}$", name))])
    error_message = "rally_api_key_secrets must be names of letters, digits, hyphens and underscores, such as [\"rally-key-pipeline\"]."
  }
  validation {
    condition     = length(setintersection(var.rally_api_key_secrets, [for secret in local.client_secrets : secret.name])) == 0
    error_message = "rally_api_key_secrets must not name a client secret: those have readers of their own."
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

variable "secret_locations" {
  description = "Regions that secrets are kept in, where a policy forbids other places. Empty: wherever Google likes. It cannot be changed later."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for location in var.secret_locations : can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", location))])
    error_message = "secret_locations must be regions, such as [\"europe-west1\"]."
  }
}

variable "settings" {
  description = "Further settings of all three functions, by the names in docs/settings.md, such as { READ_ONLY = \"true\", GITHUB_CLIENT_ID = \"Iv1.0\" }."
  type        = map(string)
  default     = {}
  validation {
    condition     = length(setsubtract(keys(var.settings), local.known_settings)) == 0
    error_message = "settings knows only these: ${join(", ", local.known_settings)}. Addresses, storage, upstreams and client secrets follow from other variables."
  }
}

variable "source_archive" {
  description = "The zip that `make archive` builds, seen from this folder."
  type        = string
  default     = "../build/functions.zip"
}

variable "throttle_per_minute" {
  description = "Requests per minute that the load balancer takes from one address before it answers 429. An office is often one address."
  type        = number
  default     = 3000
  validation {
    condition     = var.throttle_per_minute >= 60 && var.throttle_per_minute <= 1000000
    error_message = "throttle_per_minute must be from 60 to 1000000."
  }
}

variable "upstreams" {
  description = "The systems behind this deployment. People's MCP clients sign in through the first that people have accounts at."
  type        = list(string)
  default     = ["rally"]
  validation {
    condition     = length(var.upstreams) > 0 && length(setsubtract(var.upstreams, keys(local.client_secrets))) == 0
    error_message = "upstreams must name one or more of ${join(", ", keys(local.client_secrets))}."
  }
  validation {
    condition     = length(distinct(var.upstreams)) == length(var.upstreams)
    error_message = "upstreams must name each one once."
  }
}
