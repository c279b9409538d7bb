#!/bin/sh
# test_python.sh [PYTEST ARGUMENT...]: the tests of the Python package, on the installed one in .venv
# and beside diskcache 5.6.3. The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."

DISKCACHE_ORACLE=$(scripts/oracle.sh)
clock=$PWD/build/python/clock.so
mkdir -p build/python
if [ ! -f "$clock" ] || [ tests/python/clock.c -nt "$clock" ]; then
    ${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared -o "$clock.$$" tests/python/clock.c
    mv "$clock.$$" "$clock"
fi
# Directories of the tests lie in memory: what a disk costs is not what they are about.
TMPDIR=${TMPDIR:-$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)}
LD_PRELOAD=$clock
export DISKCACHE_ORACLE TMPDIR LD_PRELOAD
exec "${PYTHON:-.venv/bin/python}" -m pytest -p no:cacheprovider tests/python "$@"
