# Each wrong value is refused by its own variable.

mock_provider "google" {}

variables {
  project_id      = "acme-rally-mcp"
  project_number  = "123456789012"
  rally_client_id = "rally-client"
  source_archive  = "versions.tf"
}

run "a_project_number_is_no_id" {
  command = plan
  variables {
    project_number = "acme-rally-mcp"
  }
  expect_failures = [var.project_number]
}

run "a_project_id_is_no_name" {
  command = plan
  variables {
    project_id = "Acme Rally"
  }
  expect_failures = [var.project_id]
}

run "rally_needs_a_client_id" {
  command = plan
  variables {
    rally_client_id = ""
  }
  expect_failures = [var.rally_client_id]
}

run "a_domain_has_no_scheme" {
  command = plan
  variables {
    domain = "https://rally-mcp.example.com"
  }
  expect_failures = [var.domain]
}

run "a_zone_is_no_region" {
  command = plan
  variables {
    region = "us-central1-a"
  }
  expect_failures = [var.region]
}

run "a_prefix_ends_in_a_hyphen" {
  command = plan
  variables {
    name_prefix = "dev"
  }
  expect_failures = [var.name_prefix]
}

run "an_unknown_upstream" {
  command = plan
  variables {
    upstreams = ["rally", "jira"]
  }
  expect_failures = [var.upstreams]
}

run "a_setting_that_nothing_reads" {
  command = plan
  variables {
    settings = { READONLY = "true" }
  }
  expect_failures = [var.settings]
}

run "a_client_secret_is_no_setting" {
  command = plan
  variables {
    settings = { RALLY_CLIENT_SECRET = "hunter2" }
  }
  expect_failures = [var.settings]
}

run "more_warm_instances_than_there_may_be" {
  command = plan
  variables {
    min_instances = { mcp_endpoint = 11 }
  }
  expect_failures = [var.min_instances]
}

run "a_function_that_is_none" {
  command = plan
  variables {
    min_instances = { mcp = 1 }
  }
  expect_failures = [var.min_instances]
}

run "a_subnetwork_of_another_region" {
  command = plan
  variables {
    egress_subnetwork = "projects/acme-rally-mcp/regions/europe-west1/subnetworks/egress"
  }
  expect_failures = [var.egress_subnetwork]
}

run "an_api_key_that_is_a_client_secret" {
  command = plan
  variables {
    rally_api_key_secrets = ["rally-client-secret"]
  }
  expect_failures = [var.rally_api_key_secrets]
}

run "an_upstream_twice" {
  command = plan
  variables {
    upstreams = ["rally", "rally"]
  }
  expect_failures = [var.upstreams]
}

run "a_label_that_google_refuses" {
  command = plan
  variables {
    labels = { "Cost Centre" = "x" }
  }
  expect_failures = [var.labels]
}

run "records_in_a_zone" {
  command = plan
  variables {
    firestore_location = "europe-west1-b"
  }
  expect_failures = [var.firestore_location]
}

run "secrets_in_a_zone" {
  command = plan
  variables {
    secret_locations = ["europe-west1-b"]
  }
  expect_failures = [var.secret_locations]
}

run "an_alert_to_no_address" {
  command = plan
  variables {
    alert_emails = ["platform team"]
  }
  expect_failures = [var.alert_emails]
}
