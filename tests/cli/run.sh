#!/bin/bash
# run.sh TOOL [NAME...]: run each tests/cli/NAME.sh in a directory of its own and compare what it
# prints (stdout and stderr together) with NAME.out. With UPDATE=1 the .out files are written. A
# script that takes longer than LIMIT seconds (120) is ended.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tool=$(realpath "${1:?usage: run.sh TOOL [NAME...]}")
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$tool" "$work/bin/diskcache"

# Nothing of the user's, and nothing that changes from place to place.
unset XDG_CACHE_HOME DISKCACHE_DIR
export PATH="$work/bin:$PATH" LC_ALL=C TZ=UTC DC_TOOL="$tool" DC_TESTS="$here"

[ $# -gt 0 ] || set -- "$here"/*.sh
passed=0
failed=0
for script in "$@"; do
    name=$(basename "$script" .sh)
    case $name in run | lib) continue ;; esac
    mkdir -p "$work/$name/tmp"
    (
        cd "$work/$name" || exit
        export HOME="$work/$name" TMPDIR="$work/$name/tmp" DISKCACHE_DIR="$work/$name/cache"
        export DC_SHOWN="$work/$name.shown"
        umask 022
        timeout "${LIMIT:-120}" bash -u "$here/lib.sh" "$here/$name.sh" </dev/null 2>&1
    ) | sed "s|$work/$name|WORK|g" >"$work/$name.got"
    if [ "${UPDATE:-}" = 1 ]; then
        cp "$work/$name.got" "$here/$name.out"
    fi
    if diff -u --label "$name.out" --label "$name" "$here/$name.out" "$work/$name.got"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
