# shellcheck shell=bash
# How gcloud is called. Its own words are shown only when it fails, and then the script stops.

say() { echo "$*" >&2; }

cloud() { gcloud --project="$project" --quiet "$@"; }

# look ARGUMENT ... prints what gcloud answers.
look() {
    local answer pause=1
    until answer=$(cloud "$@" 2>"$scratch/complaint"); do
        wait_or_stop "$(<"$scratch/complaint")"
    done
    printf '%s\n' "$answer"
}

# change "what this does" ARGUMENT ...
change() {
    local complaint pause=1
    say "$1"
    until complaint=$(cloud "${@:2}" 2>&1); do
        wait_or_stop "$complaint"
    done
}

# wait_or_stop COMPLAINT waits for $pause seconds, and doubles them.
wait_or_stop() {
    if ! is_too_early "$1" || ((pause > 256)); then
        say "$1"
        say "Stopped there. Run the same command again once that is mended: it goes on from here."
        exit 1
    fi
    say "  Google is not ready for it; trying again in $pause s"
    sleep "$pause"
    pause=$((pause * 2))
}

# APIs that were just enabled and accounts that were just made are unknown for some seconds, metrics for
# some minutes, and a function or a database takes one change at a time.
is_too_early() {
    case $1 in
        *SERVICE_DISABLED* | *"has not been used in project"*) ;;
        *"ervice account "*" does not exist"* | *"Cannot find metric"*) ;;
        *"unable to queue the operation"* | *"underlying data changed"* | *"cross-transaction contention"*) ;;
        *) return 1 ;;
    esac
}

# contains LINES LINE
contains() { grep -qxF -- "$2" <<<"$1"; }

# The first value of each comma-separated line.
first_of() { cut -d , -f 1 <<<"$1"; }

# value_beside LINES FIRST — the second value of the line "first|second|..."; nothing where there is none.
value_beside() { awk -F '|' -v first="$2" '$1 == first { print $2; exit }' <<<"$1"; }
