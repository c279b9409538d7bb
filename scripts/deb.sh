#!/bin/bash
# deb.sh: the Debian packages, in build/deb, of what is committed: built, looked at by lintian, each unpacked below
# a directory and used there.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/build/deb
rm -rf "$work"
mkdir -p "$work"
complain() {
    echo "deb: $*" >&2
    exit 1
}

git clone --quiet . "$work/diskcache"
# With Debian's own Meson and Python, whatever else is here.
(cd "$work/diskcache" && PATH=/usr/sbin:/usr/bin:/sbin:/bin dpkg-buildpackage --build=binary --no-sign) >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" | cut -c 1-300 >&2 && complain 'the packages cannot be built'; }
lintian --fail-on warning --tag-display-limit 0 "$work"/*.changes || complain 'lintian is not content'

root=$work/root
for package in "$work"/*.deb; do
    case $package in *-dbgsym_*) continue ;; esac
    dpkg-deb -x "$package" "$root"
done
libdir=$root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
export LD_LIBRARY_PATH=$libdir DISKCACHE_DIR=$work/cache
"$root/usr/bin/diskcache" set greeting hello

cat >"$work/use.c" <<'END'
#include <diskcache.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    struct dcache_value key = dcache_text("greeting");
    struct dcache_entry found;
    dcache *cache;
    if (argc < 2 || dcache_open(argv[1], NULL, &cache) < 0 || dcache_get(cache, &key, NULL, &found) < 0)
        return 1;
    printf("%.*s\n", (int)found.value.size, (const char *)found.value.data);
    dcache_entry_clear(&found);
    dcache_close(cache);
    return 0;
}
END
export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$libdir/pkgconfig
read -ra flags <<<"$(pkg-config --cflags --libs diskcache)"
"${CC:-cc}" -o "$work/use" "$work/use.c" "${flags[@]}"
[ "$("$work/use" "$DISKCACHE_DIR")" = hello ] || complain 'the library does not find what the tool stored'

PYTHONPATH=$root/usr/lib/python3/dist-packages /usr/bin/python3 - "$DISKCACHE_DIR" <<'END'
import importlib.metadata
import sys

import diskcache

with diskcache.Cache(sys.argv[1]) as cache:
    assert cache['greeting'] == 'hello'
assert importlib.metadata.version('diskcache') == diskcache.__version__ == '6.0.0'
END

for page in "$root"/usr/share/man/man?/*.gz; do # as make install's are looked at
    warnings=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$page" 2>&1 >/dev/null)
    [ -z "$warnings" ] || complain "${page##*/}: $warnings"
done
ls -1 "$work"/*.deb
echo 'deb: built, lintian is content, each was used'
