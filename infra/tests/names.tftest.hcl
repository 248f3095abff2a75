# What the three functions are called, where they answer and what they are told, in both layouts.

mock_provider "google" {}

variables {
  project_id      = "acme-rally-mcp"
  project_number  = "123456789012"
  rally_client_id = "rally-client"
  source_archive  = "versions.tf" # any file will do: only its hash counts here
}

run "each_function_has_its_own_address" {
  command = plan

  assert {
    condition     = output.mcp_url == "https://mcp-endpoint-123456789012.us-central1.run.app/mcp"
    error_message = "MCP_URL is made of name, project number and region."
  }
  assert {
    condition     = output.auth_url == "https://auth-redirect-123456789012.us-central1.run.app"
    error_message = "AUTH_URL is an origin: no path, no trailing slash."
  }
  assert {
    condition     = output.redirect_uri == "https://oauth-callback-123456789012.us-central1.run.app/callback"
    error_message = "The redirect URI is known before the first apply."
  }
  assert {
    condition     = length("${output.auth_url}/auth?state=${join("", [for _ in range(24) : "s"])}") < 100
    error_message = "A sign-in link has to survive a chat window."
  }
  assert {
    condition     = toset(keys(google_cloudfunctions2_function.this)) == toset(["mcp_endpoint", "auth_redirect", "oauth_callback"])
    error_message = "There are three functions."
  }
  assert {
    condition = alltrue([for key, function in google_cloudfunctions2_function.this : (
      function.name == replace(key, "_", "-") &&
      function.build_config[0].entry_point == key &&
      function.build_config[0].environment_variables.GOOGLE_FUNCTION_SOURCE == "${key}.py"
    )])
    error_message = "Key, entry point, entry file and cloud name are one name."
  }
  assert {
    condition = alltrue([for function in google_cloudfunctions2_function.this : (
      function.service_config[0].max_instance_request_concurrency == 80 &&
      function.service_config[0].available_cpu == "1" &&
      function.service_config[0].timeout_seconds == 120 &&
      function.service_config[0].min_instance_count == 0 &&
      function.service_config[0].max_instance_count == 10 &&
      function.service_config[0].ingress_settings == "ALLOW_ALL"
    )])
    error_message = "Scaling is as documented."
  }
  assert {
    condition = alltrue([for function in google_cloudfunctions2_function.this : (
      function.service_config[0].environment_variables.MCP_URL == output.mcp_url &&
      function.service_config[0].environment_variables.AUTH_URL == output.auth_url &&
      function.service_config[0].environment_variables.CALLBACK_URL == output.redirect_uri &&
      function.service_config[0].environment_variables.STORAGE == "firestore" &&
      function.service_config[0].environment_variables.FIRESTORE_DATABASE == "rally-mcp" &&
      function.service_config[0].environment_variables.GOOGLE_CLOUD_PROJECT == "acme-rally-mcp" &&
      function.service_config[0].environment_variables.RALLY_CLIENT_ID == "rally-client" &&
      function.service_config[0].environment_variables.UPSTREAMS == "rally" &&
      function.service_config[0].environment_variables.TRUSTED_PROXY_HOPS == "1"
    )])
    error_message = "Each function is told where all three answer and where state lives."
  }
  assert {
    condition     = google_storage_bucket_object.source.name == "functions-${filesha256("versions.tf")}.zip"
    error_message = "The source object is named by the hash of the zip."
  }
  assert {
    condition     = length(google_compute_url_map.this) == 0
    error_message = "There is no load balancer without a domain."
  }
}

run "one_domain_in_front_of_all_three" {
  command = plan

  variables {
    domain = "rally-mcp.example.com"
  }

  assert {
    condition = (
      output.mcp_url == "https://rally-mcp.example.com/mcp" &&
      output.auth_url == "https://rally-mcp.example.com" &&
      output.redirect_uri == "https://rally-mcp.example.com/callback"
    )
    error_message = "All three answer under the domain."
  }
  assert {
    condition = alltrue([for function in google_cloudfunctions2_function.this : (
      function.service_config[0].ingress_settings == "ALLOW_INTERNAL_AND_GCLB" &&
      function.service_config[0].environment_variables.TRUSTED_PROXY_HOPS == "2"
    )])
    error_message = "Only the load balancer reaches the functions, and it is one proxy more."
  }
  assert {
    condition     = length(google_compute_url_map.this[0].path_matcher[0].path_rule) == 3
    error_message = "Each function has its paths."
  }
  assert {
    condition = [for rule in google_compute_security_policy.throttle[0].rule :
      rule.rate_limit_options[0].rate_limit_threshold[0].count if rule.action == "throttle"
    ] == [3000]
    error_message = "One address cannot ask without end."
  }
  assert {
    condition     = google_compute_global_forwarding_rule.https[0].port_range == "443"
    error_message = "Nothing answers in the clear."
  }
}

run "a_second_deployment_in_one_project_shares_no_name" {
  command = plan

  variables {
    name_prefix   = "dev-"
    min_instances = { mcp_endpoint = 1 }
    region        = "europe-west1"
  }

  assert {
    condition     = output.auth_url == "https://dev-auth-redirect-123456789012.europe-west1.run.app"
    error_message = "The prefix begins the functions' names."
  }
  assert {
    condition = (
      google_firestore_database.this.name == "dev-rally-mcp" &&
      google_firestore_database.this.location_id == "europe-west1" &&
      google_storage_bucket.source.name == "acme-rally-mcp-dev-rally-mcp-source" &&
      google_secret_manager_secret.this["dev-rally-client-secret"].secret_id == "dev-rally-client-secret" &&
      google_project_iam_custom_role.store["mcp_endpoint"].role_id == "dev_rally_mcp_mcp_endpoint"
    )
    error_message = "The prefix begins every other name."
  }
  assert {
    condition = (
      google_cloudfunctions2_function.this["mcp_endpoint"].service_config[0].min_instance_count == 1 &&
      google_cloudfunctions2_function.this["auth_redirect"].service_config[0].min_instance_count == 0
    )
    error_message = "Instances are kept warm where they are asked for."
  }
}

run "functions_that_call_rally_leave_through_the_static_address" {
  command = plan

  variables {
    egress_subnetwork = "projects/acme-rally-mcp/regions/us-central1/subnetworks/rally-mcp-egress"
  }

  assert {
    condition = (
      google_cloudfunctions2_function.this["mcp_endpoint"].service_config[0].direct_vpc_egress == "VPC_EGRESS_ALL_TRAFFIC" &&
      google_cloudfunctions2_function.this["oauth_callback"].service_config[0].direct_vpc_network_interface[0].subnetwork == var.egress_subnetwork &&
      length(google_cloudfunctions2_function.this["auth_redirect"].service_config[0].direct_vpc_network_interface) == 0
    )
    error_message = "auth_redirect calls no upstream and needs no address."
  }
}

run "clients_get_the_address_and_no_session_id" {
  command = plan

  assert {
    condition = alltrue([for client, text in output.mcp_json : (
      strcontains(text, output.mcp_url) && !strcontains(lower(text), "session-id")
    )])
    error_message = "A team's output must not share one person's Rally."
  }
}
