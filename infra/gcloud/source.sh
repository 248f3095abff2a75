# shellcheck shell=bash
# The bucket, and the zip in it: the very file that Terraform deploys. gcloud would not take the folder
# itself, because nothing in it is called main.py.

read_source() {
    zip=$source
    if [[ -d $source ]]; then
        zip=$scratch/functions.zip
        (cd "$source/.." && python3 -m devtools.source_archive --output "$zip" >&2)
    fi
    source_hash=$(sha256 "$zip" | cut -d ' ' -f 1)
    archive=functions-$source_hash.zip
}

sha256() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi; }

make_bucket() {
    local existing found
    existing=$(look storage buckets list --format='csv[no-heading](name,uniform_bucket_level_access,
    public_access_prevention,versioning_enabled,lifecycle_config.rule[0].condition.numNewerVersions)')
    found=$(grep -m 1 "^$bucket," <<<"$existing" || true)
    [[ -n $found ]] || change "making the bucket $bucket" storage buckets create "gs://$bucket" --location="$region" \
        --uniform-bucket-level-access --public-access-prevention
    [[ $found == "$bucket,True,enforced,True,3" ]] || set_bucket_up
}

set_bucket_up() {
    echo '{"rule": [{"action": {"type": "Delete"}, "condition": {"numNewerVersions": 3}}]}' >"$scratch/lifecycle.json"
    change "setting the bucket $bucket up" storage buckets update "gs://$bucket" --uniform-bucket-level-access \
        --public-access-prevention --versioning --lifecycle-file="$scratch/lifecycle.json" --update-labels=app=rally-mcp
}

# Once per run, and only where something is deployed; what is there already stays.
upload_source() {
    [[ -z ${uploaded:-} ]] || return 0
    change "uploading $archive" storage cp --no-clobber "$zip" "gs://$bucket/$archive"
    uploaded=yes
}
