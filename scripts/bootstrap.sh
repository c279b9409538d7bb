#!/bin/sh
# bootstrap.sh build|check|bench|model|package: see to it that the tools are there that this needs.
# What is missing is named, with its use, and installed as Debian packages. When nothing is
# missing this takes a moment and uses no network.
set -eu

missing=''

# want PACKAGE WHY COMMAND...: the package is missing unless the command succeeds.
want() {
    package=$1
    why=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        [ -n "$missing" ] || echo "bootstrap: missing on this machine:" >&2
        printf '  %-20s %s\n' "$package" "$why" >&2
        missing="$missing $package"
    fi
}

# A command that is there may still be an empty wrapper: only one that tells its version counts.
runs() {
    "$1" --version
}

compiles() {
    printf '#include <%s>\n' "$1" | "${CC:-cc}" -E -include stdarg.h -include stddef.h \
        -include setjmp.h -include stdint.h -
}

python_headers_there() {
    /usr/bin/python3 -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")'
}

venv_works() {
    /usr/bin/python3 -c 'import ensurepip, venv'
}

gdbm_there() {
    /usr/bin/python3 -c 'import dbm.gnu'
}

installed() {
    dpkg-query -W -f '${Status}' "$1" | grep -q ' installed$'
}

sanitizers_there() {
    ls /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.asan-"$(uname -m)".a ||
        { dir=$(clang -print-resource-dir) && ls "$dir"/lib/*/libclang_rt.asan*.a; }
}

want gcc 'the C compiler' runs "${CC:-cc}"
want libc6-dev 'headers of the C library' compiles stdlib.h
want meson 'describes the build' runs meson
want ninja-build 'runs the build' runs ninja
want pkg-config 'finds libraries' runs pkg-config
want libsqlite3-dev 'SQLite, where a cache keeps its items' compiles sqlite3.h
want libxxhash-dev 'checksums of value files, by its header alone' compiles xxhash.h
want scdoc 'makes the manual pages' scdoc -v

if [ "${1:-build}" = bench ]; then
    want libcmocka-dev 'programs beside the library' compiles cmocka.h
    want memcached 'a peer' runs memcached
    want redis-server 'a peer' runs redis-server
    want python3-gdbm 'a peer' gdbm_there
    want python3-dev 'headers for the Python extension' python_headers_there
    want python3-venv 'environments for the peers' venv_works
fi

if [ "${1:-build}" = package ]; then
    want dpkg-dev 'builds Debian packages' installed dpkg-dev
    want debhelper 'the same' installed debhelper
    want dh-python 'the same, of Python' installed dh-python
    want lintian 'looks at Debian packages' runs lintian
    want meson 'the same' installed meson # others in the path are not used
    want python3-dev 'headers for the Python extension' python_headers_there
    want man-db 'shows manual pages' runs man
fi

if [ "${1:-build}" = check ]; then
    want libcmocka-dev 'unit tests' compiles cmocka.h
    want clang 'second compiler, sanitizers' runs clang
    want libclang-rt-14-dev 'run-time part of the sanitizers' sanitizers_there
    want clang-tidy 'static analysis' runs clang-tidy
    want clang-format 'layout of the sources' runs clang-format
    want gcovr 'line coverage' runs gcovr
    want valgrind 'make valgrind' runs valgrind
    want strace 'counts of system calls' strace -V
    want sqlite3 'looks into a cache from outside' sqlite3 -version
    want python3-dev 'headers for the Python extension' python_headers_there
    want python3-venv 'environment for diskcache 5.6.3, the original' venv_works
fi

if [ "${1:-build}" = model ]; then
    want spin 'model checker, for the protocol of the memtable' spin -V
fi

[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "bootstrap: no apt-get here; please install the like of:$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=''
elif command -v sudo >/dev/null; then
    as_root='sudo'
else
    echo "bootstrap: neither root nor sudo; please install:$missing" >&2
    exit 1
fi

echo "bootstrap: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # lists of words
{
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
echo "bootstrap: done" >&2
