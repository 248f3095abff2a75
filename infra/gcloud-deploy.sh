#!/usr/bin/env bash
# Deploys Rally MCP with gcloud alone, to the same result as the Terraform files beside this one.
#
# Run it as often as you like: it looks before it changes anything, mends what has drifted, and goes
# on where an earlier run was interrupted. The load balancer with a domain of your own and the static
# egress address are Terraform's alone.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=infra/gcloud/arguments.sh
source "$here/gcloud/arguments.sh"
# shellcheck source=infra/gcloud/settings.sh
source "$here/gcloud/settings.sh"
# shellcheck source=infra/gcloud/calls.sh
source "$here/gcloud/calls.sh"
# shellcheck source=infra/gcloud/project.sh
source "$here/gcloud/project.sh"
# shellcheck source=infra/gcloud/firestore.sh
source "$here/gcloud/firestore.sh"
# shellcheck source=infra/gcloud/secrets.sh
source "$here/gcloud/secrets.sh"
# shellcheck source=infra/gcloud/source.sh
source "$here/gcloud/source.sh"
# shellcheck source=infra/gcloud/functions.sh
source "$here/gcloud/functions.sh"
# shellcheck source=infra/gcloud/monitoring.sh
source "$here/gcloud/monitoring.sh"

what_remains() {
    local secret
    cat <<TEXT

mcp_url       $mcp_url
auth_url      $auth_url
redirect_uri  $callback_url
              Register it, to the letter, at Rally and at every other upstream.

Give each client secret its value, from a file or by typing it and pressing Ctrl-D:
TEXT
    for secret in "${secrets[@]}"; do
        echo "  gcloud secrets versions add $secret --project=$project --data-file=-"
    done
    [[ $public_invoker == true ]] || without_public_invoker
    cat <<TEXT

mcp.json of VS Code (each person signs in alone; put no Session-ID into a file that is shared):
  {"servers": {"rally": {"type": "http", "url": "$mcp_url"}}}

Then see whether all is well:
  .venv/bin/rally-mcp doctor $mcp_url --project $project --database $database
TEXT
}

without_public_invoker() {
    local key
    cat <<TEXT

The public has no right to call the functions (--no-public-invoker). Where an organisation policy forbids
allUsers, turn Cloud Run's own check off; the functions check their callers themselves:
TEXT
    for key in $functions; do
        echo "  gcloud run services update $(name_of "$key") --project=$project --region=$region --no-invoker-iam-check"
    done
}

read_arguments "$@"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

read_source
enable_services
ask_project_number
look_at_functions
make_service_accounts
make_database
make_secrets
make_roles
bind_project_roles
make_image_repository
make_bucket
make_metrics
deploy_functions
withdraw_secrets
set_public_access
watch
expire_records
what_remains
