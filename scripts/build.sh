#!/bin/sh
# build.sh KIND: bring build/KIND up to date.
#   plain     what is installed; optimized, with debug information
#   asan      clang, AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan      clang, ThreadSanitizer
#   coverage  gcc, counting which lines have run
#   fuzz      clang, libFuzzer; the targets of tests/fuzz only
# build.sh plain honours PREFIX. Warnings are errors in all of them.
set -eu
cd "$(dirname "$0")/.."

kind=$1
targets=''
dir=build/$kind
case $kind in
plain) set -- --prefix="${PREFIX:-/usr/local}" ;;
asan)
    export CC=clang
    set -- -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1
    ;;
tsan)
    export CC=clang
    set -- -Db_sanitize=thread -Db_lundef=false -Doptimization=1
    ;;
fuzz)
    export CC=clang
    set -- -Dfuzz=true -Ddocs=disabled -Db_sanitize=address,undefined -Db_lundef=false \
        -Doptimization=1 -Dc_args=-fsanitize=fuzzer-no-link
    targets='tests/fuzz_directory tests/fuzz_msgpack tests/fuzz_pickle tests/fuzz_segment tests/fuzz_tool'
    ;;
coverage) set -- -Db_coverage=true -Doptimization=0 ;;
*)
    echo "build.sh: no such kind of build: $kind" >&2
    exit 2
    ;;
esac

log=build/$kind.log
stamp=build/$kind.stamp
mkdir -p build
exec 9>"build/$kind.lock"
flock 9 # one build at a time in a directory

# A directory that was made otherwise, by another Meson, or when there was nothing to make the tests
# with, is made anew.
tests=no
! pkg-config --exists cmocka || tests=yes
wanted="$(command -v meson) ${CC:-cc} tests=$tests $*"
if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$dir"
    if ! meson setup "$dir" "$@" >"$log" 2>&1; then
        cat "$log" >&2
        exit 1
    fi
    echo "$wanted" >"$stamp"
fi

# shellcheck disable=SC2086 # a list of words
if ! ninja -C "$dir" $targets >"$log" 2>&1; then
    grep -vE '^\[[0-9]+/[0-9]+\] |^ninja: (Entering|build stopped)' "$log" >&2 || true
    echo "build.sh: $dir does not build" >&2
    exit 1
fi
