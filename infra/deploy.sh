#!/usr/bin/env bash
# usage: deploy.sh plan | apply | deploy, as `make plan`, `make apply` and `make deploy` call it.
#   PROJECT         the Google Cloud project's id
#   REGION          the functions' region; without it, what the environment's file or Terraform says
#   ENVIRONMENT     a file below environments/, without .tfvars; it has a state of its own
#   PROJECT_NUMBER  asked from gcloud when it is not given
# apply applies what plan has left in tfplan. deploy does both, asks in between, and checks the result.
set -euo pipefail
cd "$(dirname "$0")"

PATH="$PATH:$PWD/../.tools"
ARCHIVE=../build/functions.zip
PLANNED=tfplan.subject

stop() {
    echo "$1" >&2
    exit 2
}

check_arguments() {
    [[ -n ${PROJECT:-} ]] || stop 'PROJECT is missing. Say: make deploy PROJECT=my-project REGION=us-central1'
    command -v terraform >/dev/null || stop 'terraform is not on the PATH: install 1.11 or newer'
    [[ -z ${ENVIRONMENT:-} || -f environments/$ENVIRONMENT.tfvars ]] \
        || stop "infra/environments/$ENVIRONMENT.tfvars does not exist. There are: $(cd environments && echo *.tfvars)"
    [[ -f $ARCHIVE ]] || stop 'build/functions.zip does not exist. Run: make archive'
    state_bucket="$PROJECT-rally-mcp-state"
}

project_number() {
    [[ -n ${PROJECT_NUMBER:-} ]] && { echo "$PROJECT_NUMBER"; return; }
    command -v gcloud >/dev/null || stop 'gcloud is not on the PATH to ask for the project number: install it, or give PROJECT_NUMBER'
    gcloud projects describe "$PROJECT" --format='value(projectNumber)' \
        || stop "gcloud does not know the project $PROJECT. Check its name, and: gcloud auth login"
}

# State names every resource; it holds no secret, and is nobody else's business all the same. The
# bucket is looked for among the project's own: anybody could have made one of that name.
make_state_bucket() {
    local found
    found=$(gcloud storage buckets list --project="$PROJECT" --filter="name=$state_bucket" \
        --format='csv[no-heading](name,versioning_enabled)') \
        || stop "gcloud cannot list the buckets of $PROJECT. Check its name, and: gcloud auth login"
    [[ $found == *,True ]] && return
    if [[ -z $found ]]; then
        echo "Making the bucket $state_bucket for Terraform's state."
        gcloud storage buckets create "gs://$state_bucket" --project="$PROJECT" \
            --location="${REGION:-us-central1}" --uniform-bucket-level-access --public-access-prevention \
            || stop "gcloud cannot make the bucket $state_bucket."
    fi
    gcloud storage buckets update "gs://$state_bucket" --versioning \
        || stop "gcloud cannot turn on versioning in the bucket $state_bucket."
}

# A service is known everywhere some minutes after it was enabled; the time of planning and asking helps.
enable_services() {
    gcloud services enable --project="$PROJECT" artifactregistry.googleapis.com \
        cloudresourcemanager.googleapis.com firestore.googleapis.com iam.googleapis.com \
        secretmanager.googleapis.com serviceusage.googleapis.com \
        || stop "gcloud cannot enable services in $PROJECT. Is it the right project, and has it billing?"
}

# What a plan is of. Terraform itself would upload whatever archive it finds when it applies one.
subject() {
    local digest
    digest=$(sha256sum "$ARCHIVE" 2>/dev/null || shasum -a 256 "$ARCHIVE")
    echo "$PROJECT ${ENVIRONMENT:-default} $digest"
}

plan() {
    local number arguments=(-out=tfplan)
    number=$(project_number)
    [[ -n ${ENVIRONMENT:-} ]] && arguments+=("-var-file=environments/$ENVIRONMENT.tfvars")
    [[ -n ${REGION:-} ]] && arguments+=(-var "region=$REGION")
    # Terraform would take the answer to another question for a variable.
    [[ -t 0 ]] || arguments+=(-input=false)
    rm -f tfplan "$PLANNED"
    cp backend.tf.template backend.tf
    terraform init -input=false -reconfigure "-backend-config=bucket=$state_bucket" \
        "-backend-config=prefix=${ENVIRONMENT:-default}" \
        || stop "Terraform cannot work with the state in the bucket $state_bucket. Where there is none: make deploy"
    subject >"$PLANNED"
    # Terraform leaves what it has of a plan that failed.
    terraform plan "${arguments[@]}" -var "project_id=$PROJECT" -var "project_number=$number" \
        || { rm -f tfplan "$PLANNED"; exit 1; }
}

apply() {
    [[ -f tfplan ]] || stop 'There is no plan to apply. Run: make plan'
    [[ $(subject) == "$(cat "$PLANNED" 2>/dev/null)" ]] \
        || stop 'The plan is of another PROJECT, ENVIRONMENT or build/functions.zip. Run: make plan'
    terraform apply -input=false tfplan
    rm tfplan "$PLANNED"
}

ask() {
    local answer
    read -r -p 'Apply this plan? Only yes does: ' answer || answer=
    [[ $answer == yes ]] || { echo 'Nothing was applied.'; exit 1; }
}

# The functions read the newest version, whatever its state.
has_value() {
    gcloud secrets versions list "$1" --project="$PROJECT" --limit=1 --format='value(state)' | grep -ix enabled >/dev/null
}

# A client secret goes from the terminal to Secret Manager, and is in no file, argument or state.
add_missing_secrets() {
    local names name value
    names=$(terraform output -json client_secrets | tr -d '[]"' | tr , ' ')
    for name in $names; do
        has_value "$name" && continue
        value=
        [[ -t 0 ]] && { read -rs -p "Value of the secret $name (nothing: later): " value || value=; echo; }
        [[ -n $value ]] && printf %s "$value" \
            | gcloud secrets versions add "$name" --project="$PROJECT" --data-file=- && continue
        echo "The secret $name has no value yet: gcloud secrets versions add $name --project=$PROJECT --data-file=-"
    done
}

deploy() {
    command -v gcloud >/dev/null || stop 'gcloud is not on the PATH: install it'
    # A plan that was not applied here is not to be applied later either.
    trap 'rm -f tfplan "$PLANNED"' EXIT
    enable_services
    make_state_bucket
    plan
    ask
    apply
    add_missing_secrets
    printf '\nThe redirect_uri to register at Rally: %s\n\n' "$(terraform output -raw redirect_uri)"
    ../.venv/bin/rally-mcp doctor "$(terraform output -raw mcp_url)" --project "$PROJECT" \
        --database "$(terraform output -raw database)"
}

case ${1:-} in
    plan | apply | deploy)
        check_arguments
        "$1"
        ;;
    *) stop 'usage: deploy.sh plan | apply | deploy' ;;
esac
