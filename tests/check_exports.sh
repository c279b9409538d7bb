#!/bin/bash
# check_exports.sh LIBRARY: what the shared library exports is what the public headers promise, no
# more and no less, and the manual page knows of each.
set -euo pipefail
cd "$(dirname "$0")/.."
library=${1:-build/plain/libdiskcache.so}

# A declaration may run over several lines, so the headers are taken as one.
promised=$(cat include/diskcache*.h | tr '\n' ' ' | grep -oE 'DCACHE_API [^;(]*\(' |
    grep -oE 'dcache_[a-z0-9_]+\($' | tr -d '(' | sort)
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)

if [ "$promised" != "$exported" ]; then
    echo 'check_exports: < only in the headers, > only in the library' >&2
    diff <(echo "$promised") <(echo "$exported") >&2 || true
    exit 1
fi
for name in $promised; do
    if ! grep -q "\*$name\*()" docs/diskcache.3.scd; then
        echo "check_exports: $name() is not in docs/diskcache.3.scd" >&2
        exit 1
    fi
done
soname=$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
if [ "$soname" != libdiskcache.so.6 ]; then
    echo "check_exports: the SONAME is $soname" >&2
    exit 1
fi
echo "$(wc -l <<<"$exported") functions, SONAME $soname"
