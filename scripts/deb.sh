#!/bin/bash
# deb.sh: the Debian packages, in build/deb, of what is committed: built, looked at by lintian, installed, used
# and purged again. Who is not root, or has them installed already, has them unpacked below a directory
# and used there.
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

debs=()
for package in "$work"/*.deb; do
    case $package in *-dbgsym_*) ;; *) debs+=("$package") ;; esac
done
names=(libdiskcache6 libdiskcache-dev diskcache python3-diskcache)
[ "${#debs[@]}" = "${#names[@]}" ] || complain "there are not ${#names[@]} packages: ${debs[*]}"
export DISKCACHE_DIR=$work/cache

purge() {
    dpkg --purge "${names[@]}" >>"$work/log" 2>&1
}

if [ "$(id -u)" = 0 ] && ! dpkg-query -W -f '${db:Status-Status}\n' "${names[@]}" 2>/dev/null | grep -q installed; then
    root='' how=installed
    trap 'purge || true' EXIT
    dpkg -i "${debs[@]}" >>"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2 && complain 'they cannot be installed'; }
    dpkg -V "${names[@]}" || complain 'what is installed is not what was packed'
    dpkg -L "${names[@]}" | sort -u >"$work/files"
    # Not a library of /usr/local in place of ours, nor a package of another Python.
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
    unset PYTHONPATH
    export PKG_CONFIG_PATH=$LD_LIBRARY_PATH/pkgconfig
else
    root=$work/root how='unpacked, not installed'
    for package in "${debs[@]}"; do
        dpkg-deb -x "$package" "$root"
    done
    libdir=$root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
    export LD_LIBRARY_PATH=$libdir PYTHONPATH=$root/usr/lib/python3/dist-packages
    export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$libdir/pkgconfig
fi
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
read -ra flags <<<"$(pkg-config --cflags --libs diskcache)"
"${CC:-cc}" -o "$work/use" "$work/use.c" "${flags[@]}"
[ "$("$work/use" "$DISKCACHE_DIR")" = hello ] || complain 'the library does not find what the tool stored'

cd "$work" # where no other diskcache is
/usr/bin/python3 - "$DISKCACHE_DIR" "$root/usr/lib/python3/dist-packages/" <<'END'
import importlib.metadata
import sys

import diskcache

assert diskcache.__file__.startswith(sys.argv[2]), diskcache.__file__
with diskcache.Cache(sys.argv[1]) as cache:
    assert cache['greeting'] == 'hello'
assert importlib.metadata.version('diskcache') == diskcache.__version__ == '6.0.0'
END

for page in "$root"/usr/share/man/man?/*diskcache*.gz; do # as make install's are looked at
    warnings=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$page" 2>&1 >/dev/null)
    [ -z "$warnings" ] || complain "${page##*/}: $warnings"
done

if [ "$how" = installed ]; then
    trap - EXIT
    purge || { tail -n 20 "$work/log" >&2 && complain 'they cannot be purged'; }
    while read -r file; do
        [ -d "$file" ] || [ ! -e "$file" ] || complain "purged, and still there: $file"
    done <"$work/files"
    [ ! -e /usr/lib/python3/dist-packages/diskcache ] || complain 'the Python package has left something behind'
    how='installed and purged'
fi
ls -1 "$work"/*.deb
echo "deb: built, lintian is content, each was used ($how)"
