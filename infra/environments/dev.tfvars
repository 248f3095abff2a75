# To try things in: may share a project with another deployment, and writes to nobody.
name_prefix   = "dev-"
max_instances = 3

# rally_client_id = "the client id of an OAuth client for this deployment"
