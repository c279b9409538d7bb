#!/bin/bash
# pythons.sh: build the package with each CPython from 3.9 on that this machine has, and run the tests
# of its core there. One line for each; the last is "N passed, N failed", of Pythons.
set -uo pipefail
cd "$(dirname "$0")/.."

candidates() {
    compgen -c python3 | grep -E '^python3(\.[0-9]+)?$' | sort -u | xargs -n 1 which -a 2>/dev/null
    ls "$HOME"/.pyenv/versions/*/bin/python3 2>/dev/null
}

# "VERSION PATH" of each that counts, the path without links, so that none comes twice.
usable() {
    candidates | while read -r path; do
        "$path" -c '
import os, sys, sysconfig
os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))
if sys.version_info >= (3, 9) and sys.implementation.name == "cpython":
    print("%d.%d" % sys.version_info[:2], os.path.realpath(sys.executable))' 2>/dev/null
    done | sort -u | sort -t . -k 2n -k 1,1 -u
}

passed=0 failed=0
scripts/build.sh plain || exit 1
DISKCACHE_ORACLE=$(scripts/oracle.sh)
export DISKCACHE_ORACLE
while read -r version path; do
    dir=$PWD/build/venv-$version
    log=build/python-$version.log
    if { [ -x "$dir/bin/pytest" ] || { rm -rf "$dir" && "$path" -m venv "$dir" &&
        "$dir/bin/python" -m pip install --quiet --disable-pip-version-check \
            'meson-python>=0.15' 'meson>=1.0' ninja pytest; }; } >"$log" 2>&1 &&
        PATH=$dir/bin:$PATH "$dir/bin/python" -m pip install --quiet --disable-pip-version-check \
            --no-build-isolation --no-deps --force-reinstall \
            --config-settings=build-dir="build/python-$version" . >>"$log" 2>&1 &&
        LD_PRELOAD=$PWD/build/plain/tests/clock.so \
            "$dir/bin/python" -m pytest -q -p no:cacheprovider tests/python/test_core_*.py \
            >>"$log" 2>&1; then
        printf '%-5s ok      %s\n' "$version" "$(tail -n 1 "$log")"
        passed=$((passed + 1))
    else
        printf '%-5s FAILED  see %s\n' "$version" "$log"
        failed=$((failed + 1))
    fi
done < <(usable)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
