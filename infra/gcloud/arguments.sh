# shellcheck shell=bash
# Reads the options, and derives every name from them.
# shellcheck disable=SC2034  # the files beside this one use them

functions="auth_redirect mcp_endpoint oauth_callback"
known_upstreams="rally github entra_id yata"

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
  --no-public-invoker   leave allUsers out, where an organisation policy forbids it; takes it away too

Each may be an environment variable instead, named in brackets. Give the same ones each time: a run
undoes what it is no longer told. Of an upstream that was taken out the secret stays, which no function
may read any more; of an e-mail address the notification channel, which no alert uses.

gcloud must be signed in, and have its alpha commands, which alert policies need:
gcloud components install alpha.
TEXT
}

# In one line, whatever line breaks are in what it quotes.
refuse() {
    local message=${1//[$'\r\n']/ }
    printf 'gcloud-deploy.sh: %s\n' "$message" >&2
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
    [[ -n $project ]] || refuse "--project is missing: the id of a Google Cloud project, such as acme-rally-mcp"
    [[ $project =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] ||
        refuse "--project must be a project's id, such as acme-rally-mcp, not its number or title"
    [[ $region =~ ^[a-z]+-[a-z]+[0-9]{1,2}$ ]] || refuse "--region must be a region, such as europe-west1, not a zone"
    [[ $prefix =~ ^([a-z][a-z0-9-]{0,10}-)?$ ]] ||
        refuse "--name-prefix must end in a hyphen: up to 12 lower-case letters, digits and hyphens, such as dev-"
    check_upstreams
    if is_chosen rally; then
        [[ $rally_client_id =~ ^[!-~]+$ ]] ||
            refuse "--rally-client-id is missing: register an OAuth client at Rally (docs/operations.md) and give its client id"
    fi
    check_alert_emails
    [[ -e $source ]] || refuse "$source does not exist; run: make archive"
    command -v gcloud >/dev/null || refuse "gcloud is not on the PATH: https://cloud.google.com/sdk/docs/install"
}

# Names that the shell may take apart from here on. Blanks around a comma are no part of a name.
check_upstreams() {
    local given=$upstreams upstream
    upstreams=$(sed 's/ *, */,/g; s/^ *//; s/ *$//' <<<"$given")
    [[ $upstreams =~ ^(rally|github|entra_id|yata)(,(rally|github|entra_id|yata))*$ ]] ||
        refuse "--upstreams must name one or more of rally, github, entra_id, yata, with commas between them, not '$given'"
    for upstream in $known_upstreams; do
        [[ ,${upstreams//,/,,}, != *,"$upstream",*,"$upstream",* ]] || refuse "--upstreams names $upstream twice"
    done
}

check_alert_emails() {
    local given=${alert_emails# } email
    [[ $given != *[*?[]* ]] || refuse "--alert-email must be an e-mail address, not $given"
    alert_emails=
    for email in ${given//,/ }; do
        [[ $email =~ ^[^@]+@[^@]+\.[^@]+$ ]] || refuse "--alert-email must be an e-mail address, not $email"
        [[ " $alert_emails" == *" $email "* ]] || alert_emails+="$email "
    done
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

is_chosen() { [[ ,$upstreams, == *,"$1",* ]]; }

# entra_id → dev-entra-client-secret
secret_of() { echo "$prefix${1%_id}-client-secret"; }

# oauth_callback exchanges codes with it, mcp_endpoint refreshes; YATA has no sign-in.
readers_of() { if [[ $1 == yata ]]; then echo mcp_endpoint; else echo "mcp_endpoint oauth_callback"; fi; }
