#!/bin/bash
# Large values, pipes, and an stdout that cannot be written.
# shellcheck disable=SC2016 # for s to expand
s 'pattern 5000000 >large; diskcache set large --file large'
s 'diskcache get large | cmp - large'
s 'diskcache get large -o copy; cmp copy large'
s 'cat large | diskcache set piped -; diskcache get piped | cmp - large'
s 'pattern 40000 | diskcache set text --text -; diskcache get text | cmp - <(pattern 40000)'
s 'diskcache get large --json | grep -o "{\"bytes[^}]*" | wc -c'
s 'diskcache get large | head -c 16'
s 'diskcache get large >/dev/full'
s 'diskcache get text >/dev/full'
s 'diskcache ls >/dev/full'
s 'diskcache version >/dev/full'
s 'diskcache help >/dev/full'
s 'diskcache dump >/dev/full'
s 'diskcache get text >&-'
s '(trap "" PIPE; diskcache get large; echo "$?" >status) | head -c 1 >/dev/null; cat status'
s 'diskcache set x - <&-'
s 'diskcache set x - < .'
s 'diskcache set x --file .'
s 'diskcache exists x'
echo "--- in constant memory"
limit() {
    # The sanitizers need terabytes of addresses, and no limit.
    grep -q __asan_init "$DC_TOOL" || ulimit -v 200000
}
s 'truncate -s 256M huge; (limit; diskcache set huge --file huge; diskcache get huge | cmp - huge)'
s '(limit; diskcache set huge - <huge; diskcache get huge -o copy; cmp copy huge)'
s '(limit; diskcache run cat "$PWD/huge" | cmp - huge; diskcache run cat "$PWD/huge" | cmp - huge)'
s '(limit; diskcache dump --prefix huge | wc -c)'
s 'diskcache check'
