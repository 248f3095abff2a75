#!/usr/bin/env bash
# Checks infra/: checkov, format, validity, plans of both layouts and of each environment, and
# `terraform test`. TERRAFORM_CHECK names a stand-in for Google's provider that needs no network; one
# beside the project is used too, and without any the real provider is fetched.
# Where Terraform or its provider cannot be had it fails, or with TERRAFORM_OPTIONAL says so and does not.
set -euo pipefail
cd "$(dirname "$0")"

PATH="$PATH:$PWD/../.tools"
stand_in=${TERRAFORM_CHECK:-../../shared/terraform/check}
needed=(-var project_id=acme-rally-mcp -var project_number=123456789012 -var rally_client_id=rally-client)

check_with_stand_in() {
    bash "$stand_in" . "${needed[@]}"
    bash "$stand_in" . "${needed[@]}" -var domain=rally-mcp.example.com -var pipeline=true \
        | grep '^Plan:'
    for environment in environments/*.tfvars; do
        bash "$stand_in" . "${needed[@]}" -var-file="$environment" | grep '^Plan:'
    done
}

# Plans are made by the tests alone there: a plan of its own would need a project's credentials.
check_with_provider() (
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    cp -R . "$copy"
    cd "$copy"
    rm -rf backend.tf .terraform egress/backend.tf egress/.terraform
    terraform fmt -check -recursive -diff
    terraform init -backend=false -input=false >/dev/null || absent "Google's provider cannot be fetched"
    terraform validate -no-color
    terraform test -no-color
    terraform -chdir=egress init -backend=false -input=false >/dev/null
    terraform -chdir=egress validate -no-color
)

absent() {
    echo "Not checked: what Terraform says of infra/, because $1" >&2
    [[ -n ${TERRAFORM_OPTIONAL:-} ]] && exit 0
    exit 2
}

# It pins dozens of packages, so it has an environment of its own.
${UV:-uv} tool run --quiet --from 'checkov==3.3.30' checkov --directory . --framework terraform \
    --quiet --compact --skip-download --download-external-modules false

command -v terraform >/dev/null || absent 'terraform is not on the PATH; install 1.11 or newer'
if [[ -f $stand_in ]]; then check_with_stand_in; else check_with_provider; fi
