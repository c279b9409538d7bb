#!/bin/sh
# install.sh: install build/plain to PREFIX, below DESTDIR if that is set.
set -eu
cd "$(dirname "$0")/.."

[ -n "${DESTDIR:-}" ] || unset DESTDIR
meson install -C build/plain --no-rebuild --quiet

# A library in a system directory is found only once the cache of ld.so knows of it.
if [ -z "${DESTDIR:-}" ] && [ "$(id -u)" = 0 ]; then
    ldconfig || echo "install: ldconfig failed; the library may not be found" >&2
fi
echo "installed to ${DESTDIR:-}${PREFIX:-/usr/local}"
