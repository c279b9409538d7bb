#!/bin/sh
# check_tidy.sh [JOBS]: clang-tidy has nothing to say about what ships. A file is looked at again
# only when it, a header or the rules have changed since it was last found clean.
set -eu
cd "$(dirname "$0")/.."

mkdir -p build/tidy
rules=$(cat .clang-tidy tests/check_tidy.sh include/*.h src/*.h cli/*.h python/diskcache/_core/*.h | sha256sum)
export rules="${rules%% *}"
python_headers=$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')
export python_headers

# shellcheck disable=SC2016 # for the inner shell to expand
scripts/sources.sh checked | grep '\.c$' | xargs -P "${1:-2}" -I '{}' sh -c '
    sum=$( (echo "$rules" && cat "$1") | sha256sum)
    clean=build/tidy/${sum%% *}
    [ ! -f "$clean" ] || exit 0
    if clang-tidy --quiet "$1" -- -std=gnu11 -D_GNU_SOURCE -Iinclude -Isrc \
        -isystem "$python_headers" \
        >"$clean.$$" 2>&1; then
        mv "$clean.$$" "$clean"
    else
        cat "$clean.$$" >&2
        rm "$clean.$$"
        exit 1
    fi' tidy '{}'
