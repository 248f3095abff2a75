# shellcheck shell=bash
# Project services, service accounts, roles, and who has them.

enable_services() {
    local enabled service missing=
    enabled=$(look services list --enabled --format='value(config.name)')
    for service in artifactregistry cloudbuild cloudfunctions cloudresourcemanager firestore iam logging \
        monitoring run secretmanager storage; do
        contains "$enabled" "$service.googleapis.com" || missing+=" $service.googleapis.com"
    done
    # shellcheck disable=SC2086  # a list of names
    [[ -z $missing ]] || change "enabling$missing" services enable $missing
}

# Addresses are made of it, so that they are known before anything exists.
ask_project_number() {
    local number
    number=$(look projects describe "$project" --format='value(projectNumber)')
    mcp_url=https://$(name_of mcp_endpoint)-$number.$region.run.app/mcp
    auth_url=https://$(name_of auth_redirect)-$number.$region.run.app
    callback_url=https://$(name_of oauth_callback)-$number.$region.run.app/callback
    project_number=$number
}

make_service_accounts() {
    local key existing
    existing=$(look iam service-accounts list --format='value(email)')
    for key in $functions; do
        make_service_account "$(name_of "$key")" "Rally MCP: $key" --description="$(description_of "$key")"
    done
    make_service_account "$builder" "Rally MCP: builds the functions"
}

# make_service_account ID TITLE [OPTION]
make_service_account() {
    contains "$existing" "$(address_of "$1")" ||
        change "making the service account $1" iam service-accounts create "$1" --display-name="$2" "${@:3}"
}

# main.tf says what each function is for, to Terraform and here.
description_of() {
    awk -v key="$1" '
    $1 == key && $3 == "{" { found = 1 }
    found && $1 == "description" { gsub(/^[^"]*"|"[^"]*$/, ""); print; exit }' "$here/main.tf"
}

# iam.tf says what each function may do, to Terraform and here: "get", "create" → datastore.entities.get,...
permissions_of() {
    local verbs
    verbs=$(sed -n "s/^ *$1 *= \[\(\"get\".*\)\]\$/\1/p" "$here/iam.tf" | tr -d '" ')
    [[ -n $verbs ]] || refuse "infra/iam.tf does not say what $1 may do in Firestore; check the files out again"
    echo "datastore.entities.${verbs//,/,datastore.entities.}"
}

make_roles() {
    local key existing
    existing=$(look iam roles list --show-deleted --format='csv[no-heading](name.basename(),deleted)')
    for key in $functions; do
        make_role "${role_prefix}_$key" "$key"
    done
}

make_role() {
    local id=$1 permissions actual
    permissions=$(permissions_of "$2")
    if ! contains "$(first_of "$existing")" "$id"; then
        change "making the role $id" iam roles create "$id" --title="Rally MCP store: $2" --stage=GA \
            --description="What $2 does with single records of its database." --permissions="$permissions"
        return
    fi
    ! contains "$existing" "$id,True" || change "restoring the role $id" iam roles undelete "$id"
    actual=$(look iam roles describe "$id" --format='value(includedPermissions.list())')
    [[ $(sorted "$actual") == $(sorted "$permissions") ]] ||
        change "correcting the role $id" iam roles update "$id" --permissions="$permissions"
}

sorted() { tr ',' '\n' <<<"$1" | LC_ALL=C sort | paste -sd, -; }

bind_project_roles() {
    local key existing build
    existing=$(look projects get-iam-policy "$project" --flatten='bindings[].members' \
        --format='value[separator="|"](bindings.role,bindings.members,bindings.condition.expression)')
    for key in $functions; do
        bind "projects/$project/roles/${role_prefix}_$key" "$(name_of "$key")" "$database-database" \
            "In the database of this deployment alone." \
            "resource.name == \"projects/$project/databases/$database\""
    done
    bind roles/logging.logWriter "$builder"
    bind roles/storage.objectViewer "$builder" function-sources \
        "The buckets that Cloud Functions and Cloud Run copy sources to, and ours." \
        "$(in_buckets "gcf-v2-sources-$project_number-" "gcf-v2-uploads-$project_number" "run-sources-$project-" "$bucket/")"
}

# in_buckets BEGINNING ... — a condition for objects in any of them.
in_buckets() {
    local alternatives
    alternatives=$(printf 'resource.name.startsWith("projects/_/buckets/%s") || ' "$@")
    echo "${alternatives% || }"
}

# bind ROLE ACCOUNT [CONDITION-TITLE DESCRIPTION EXPRESSION]
bind() {
    local member condition=None
    member=serviceAccount:$(address_of "$2")
    [[ -z ${5:-} ]] || condition="^;^title=$3;description=$4;expression=$5"
    contains "$existing" "$1|$member|${5:-}" ||
        change "giving $2 $1" projects add-iam-policy-binding "$project" --member="$member" --role="$1" \
            --condition="$condition"
}
