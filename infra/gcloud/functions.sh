# shellcheck shell=bash
# The three functions: one source, three deployments; a function is deployed only where it differs.

make_image_repository() {
    local existing member
    existing=$(look artifacts repositories list --location="$region" \
        --format='csv[no-heading](name.basename(),cleanupPolicies.keep-recent.id,cleanupPolicies.delete-old.id)')
    contains "$(first_of "$existing")" "$repository" ||
        change "making the image repository $repository" artifacts repositories create "$repository" \
            --location="$region" --repository-format=docker --labels=app=rally-mcp \
            --description="Images that Cloud Functions builds."
    contains "$existing" "$repository,keep-recent,delete-old" || clean_old_images
    member=serviceAccount:$(address_of "$builder")
    existing=$(look artifacts repositories get-iam-policy "$repository" --location="$region" \
        --flatten='bindings[].members' --format='csv[no-heading](bindings.role,bindings.members)')
    contains "$existing" "roles/artifactregistry.writer,$member" ||
        change "letting $builder store images" artifacts repositories add-iam-policy-binding "$repository" \
            --location="$region" --member="$member" --role=roles/artifactregistry.writer
}

clean_old_images() {
    cat >"$scratch/cleanup.json" <<'JSON'
[
  {"name": "keep-recent", "action": {"type": "Keep"}, "mostRecentVersions": {"keepCount": 10}},
  {"name": "delete-old", "action": {"type": "Delete"}, "condition": {"olderThan": "30d"}}
]
JSON
    change "deleting old images from $repository by and by" artifacts repositories set-cleanup-policies "$repository" \
        --location="$region" --policy="$scratch/cleanup.json" --no-dry-run
}

# Leaves what Google has of all functions in $deployed.
look_at_functions() {
    deployed=$(described_functions)
    keep_settings
}

deploy_functions() {
    local key
    for key in $functions; do
        deploy_function "$key"
    done
}

# "name: value" lines of every function in the region, a line "---" before each.
described_functions() {
    look functions list --v2 --regions="$region" --format="flattened[no-pad,separator=': '](
    name.basename(), state, labels.app, labels.rally_mcp_source,
    buildConfig.runtime, buildConfig.entryPoint, buildConfig.environmentVariables.GOOGLE_FUNCTION_SOURCE,
    buildConfig.serviceAccount.basename(), buildConfig.dockerRepository.basename(),
    serviceConfig.serviceAccountEmail, serviceConfig.environmentVariables,
    serviceConfig.availableCpu, serviceConfig.availableMemory, serviceConfig.maxInstanceRequestConcurrency,
    serviceConfig.minInstanceCount, serviceConfig.maxInstanceCount, serviceConfig.timeoutSeconds,
    serviceConfig.ingressSettings)"
}

# NAME=value lines: docs/settings.md, and a reference to each secret that the function may read.
environment_of() {
    local upstream
    printf '%s' "$settings"
    cat <<TEXT
STORAGE=firestore
FIRESTORE_DATABASE=$database
GOOGLE_CLOUD_PROJECT=$project
MCP_URL=$mcp_url
AUTH_URL=$auth_url
CALLBACK_URL=$callback_url
UPSTREAMS=$upstreams
TRUSTED_PROXY_HOPS=1
TEXT
    ! is_chosen rally || echo "RALLY_CLIENT_ID=$rally_client_id"
    for upstream in ${upstreams//,/ }; do
        [[ " $(readers_of "$upstream") " != *" $1 "* ]] ||
            echo "$(variable_of "$upstream")=projects/$project/secrets/$(secret_of "$upstream")/versions/latest"
    done
}

# entra_id → ENTRA_CLIENT_SECRET
variable_of() { echo "$(tr '[:lower:]' '[:upper:]' <<<"${1%_id}")_CLIENT_SECRET"; }

# deploy_function KEY — what Google has is compared with what it should have, line by line.
deploy_function() {
    local name wanted actual
    name=$(name_of "$1")
    wanted=$(wanted_function "$1" | LC_ALL=C sort)
    actual=$(record_of "$name" <<<"$deployed" | normal | LC_ALL=C sort)
    [[ $actual != "$wanted" ]] || return 0
    if [[ -n $actual ]]; then
        say "$name differs:"
        diff <(echo "$actual") <(echo "$wanted") | sed -n 's/^</  is     /p; s/^>/  wanted /p' >&2 || true
    fi
    environment_of "$1" | sed 's/[\"]/\\&/g; s/^\([A-Z_]*\)=\(.*\)$/\1: "\2"/' >"$scratch/environment.yaml"
    upload_source
    deploy "$1" "$name"
}

record_of() {
    awk -v name="name: $1" '
    /^---/ { if (found) exit; lines = ""; next }
    { lines = lines $0 "\n" }
    $0 == name { found = 1 }
    END { if (found) printf "%s", lines }'
}

# The first is added by Google, and turned off by the functions; a zero is left out at times.
normal() { sed '/environmentVariables.LOG_EXECUTION_ID:/d; /^min_instance_count: 0$/d'; }

wanted_function() {
    cat <<TEXT
name: $(name_of "$1")
state: ACTIVE
app: rally-mcp
rally_mcp_source: ${source_hash:0:40}
runtime: python313
entry_point: $1
google_function_source: $1.py
service_account: $(address_of "$builder")
docker_repository: $repository
service_account_email: $(address_of "$(name_of "$1")")
available_cpu: 1
available_memory: 512Mi
max_instance_request_concurrency: 80
max_instance_count: 10
timeout_seconds: 120
ingress_settings: ALLOW_ALL
TEXT
    environment_of "$1" | sed 's/^\([A-Z_]*\)=/serviceConfig.environmentVariables.\1: /'
}

deploy() {
    local access=()
    [[ $public_invoker == false ]] || access=(--allow-unauthenticated)
    change "deploying $2 (a build takes some minutes)" functions deploy "$2" --gen2 --region="$region" --trigger-http \
        --runtime=python313 --entry-point="$1" --set-build-env-vars="GOOGLE_FUNCTION_SOURCE=$1.py" \
        --source="gs://$bucket/$archive" --update-labels="app=rally-mcp,rally_mcp_source=${source_hash:0:40}" \
        --docker-repository="projects/$project/locations/$region/repositories/$repository" \
        --build-service-account="projects/$project/serviceAccounts/$(address_of "$builder")" \
        --run-service-account="$(address_of "$2")" --env-vars-file="$scratch/environment.yaml" \
        --cpu=1 --memory=512Mi --concurrency=80 --min-instances=0 --max-instances=10 --timeout=120s \
        --ingress-settings=all --serve-all-traffic-latest-revision ${access[@]+"${access[@]}"}
}

# The role goes on the Cloud Run service: a function itself does not take it.
set_public_access() {
    local key name existing is_public everybody=(--region="$region" --member=allUsers --role=roles/run.invoker)
    for key in $functions; do
        name=$(name_of "$key")
        existing=$(look run services get-iam-policy "$name" --region="$region" --flatten='bindings[].members' \
            --format='csv[no-heading](bindings.role,bindings.members)')
        is_public=false
        ! contains "$existing" roles/run.invoker,allUsers || is_public=true
        case $is_public,$public_invoker in
            false,true) change "letting everybody call $name" run services add-iam-policy-binding "$name" "${everybody[@]}" ;;
            true,false) change "no longer letting everybody call $name" run services remove-iam-policy-binding "$name" "${everybody[@]}" ;;
        esac
    done
}
