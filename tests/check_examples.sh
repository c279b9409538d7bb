#!/bin/bash
# Each program in examples/ does what it says.
# A new example gets a function here, try_NAME, that runs it in an empty directory.
set -euo pipefail
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
root=$PWD
build=$root/build/plain
export LD_LIBRARY_PATH=$build PATH=$build:$PATH

compile() {
    "${CC:-cc}" -Wall -Wextra -Werror -Iinclude -o "$2" "$1" -L"$build" -ldiskcache -pthread
}

expect() {
    if [ "$1" != "$2" ]; then
        printf 'check_examples: expected\n%s\ngot\n%s\n' "$1" "$2" >&2
        exit 1
    fi
}

try_hello() {
    expect 'run 1' "$(./hello cache)"
    expect 'run 2' "$(./hello cache)"
}

try_fanout() {
    echo 'one two two' >first
    echo 'two three' >second
    expect '    1 one
    1 three
    3 two' "$(./fanout cache first second)"
    expect '000 001 002 003 004 005 006 007' "$(cd cache && echo ???)"
}

# The first worker dies over its command; the second one runs it again.
try_deque() {
    # shellcheck disable=SC2016 # for the worker to expand
    ./deque spool add 'echo wash' \
        'test -e died || { : >died; kill -9 $PPID; exit; }; echo dry' 'echo fold'
    expect 'wash' "$(./deque spool work 2>/dev/null || true)"
    expect $'dry\nfold' "$(./deque spool work)"
    expect '' "$(./deque spool work)"
}

try_index() {
    local document

    for document in a b c a d e f; do
        ./index recent "$document" >out
    done
    expect $'f\ne\nd\na\nc' "$(cat out)"
}

try_lock() {
    for text in a b c d; do
        ./lock cache numbered "$text" 25 &
    done
    wait
    expect "$(seq 100)" "$(cut -d ' ' -f 1 numbered)" # none twice, none left out
}

try_memoize() {
    expect '600851475143 6857
97 97
600851475143 6857
2 computed' "$(./memoize cache 600851475143 97 600851475143)"
    expect '97 97
0 computed' "$(./memoize cache 97)"
    ! ./memoize cache 1 >out 2>&1 || expect refused "$(cat out)"
}

try_semaphore() {
    # Each job says with a directory that it is there; a third one would find no room.
    cat >job <<'END'
#!/bin/sh
mkdir one 2>/dev/null && place=one || { mkdir two && place=two; } || exit 1
echo "$1" >>done
rmdir $place
END
    chmod +x job
    ./semaphore cache 2 ./job a b c d e f
    expect 'a b c d e f ' "$(sort done | tr '\n' ' ')"
}

try_throttle() {
    local begin

    begin=$(date +%s%N)
    expect "$(seq 8)" "$(seq 8 | ./throttle cache 4 0.2)"
    # Four at once, and four more at 20 a second.
    [ $(($(date +%s%N) - begin)) -ge 199000000 ] || expect 'not sooner' sooner
}

for path in examples/*.c; do
    name=$(basename "$path" .c)
    mkdir "$tmp/$name"
    compile "$path" "$tmp/$name/$name"
    cd "$tmp/$name"
    "try_$name"
    cd "$root"
done
