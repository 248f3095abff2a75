# shellcheck shell=bash
# Secrets without their values, and who may read each.

accessor=roles/secretmanager.secretAccessor

make_secrets() {
    local upstream secret existing
    no_longer_read=
    existing=$(look secrets list --format='value(name.basename())')
    for upstream in $known_upstreams; do
        secret=$(secret_of "$upstream")
        if is_chosen "$upstream"; then
            contains "$existing" "$secret" ||
                change "making the secret $secret" secrets create "$secret" --replication-policy=automatic --labels=app=rally-mcp
            let_read "$secret" "$(readers_of "$upstream")"
        elif contains "$existing" "$secret"; then
            let_read "$secret" ""
        fi
    done
}

# let_read SECRET "FUNCTION ..." leaves in $no_longer_read which other functions may read it: their old
# revisions still do.
let_read() {
    local key member existing
    existing=$(look secrets get-iam-policy "$1" --flatten='bindings[].members' \
        --format='value[separator="|"](bindings.role,bindings.members,bindings.condition.expression)')
    for key in $functions; do
        member=serviceAccount:$(address_of "$(name_of "$key")")
        if [[ " $2 " != *" $key "* ]]; then
            ! contains "$existing" "$accessor|$member|" || no_longer_read+=" $1/$key"
        elif ! contains "$existing" "$accessor|$member|"; then
            change "letting $key read $1" secrets add-iam-policy-binding "$1" --member="$member" \
                --role="$accessor" --condition=None
        fi
    done
}

# Once the functions run without them.
withdraw_secrets() {
    local grant
    for grant in $no_longer_read; do
        change "no longer letting ${grant#*/} read ${grant%/*}" secrets remove-iam-policy-binding "${grant%/*}" \
            --member="serviceAccount:$(address_of "$(name_of "${grant#*/}")")" --role="$accessor" --condition=None
    done
}
