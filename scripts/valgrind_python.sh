#!/bin/sh
# valgrind_python.sh: the Python package under memcheck: every kind of object, most methods. What valgrind says of a
# system call that it does not know (437, openat2: we then do without), each time, is left out.
set -eu
cd "$(dirname "$0")/.."

python=$(scripts/python.sh)
log=build/valgrind-python.log
status=0
PYTHONMALLOC=malloc valgrind --quiet --log-file="$log" --leak-check=full --errors-for-leak-kinds=definite \
    --show-leak-kinds=definite --error-exitcode=9 "$python" tests/python/memory.py 2 || status=$?
grep -vE 'unhandled amd64-linux syscall: 437|You may be able to write your own|README_MISSING_SYSCALL|consider this a bug|valgrind.org/support' "$log" >&2 || true
exit "$status"
