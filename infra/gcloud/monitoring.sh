# shellcheck shell=bash
# What tells that something is wrong: the files in ../metrics and ../alerts, which Terraform reads too.

# Alert policies are refused for a while after the metrics that they name were made; building the
# functions takes longer than that.
make_metrics() {
    local file name existing verb
    existing=$(look logging metrics list --format='value(name)')
    for file in "$here"/metrics/*.yaml; do
        rendered "$file"
        name=$(sed -n 's/^name: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$scratch/rendered.yaml")
        verb=create
        ! contains "$existing" "$name" || verb=update
        change "keeping the metric $name as its file says" logging metrics "$verb" "$name" --config-from-file="$scratch/rendered.yaml"
    done
}

watch() {
    make_channels
    make_alerts
    make_uptime_checks
    exclude_sign_in_addresses
}

rendered() { sed "s/{prefix}/$prefix/g; s/{metric_prefix}/${prefix//-/_}/g" "$1" >"$scratch/rendered.yaml"; }

# Leaves the names of the channels in $channels, and NAME=address of those that earlier runs made for
# others in $former_channels.
make_channels() {
    local email title existing
    channels=
    existing=$(channels_by_title)
    for email in $alert_emails; do
        title="${prefix}rally-mcp $email"
        [[ -z $(value_beside "$existing" "$title") ]] || continue
        change "making the notification channel for $email" alpha monitoring channels create \
            --display-name="$title" --type=email --channel-labels="email_address=$email"
        existing=$(channels_by_title)
    done
    for email in $alert_emails; do
        channels+=,$(value_beside "$existing" "${prefix}rally-mcp $email")
    done
    former_channels=$(awk -F '|' -v deployment="${prefix}rally-mcp" -v emails=" $alert_emails" '
    $1 == deployment " " $3 && !index(emails, " " $3 " ") { print $2 "=" $3 }' <<<"$existing")
}

channels_by_title() {
    look alpha monitoring channels list --format='csv[no-heading,separator="|"](displayName,name,labels.email_address)'
}

make_alerts() {
    local file alert existing policy
    existing=$(look alpha monitoring policies list \
        --format='csv[no-heading,separator="|"](userLabels.deployment,userLabels.alert,name,notificationChannels.list())')
    tell_of_former_channels "$existing"
    for file in "$here"/alerts/*.yaml; do
        rendered "$file"
        alert=$(basename "$file" .yaml)
        policy=$(grep -m 1 "^${prefix}rally-mcp|$alert|" <<<"$existing" || true)
        if [[ -z $policy ]]; then
            change "making the alert $alert" alpha monitoring policies create --policy-from-file="$scratch/rendered.yaml" \
                ${channels:+--notification-channels="${channels#,}"}
        else
            update_alert "$alert" "$(cut -d '|' -f 3 <<<"$policy")" "$(cut -d '|' -f 4 <<<"$policy")"
        fi
    done
}

# tell_of_former_channels POLICIES
tell_of_former_channels() {
    local former
    for former in $former_channels; do
        [[ $1 != *"${former%%=*}"* ]] || say "no longer writing to ${former#*=} when an alert fires"
    done
}

# update_alert ALERT POLICY CHANNELS — channels that somebody added by hand stay.
update_alert() {
    local all former
    former=$(cut -d = -f 1 <<<"$former_channels")
    all=$(tr ',' '\n' <<<"$3,$channels" | { grep -vxF -- "$former" || true; } | sed '/^$/d' | LC_ALL=C sort -u | paste -sd, -)
    change "keeping the alert $1 as its file says" alpha monitoring policies update "$2" --policy-from-file="$scratch/rendered.yaml" \
        ${all:+--set-notification-channels="$all"}
}

make_uptime_checks() {
    local key name existing found wanted
    existing=$(look monitoring uptime list-configs --format='value[separator="|"](displayName,name.basename(),
    monitoredResource.labels.host,httpCheck.path,httpCheck.useSsl,httpCheck.validateSsl,period,timeout,
    contentMatchers[0].content)')
    for key in $functions; do
        name=${prefix}rally-mcp-${key//_/-}
        wanted="$(name_of "$key")-$project_number.$region.run.app|/health|True|True|300s|30s|\"status\":\"ok\""
        found=$(value_beside "$existing" "$name")
        ! contains "$existing" "$name|$found|$wanted" || continue
        [[ -z $found ]] || change "removing the changed uptime check $name" monitoring uptime delete "$found"
        # Thirty seconds, because a cold start is no failure.
        change "making the uptime check $name" monitoring uptime create "$name" --resource-type=uptime-url \
            --resource-labels="host=${wanted%%|*},project_id=$project" --protocol=https --port=443 --path=/health \
            --request-method=get --validate-ssl=true --status-codes=200 --period=5 --timeout=30 \
            --matcher-type=contains-string --matcher-content='"status":"ok"'
    done
}

# Requests whose addresses carry state, codes or tickets of a sign-in.
exclude_sign_in_addresses() {
    local exclusion=${prefix}rally-mcp-sign-in-addresses services='' key filter existing replaced=()
    for key in $functions; do
        services=${services:+$services OR }\"$(name_of "$key")\"
    done
    filter="((resource.type=\"cloud_run_revision\" AND resource.labels.service_name=($services)) OR (resource.type=\"http_load_balancer\" AND resource.labels.url_map_name=\"${prefix}rally-mcp\")) AND httpRequest.requestUrl=~\"/(auth|authorize|authorize/complete|callback)[?]\""
    existing=$(look logging sinks describe _Default --flatten='exclusions[]' \
        --format='value[separator="|"](exclusions.name,exclusions.disabled,exclusions.filter)')
    ! contains "$existing" "$exclusion|False|$filter" || return 0
    ! contains "$existing" "$exclusion||$filter" || return 0
    if grep -q "^$exclusion|" <<<"$existing"; then
        # Replaced, because gcloud takes disabled=false for a word, and words for true.
        replaced=(--remove-exclusions="$exclusion")
    fi
    change "leaving sign-in addresses out of the request log" logging sinks update _Default ${replaced[@]+"${replaced[@]}"} \
        --add-exclusion="^;^name=$exclusion;description=Requests whose addresses carry state, codes or tickets of a sign-in.;filter=$filter"
}
