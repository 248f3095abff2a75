# shellcheck shell=bash
# The database, and what happens to the time at which its records expire.

collections="oauth_states principals oauth_clients replay_marks attempts"

make_database() {
    local existing
    existing=$(look firestore databases list --format='csv[no-heading](name.basename(),type,deleteProtectionState)')
    if ! contains "$(first_of "$existing")" "$database"; then
        change "making the Firestore database $database" firestore databases create --database="$database" \
            --location="$region" --type=firestore-native --delete-protection
    elif ! contains "$existing" "$database,FIRESTORE_NATIVE,DELETE_PROTECTION_ENABLED"; then
        ! grep -q "^$database,DATASTORE_MODE," <<<"$existing" ||
            refuse "the database $database is in Datastore mode; choose another --name-prefix"
        change "protecting $database from deletion" firestore databases update --database="$database" --delete-protection
    fi
    leave_times_unindexed
    keep_backups
}

# A schedule that somebody else made is left as it is.
keep_backups() {
    [[ -n $(look firestore backups schedules list --database="$database" --format='value(name)') ]] ||
        change "keeping daily backups of $database for a week" firestore backups schedules create \
            --database="$database" --recurrence=daily --retention=7d
}

# Nobody asks for records by their time, and an index on times that only grow makes one slow.
leave_times_unindexed() {
    local collection existing
    existing=$(look firestore indexes fields list --database="$database" --format='value(name)')
    for collection in $collections; do
        contains "$existing" "$(expire_at_of "$collection")" ||
            change "leaving expire_at of $collection unindexed" firestore indexes fields update expire_at \
                --database="$database" --collection-group="$collection" --disable-indexes --async
    done
}

# Long after the step above, because Firestore changes one field once at a time.
expire_records() {
    local collection existing
    existing=$(look firestore fields ttls list --database="$database" --format='value(name)')
    for collection in $collections; do
        contains "$existing" "$(expire_at_of "$collection")" ||
            change "letting records of $collection expire" firestore fields ttls update expire_at \
                --database="$database" --collection-group="$collection" --enable-ttl --async
    done
}

expire_at_of() { echo "projects/$project/databases/$database/collectionGroups/$1/fields/expire_at"; }
