# shellcheck shell=bash
# The settings that follow from no option: docs/settings.md.

# What follows from the options.
set_here='STORAGE|FIRESTORE_DATABASE|GOOGLE_CLOUD_PROJECT|SQLITE_PATH|MCP_URL|AUTH_URL|CALLBACK_URL|UPSTREAMS|RALLY_CLIENT_ID|TRUSTED_PROXY_HOPS|.*_CLIENT_SECRET'

# Leaves NAME=value lines in $settings. A misspelt name would be ignored by the functions, and
# READ_ONLY with it: so only names that docs/settings.md has are taken.
read_settings() {
    local line name known
    settings=
    if [[ -n $settings_file ]]; then
        [[ -e $settings_file && ! -d $settings_file ]] ||
            refuse "$settings_file does not exist; --settings takes flat YAML: NAME: value"
        known=$(sed -n 's/^| `\([A-Z_]*\)` |.*/\1/p' "$here/../docs/settings.md")
        while IFS= read -r line || [[ -n $line ]]; do
            line=${line%$'\r'}
            [[ $line =~ ^[[:space:]]*(#.*)?$ || $line == --- ]] && continue
            name=${line%%:*}
            check_form "$line" "$name"
            [[ ! $name =~ ^($set_here)$ ]] || refuse "$settings_file: $name follows from the options; take it out"
            contains "$known" "$name" || refuse "$settings_file: $name is not in docs/settings.md"
            [[ $'\n'$settings != *$'\n'"$name="* ]] || refuse "$settings_file: $name stands there twice; take one out"
            settings+="$name=$(setting_value "$line")"$'\n'
        done <"$settings_file"
    fi
    check_settings
}

# check_form LINE NAME
check_form() {
    case $1 in
        $'\xef\xbb\xbf'*) refuse "$settings_file begins with a byte order mark; save it as UTF-8 without one" ;;
        [[:space:]]*) refuse "$settings_file: begin the line with the name, without blanks before it:$1" ;;
        [\"\']*) refuse "$settings_file: leave the name without quotes: $1" ;;
        *:*) ;;
        *) refuse "$settings_file: $1 is not in the form NAME: value" ;;
    esac
    [[ $2 != *[[:space:]] ]] || refuse "$settings_file: take out the blank before the colon: $1"
}

setting_value() {
    local value=${1#*:} name=${1%%:*}
    if [[ $value =~ ^[[:space:]]+\"([^\"\\]*)\"[[:space:]]*(#.*)?$ || $value =~ ^[[:space:]]+\'([^\']*)\'[[:space:]]*(#.*)?$ ]]; then
        printf '%s\n' "${BASH_REMATCH[1]}"
        return
    fi
    value=$(sed -n 's/[[:space:]]#.*//; s/[[:space:]]*$//; s/^[[:space:]]\{1,\}//p' <<<"$value")
    [[ ! $value =~ ^(~|null|Null|NULL)$ ]] || refuse "$settings_file: $name must have a value; take the line out where it has none"
    [[ -n $value && ! $value =~ ^([][{}\"\'\&*!|%@\`]|-[[:space:]]|>) && ! $value =~ :([[:space:]]|$) ]] ||
        refuse "$settings_file: $name must be one line, NAME: value, or NAME: \"value\""
    printf '%s\n' "$value"
}

check_settings() {
    local needed
    for needed in github/GITHUB_CLIENT_ID entra_id/ENTRA_TENANT_ID entra_id/ENTRA_CLIENT_ID yata/YATA_URL yata/YATA_CLIENT_ID; do
        if is_chosen "${needed%/*}" && [[ $'\n'$settings != *$'\n'${needed#*/}=* ]]; then
            refuse "--upstreams names ${needed%/*}, so the --settings file needs ${needed#*/}"
        fi
    done
}

# A deployment that is READ_ONLY would otherwise write again because an option was forgotten.
keep_settings() {
    local key names
    [[ -z $settings_file ]] || return 0
    names=$(for key in $functions; do
        record_of "$(name_of "$key")" <<<"$deployed" | sed -n 's/^serviceConfig\.environmentVariables\.\([^:]*\):.*/\1/p'
    done | { grep -vxE "$set_here|LOG_EXECUTION_ID" || true; } | LC_ALL=C sort -u | paste -sd, -)
    [[ -z $names ]] || refuse "without --settings the functions would lose ${names//,/, }; give the file with them, or an empty one to remove them"
}
