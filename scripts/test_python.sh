#!/bin/sh
# test_python.sh [PYTEST ARGUMENT...]: the tests of the Python package, on the installed one in .venv
# and beside diskcache 5.6.3. The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."

scripts/build.sh plain
PYTHON=${PYTHON:-$(scripts/python.sh)}
DISKCACHE_ORACLE=$(scripts/oracle.sh)
# Directories of the tests lie in memory: what a disk costs is not what they are about.
TMPDIR=${TMPDIR:-$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)}
LD_PRELOAD=$PWD/build/plain/tests/clock.so
export DISKCACHE_ORACLE TMPDIR LD_PRELOAD
exec "$PYTHON" -m pytest -p no:cacheprovider tests/python "$@"
