#!/bin/bash
# run: remembers stdout, stderr and exit status.
# shellcheck disable=SC2016 # for s to expand
cat >work.sh <<'END'
echo ran >>count
echo "out $*"
echo "err $*" >&2
echo "out again"
exit "${CODE:-0}"
END
# The two streams are two pipes: which of them is read first is chance.
r() {
    command=$1
    s "$command >out 2>err"
    cat out err
}
ran() {
    echo "ran $(wc -l <count) times"
}
r 'diskcache run bash work.sh one'
r 'diskcache run bash work.sh one'
ran
r 'diskcache run -- bash work.sh one'
ran
r 'diskcache run bash work.sh two'
ran
echo "--- exit status"
r 'CODE=3 diskcache run bash work.sh bad'
r 'CODE=3 diskcache run bash work.sh bad'
ran
r 'CODE=3 diskcache run --keep-failures bash work.sh kept'
r 'CODE=4 diskcache run bash work.sh kept'
ran
r 'diskcache run --refresh bash work.sh kept'
r 'diskcache run bash work.sh kept'
ran
t diskcache run sh -c 'kill -TERM $$'
t diskcache run --keep-failures sh -c 'echo bye; kill -KILL $$'
t diskcache ls '*kill*'
t diskcache run no-such-command
t diskcache run ./work.sh
echo "--- what makes the key"
t diskcache run --key bash -c 'echo "é"' -x
t diskcache run --key --no-cwd true
s 'A=1 diskcache run --key --no-cwd --env A --env B true'
s 'printf hello | diskcache run --key --no-cwd --stdin true; printf hello | sha256sum'
s 'touch -d "2001-02-03 04:05:06.000000789Z" file; diskcache run --key --no-cwd --file file true'
t diskcache run --file nothing true
s 'diskcache run --key --no-cwd "$(printf "a\377b")"'
s 'diskcache run --key --no-cwd echo "$(pattern 5000)"'
s 'for A in 1 2 1; do A=$A diskcache run --env A sh -c "echo \$A"; done'
s 'for i in x y x; do echo $i | diskcache run --stdin sh -c "cat; echo ran >>count2"; done; wc -l <count2'
s 'echo x | diskcache run sh -c "cat; echo nothing came"'
s 'for i in 1 2 2; do echo $i >file; touch -d @$i file; diskcache run --file file cat file; done'
s 'mkdir sub; cd sub; diskcache run pwd; diskcache run --no-cwd pwd; cd ..; diskcache run --no-cwd pwd'
echo "--- expiry and tag"
t diskcache run --expire 0 sh -c 'echo again >>count3; echo done'
t diskcache run --expire 1h --tag red sh -c 'echo again >>count3; echo done'
s 'wc -l <count3; diskcache ls --tag red | cut -c 1-20'
echo "--- large output"
cat >large.sh <<'END'
. "$DC_TESTS/lib.sh" /dev/null
pattern 3000000; pattern 100000 >&2
END
s 'diskcache run --no-cwd bash large.sh >one 2>two; diskcache run --no-cwd bash large.sh >three 2>four'
s 'wc -c <one; wc -c <two; cmp one three; cmp two four; cmp one <(pattern 3000000)'
s 'rm large.sh; diskcache run --no-cwd bash large.sh 2>/dev/null | cmp - one'
s 'ls -A tmp'
echo "--- JSON"
t diskcache --json run --no-cwd bash -c 'echo out; echo err >&2; printf "\\0\\377"; exit 0'
t diskcache --json run --no-cwd bash -c 'echo out; echo err >&2; printf "\\0\\377"; exit 0'
t diskcache run --json --no-cwd sh -c 'exit 7'
echo "--- without a cache"
s 'echo >plain; diskcache -d plain run echo still done 2>&1 | sed "s/run: .*/run: .../"'
t diskcache run
t diskcache run --colour true
t diskcache run --expire soon true
echo "--- a value that is no recording"
s 'diskcache set "$(diskcache run --key echo hi)" other; diskcache run echo hi; diskcache run echo hi'
echo "--- nobody reads"
s 'diskcache run yes | head -1; echo "${PIPESTATUS[0]}"'
s 'diskcache run echo full >/dev/full'
