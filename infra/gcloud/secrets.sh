# shellcheck shell=bash
# Secrets without their values, and who may read each.

make_secrets() {
    local upstream secret existing
    existing=$(look secrets list --format='value(name.basename())')
    for upstream in ${upstreams//,/ }; do
        secret=$(secret_of "$upstream")
        contains "$existing" "$secret" ||
            change "making the secret $secret" secrets create "$secret" --replication-policy=automatic --labels=app=rally-mcp
        let_read "$secret" "$(readers_of "$upstream")"
    done
}

# let_read SECRET "FUNCTION ..."
let_read() {
    local key member existing
    existing=$(look secrets get-iam-policy "$1" --flatten='bindings[].members' \
        --format='value[separator="|"](bindings.role,bindings.members,bindings.condition.expression)')
    for key in $2; do
        member=serviceAccount:$(address_of "$(name_of "$key")")
        contains "$existing" "roles/secretmanager.secretAccessor|$member|" ||
            change "letting $key read $1" secrets add-iam-policy-binding "$1" --member="$member" \
                --role=roles/secretmanager.secretAccessor --condition=None
    done
}
