#!/bin/sh
# Meson has its files by name: none is forgotten, neither a source nor a test.
set -eu
cd "$(dirname "$0")/.."

forgotten=0
for path in src/*.c cli/*.c python/diskcache/*.py* python/diskcache/_core/*.c tests/unit/*.c tests/[!u]*/*.c bench/*.c; do
    case $path in
    python/*) grep -qF "'${path#python/}'" python/meson.build && continue ;;
    src/* | cli/*) grep -qF "'$path'" meson.build && continue ;;
    tests/unit/test_*)
        name=${path#tests/unit/test_}
        grep -qF "'${name%.c}'" tests/meson.build && continue
        ;;
    tests/*) grep -qF "'${path#tests/}'" tests/meson.build && continue ;;
    bench/*) grep -qF "'../$path'" tests/meson.build && continue ;;
    esac
    echo "check_lists: $path is in no meson.build" >&2
    forgotten=1
done
exit $forgotten
