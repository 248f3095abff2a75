# shellcheck shell=bash
# Reads the options, and derives every name from them.
# shellcheck disable=SC2034  # the files beside this one use them

functions="auth_redirect mcp_endpoint oauth_callback"

usage() {
    cat <<'TEXT'
usage: infra/gcloud-deploy.sh --project P --rally-client-id ID [option ...]

  --project P           the project that everything is made in (PROJECT)
  --rally-client-id ID  client id of the OAuth client registered at Rally (RALLY_CLIENT_ID)
  --region R            region of functions and records (REGION; us-central1)
  --name-prefix X-      begins every name, for a second deployment in the project (NAME_PREFIX)
  --upstreams A,B       of rally, github, entra_id, yata (UPSTREAMS; rally)
  --settings FILE       flat YAML with further settings: docs/settings.md (SETTINGS)
  --source FILE         the zip, or the functions folder (SOURCE; build/functions.zip)
  --alert-email A       who is written to when an alert fires; may be repeated (ALERT_EMAIL)
  --no-public-invoker   leave allUsers out, where an organisation policy forbids it

Each may be an environment variable instead, named in brackets. gcloud must be signed in, and have its
alpha commands, which alert policies need: gcloud components install alpha.
TEXT
}

refuse() {
    echo "gcloud-deploy.sh: $1" >&2
    exit 2
}

read_arguments() {
    project=${PROJECT:-} rally_client_id=${RALLY_CLIENT_ID:-} region=${REGION:-us-central1}
    prefix=${NAME_PREFIX:-} upstreams=${UPSTREAMS:-rally} settings_file=${SETTINGS:-}
    source=${SOURCE:-$(dirname "$here")/build/functions.zip} alert_emails=${ALERT_EMAIL:-} public_invoker=true
    while (($#)); do
        case $1 in
            --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
            -h | --help) usage && exit 0 ;;
            --no-public-invoker) public_invoker=false && shift ;;
            --project | --rally-client-id | --region | --name-prefix | --upstreams | --settings | --source | --alert-email)
                (($# > 1)) || refuse "$1 needs a value; --help tells which"
                take_option "$1" "$2" && shift 2
                ;;
            *) refuse "there is no option $1; --help lists them" ;;
        esac
    done
    check_arguments
    derive_names
    read_settings
}

take_option() {
    case $1 in
        --project) project=$2 ;;
        --rally-client-id) rally_client_id=$2 ;;
        --region) region=$2 ;;
        --name-prefix) prefix=$2 ;;
        --upstreams) upstreams=$2 ;;
        --settings) settings_file=$2 ;;
        --source) source=$2 ;;
        --alert-email) alert_emails="$alert_emails $2" ;;
    esac
}

check_arguments() {
    local upstream email
    [[ -n $project ]] || refuse "--project is missing: the id of a Google Cloud project, such as acme-rally-mcp"
    [[ $project =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] ||
        refuse "--project must be a project's id, such as acme-rally-mcp, not its number or title"
    [[ $region =~ ^[a-z]+-[a-z]+[0-9]{1,2}$ ]] || refuse "--region must be a region, such as europe-west1, not a zone"
    [[ $prefix =~ ^([a-z][a-z0-9-]{0,10}-)?$ ]] ||
        refuse "--name-prefix must end in a hyphen: up to 12 lower-case letters, digits and hyphens, such as dev-"
    [[ -n $upstreams ]] || refuse "--upstreams must name one or more of rally, github, entra_id, yata"
    for upstream in ${upstreams//,/ }; do
        [[ $upstream =~ ^(rally|github|entra_id|yata)$ ]] ||
            refuse "--upstreams must name one or more of rally, github, entra_id, yata, not $upstream"
    done
    if [[ ,$upstreams, == *,rally,* ]]; then
        [[ $rally_client_id =~ ^[!-~]+$ ]] ||
            refuse "--rally-client-id is missing: register an OAuth client at Rally (docs/operations.md) and give its client id"
    fi
    for email in ${alert_emails//,/ }; do
        [[ $email =~ ^[^@]+@[^@]+\.[^@]+$ ]] || refuse "--alert-email must be an e-mail address, not $email"
    done
    [[ -e $source ]] || refuse "$source does not exist; run: make archive"
    command -v gcloud >/dev/null || refuse "gcloud is not on the PATH: https://cloud.google.com/sdk/docs/install"
}

derive_names() {
    local upstream
    database=${prefix}rally-mcp
    repository=${prefix}rally-mcp
    bucket=$project-${prefix}rally-mcp-source
    builder=${prefix}function-build
    role_prefix=${prefix//-/_}rally_mcp
    secrets=()
    for upstream in ${upstreams//,/ }; do
        secrets+=("$(secret_of "$upstream")")
    done
}

# mcp_endpoint → dev-mcp-endpoint: the function, its Cloud Run service and its service account.
name_of() { echo "$prefix${1//_/-}"; }

address_of() { echo "$1@$project.iam.gserviceaccount.com"; }

# entra_id → dev-entra-client-secret
secret_of() { echo "$prefix${1%_id}-client-secret"; }

# oauth_callback exchanges codes with it, mcp_endpoint refreshes; YATA has no sign-in.
readers_of() { if [[ $1 == yata ]]; then echo mcp_endpoint; else echo "mcp_endpoint oauth_callback"; fi; }

# Leaves NAME=value lines in $settings. A misspelt name would be ignored by the functions, and
# READ_ONLY with it: so only names that docs/settings.md has are taken.
read_settings() {
    local line name known
    settings=
    if [[ -n $settings_file ]]; then
        [[ -f $settings_file ]] || refuse "$settings_file does not exist; --settings takes flat YAML: NAME: value"
        known=$(sed -n 's/^| `\([A-Z_]*\)` |.*/\1/p' "$here/../docs/settings.md")
        while IFS= read -r line || [[ -n $line ]]; do
            [[ $line =~ ^[[:space:]]*(#.*)?$ || $line == --- ]] && continue
            name=${line%%:*}
            [[ $name =~ ^(STORAGE|FIRESTORE_DATABASE|GOOGLE_CLOUD_PROJECT|SQLITE_PATH|MCP_URL|AUTH_URL|CALLBACK_URL|UPSTREAMS|RALLY_CLIENT_ID|TRUSTED_PROXY_HOPS|.*_CLIENT_SECRET)$ ]] &&
                refuse "$settings_file: $name follows from the options; take it out"
            grep -qxF -- "$name" <<<"$known" || refuse "$settings_file: $name is not in docs/settings.md"
            settings+="$name=$(setting_value "$line")"$'\n'
        done <"$settings_file"
    fi
    check_settings
}

setting_value() {
    local value=${1#*:}
    if [[ $value =~ ^[[:space:]]+\"([^\"\\]*)\"[[:space:]]*(#.*)?$ || $value =~ ^[[:space:]]+\'([^\']*)\'[[:space:]]*(#.*)?$ ]]; then
        echo "${BASH_REMATCH[1]}"
        return
    fi
    value=$(sed -n 's/[[:space:]]#.*//; s/[[:space:]]*$//; s/^[[:space:]]\{1,\}//p' <<<"$value")
    [[ -n $value && ! $value =~ ^([][{}\"\'\&*!|%@\`]|-[[:space:]]|>) && ! $value =~ :([[:space:]]|$) ]] ||
        refuse "$settings_file: ${1%%:*} must be one line, NAME: value, or NAME: \"value\""
    echo "$value"
}

check_settings() {
    local needed
    for needed in github/GITHUB_CLIENT_ID entra_id/ENTRA_TENANT_ID entra_id/ENTRA_CLIENT_ID yata/YATA_URL yata/YATA_CLIENT_ID; do
        if [[ ,$upstreams, == *,${needed%/*},* && $'\n'$settings != *$'\n'${needed#*/}=* ]]; then
            refuse "--upstreams names ${needed%/*}, so the --settings file needs ${needed#*/}"
        fi
    done
}
