#!/bin/bash
# The first example, and the ten lines of C and of shell that README.md shows, do what they say.
set -euo pipefail
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
root=$PWD
build=$root/build/plain
export LD_LIBRARY_PATH=$build PATH=$build:$PATH

compile() {
    "${CC:-cc}" -Wall -Wextra -Werror -Iinclude -o "$2" "$1" -L"$build" -ldiskcache
}

# The n-th block of README.md in a language.
block() {
    awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } /^```/ { if (on) exit } on' README.md
}

expect() {
    if [ "$1" != "$2" ]; then
        printf 'check_hello: expected\n%s\ngot\n%s\n' "$1" "$2" >&2
        exit 1
    fi
}

compile examples/hello.c "$tmp/hello"
expect 'run 1' "$("$tmp/hello" "$tmp/cache")"
expect 'run 2' "$("$tmp/hello" "$tmp/cache")"

block c >"$tmp/readme.c"
compile "$tmp/readme.c" "$tmp/readme"
cd "$tmp"
expect 'Ada, 36' "$("$tmp/readme")"

cd "$root"
block sh >"$tmp/readme.sh"
cd "$tmp"
export HOME=$tmp
sh -eu "$tmp/readme.sh" >"$tmp/out"
expect 'hello1' "$(head -n 1 "$tmp/out")" # get adds no newline to a text
expect '1 removed' "$(tail -n 1 "$tmp/out")"
cmp "$tmp/first.gz" "$tmp/second.gz"
