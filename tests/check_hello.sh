#!/bin/bash
# The examples, and the ten lines of C and of shell that README.md shows, do what they say.
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

# The first worker dies over its command; the second one runs it again.
compile examples/deque.c "$tmp/deque"
export DIED=$tmp/died
# shellcheck disable=SC2016 # for the worker to expand
"$tmp/deque" "$tmp/spool" add 'echo wash' \
    'test -e "$DIED" || { : >"$DIED"; kill -9 $PPID; exit; }; echo dry' 'echo fold'
expect 'wash' "$("$tmp/deque" "$tmp/spool" work 2>/dev/null || true)"
expect $'dry\nfold' "$("$tmp/deque" "$tmp/spool" work)"
expect '' "$("$tmp/deque" "$tmp/spool" work)"

compile examples/index.c "$tmp/index"
for document in a b c a d e f; do
    "$tmp/index" "$tmp/recent" $document >"$tmp/out"
done
expect $'f\ne\nd\na\nc' "$(cat "$tmp/out")"

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
