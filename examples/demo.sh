#!/bin/bash
# demo.sh [TOOL [PYTHON]]: remember the results of real work.
#
# Compresses every regular file of a real tree twice through `diskcache run`: the first pass runs
# gzip for each, the second takes what it made from the cache. The two have to be the same, byte
# for byte, and what is in them has to be what is in the tree.
#
# DEMO_TREE names another tree, DEMO_FILES how many files of it at most (5000).
set -euo pipefail

tool=$(realpath "${1:-diskcache}")
python=$(realpath -s "${2:-.}") # -s: that of a virtual environment is a link
most=${DEMO_FILES:-5000}
jobs=$(nproc)
work=$(mktemp -d "${TMPDIR:-/tmp}/diskcache-demo-XXXXXX")
meter=''
cleanup() {
    [ -z "$meter" ] || kill "$meter" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}

files_in() {
    [ ! -d "$1" ] || find "$1" -xdev -type f -readable -print0 | tr -dc '\0' | wc -c
}

# The documentation of a Debian machine, or the headers where there is more of them.
tree=${DEMO_TREE:-/usr/share/doc}
if [ -z "${DEMO_TREE:-}" ] && [ "$(files_in /usr/share/doc)" -lt 2000 ] &&
    [ "$(files_in /usr/include)" -gt "$(files_in /usr/share/doc)" ]; then
    tree=/usr/include
fi

# Names may hold anything but NUL, so NUL is what separates them.
cd "$tree"
find . -xdev -type f -readable -print0 | LC_ALL=C sort -z >"$work/all"
head -z -n "$most" "$work/all" >"$work/names"
total=$(tr -dc '\0' <"$work/names" | wc -c)
[ "$total" -gt 0 ] || fail "no files below $tree"
bytes=$(xargs -0 cat <"$work/names" | wc -c)

cache=$work/cache
export tool cache
"$tool" -d "$cache" config statistics 1 >/dev/null

# Draws a bar on a terminal, once the work has begun, from how much is done.
show_progress() {
    local done_now cells=40 filled
    while :; do
        done_now=$(stat -c %s "$work/done" 2>/dev/null || echo 0)
        filled=$((cells * done_now / total))
        printf '\r%s [%-*s] %d/%d ' "$1" "$cells" "$(printf '%*s' "$filled" '' | tr ' ' '#')" \
            "$done_now" "$total" >&2
        [ "$done_now" -lt "$total" ] || break
        sleep 0.1
    done
}

number() { # number FIELD: from the JSON of `stats`
    sed -nE "s/.*\"$1\": *([0-9]+).*/\1/p" "$work/stats" | head -n 1
}

hits_before=0
misses_before=0

# pass N: the whole tree once, into $work/N; sets seconds, hits, misses.
pass() {
    local begin
    export out=$work/$1 finished=$work/done
    mkdir "$out"
    find . -xdev -type d -print0 | (cd "$out" && xargs -0 mkdir -p)
    : >"$finished"
    if [ -t 2 ]; then
        show_progress "pass $1" &
        meter=$!
    fi
    begin=$(date +%s%N)
    # shellcheck disable=SC2016 # for the inner shell to expand
    xargs -0 -n 50 -P "$jobs" sh -c '
        for name; do
            "$tool" -d "$cache" run -- gzip -9 -c -- "$name" >"$out/$name" || exit 255
            printf . >>"$finished"
        done' sh <"$work/names" || fail "a command failed in pass $1"
    seconds=$((($(date +%s%N) - begin) / 10000000))
    if [ -n "$meter" ]; then
        wait "$meter" || true
        meter=''
        printf '\r\033[K' >&2
    fi
    "$tool" -d "$cache" --json stats >"$work/stats"
    hits=$(($(number hits) - hits_before))
    misses=$(($(number misses) - misses_before))
    hits_before=$((hits_before + hits))
    misses_before=$((misses_before + misses))
}

echo "Compressing $total files of $tree through \`diskcache run -- gzip -9 -c FILE\`, twice."
table=''
for n in 1 2; do
    pass $n
    size=$(cd "$work/$n" && xargs -0 cat <"$work/names" | wc -c)
    table+=$(printf '%-4s %8d %13d %13d %7d.%02d %8d.%d %%' $n "$total" "$bytes" "$size" \
        $((seconds / 100)) $((seconds % 100)) \
        $((100 * hits / (hits + misses))) $((1000 * hits / (hits + misses) % 10)))$'\n'
    if [ $n = 2 ] && [ "$misses" != 0 ]; then
        fail "$misses of $total results were not in the cache on the second pass"
    fi
done

diff -r "$work/1" "$work/2" >&2 || fail 'the second pass differs from the first'
[ "$(xargs -0 cat <"$work/names" | sha256sum)" = \
    "$(cd "$work/1" && xargs -0 cat <"$work/names" | gzip -dc | sha256sum)" ] ||
    fail 'what was compressed is not what the tree holds'

printf '\n%-4s %8s %13s %13s %10s %12s\n%s' pass files 'bytes in' 'bytes out' seconds 'hit rate' \
    "$table"
printf '\nBoth passes are the same byte for byte, and unpack to what the tree holds.\n'

show() {
    printf '\n$ diskcache %s\n' "$*"
    "$tool" -d "$cache" "$@"
}
show stats
show ls --long --sort size --reverse --limit 5
show check || fail 'check has found problems'

# The same directory, from Python.
[ $# -gt 1 ] || exit 0
printf '\n$ python\n'
"$python" - "$cache" <<'END'
import sys

import diskcache

program = """
cache = diskcache.Cache(sys.argv[1])
len(cache), cache.volume()
key, record = cache.peekitem()
key, type(record).__name__, len(record)
cache.check()
cache.close()
"""
for line in program.strip().splitlines():
    print('>>>', line)
    code = compile(line, 'demo', 'single')
    exec(code)
END
