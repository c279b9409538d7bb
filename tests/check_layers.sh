#!/bin/bash
# The include law: a file in src/ includes only headers from lines below its own, and its own; the
# tool, the tests from outside and the Python extension include only <diskcache*.h> of ours.
set -euo pipefail
cd "$(dirname "$0")/.."

# Top to bottom; names on one line do not know each other.
layers='
deque index average throttle memoize lock
hold permits
claim
fanout
cache queue iterate bulk handle maintain backup
hot_queue hot_txn
hot
helper
evict check route pair
handover
entry bell
read notes
replay checkpoint
txn
drain
refresh
store
rest
left
watch
group backlog commits capacity
memtable
ends
ring
heal directory
schema
settings range
row
sum
pool
db peek
value vfs
frames
shared
file guard owner pickle
os
'

broken=0
complain() {
    echo "check_layers: $*" >&2
    broken=1
}

quoted() {
    sed -n 's/^ *# *include *"\(.*\)".*/\1/p' "$1"
}

declare -A line
n=0
while read -r names; do
    n=$((n + 1))
    for name in $names; do
        line[$name]=$n
    done
done <<<"$layers"

for path in src/*.[ch]; do
    file=${path##*/}
    name=${file%.*}
    if [ -z "${line[$name]:-}" ]; then
        complain "$path has no place among the layers"
        continue
    fi
    while read -r header; do
        below=${header%.h}
        if [ ! -f "src/$header" ]; then
            complain "$path includes \"$header\", which is not in src/"
        elif [ "$below" != "$name" ] && [ "${line[$below]:-0}" -le "${line[$name]}" ]; then
            complain "$path includes \"$header\", which is not below it"
        fi
    done < <(quoted "$path")
done

# Outside of the library: its own headers by name, ours only as <diskcache*.h>. Unit tests and fuzz
# targets see the insides.
while read -r path; do
    dir=${path%/*}
    while read -r header; do
        case $(realpath --relative-to=. "$dir/$header") in
        src/* | include/*) complain "$path reaches into the library: \"$header\"" ;;
        *) [ -f "$dir/$header" ] || complain "$path includes \"$header\", which is not there" ;;
        esac
    done < <(quoted "$path")
done < <(find cli examples bench python tests -path tests/unit -prune -o -path tests/fuzz -prune \
    -o -name '*.[ch]' -print)

exit $broken
