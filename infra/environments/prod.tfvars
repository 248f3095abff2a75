# People wait for the first answer of the day here: one instance stays warm.
min_instances = { mcp_endpoint = 1 }
pipeline      = true

# rally_client_id = "the client id of the OAuth client at Rally"
# alert_emails    = ["platform@example.com"]
# domain          = "rally-mcp.example.com"
# settings        = { RALLY_SUBSCRIPTIONS = "Acme Corporation" }
