#!/bin/bash
# check_package.sh [PYTHON]: wheel and source distribution, each installed into an empty virtual
# environment and used there. The extension has the library in it, shows nobody its insides, and
# shares SQLite with Python.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${1:-$(scripts/python.sh)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
complain() {
    echo "check_package: $*" >&2
    exit 1
}

# In a clone of its own, as somebody who has just cloned would; uncommitted work is left out.
git clone --quiet . "$work/clone"
(cd "$work/clone" && PATH=$(dirname "$python"):$PATH "$python" -c "
import mesonpy
mesonpy.build_wheel('$work')
mesonpy.build_sdist('$work')") >"$work/log" 2>&1 || { cat "$work/log" >&2 && complain 'does not build'; }

cat >"$work/use.py" <<'END'
import os
import sys

import diskcache

directory = sys.argv[1]
with diskcache.Cache(directory) as cache:
    cache['key'] = {'a': 1}
    cache['large'] = b'x' * 100000
with diskcache.Cache(directory) as cache:
    assert cache['key'] == {'a': 1} and cache['large'] == b'x' * 100000
with diskcache.FanoutCache(directory + '-fanout') as cache:
    cache['key'] = 1
    assert cache['key'] == 1
assert list(diskcache.Deque([1, 2], directory + '-deque')) == [1, 2]
assert dict(diskcache.Index(directory + '-index', a=1)) == {'a': 1}
assert os.path.exists(os.path.join(os.path.dirname(diskcache.__file__), 'py.typed'))
print(diskcache.__version__, diskcache._core.__file__)
END

try() {
    local name=$1 package=$2 extension
    "$python" -m venv "$work/$name"
    "$work/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$package"
    (cd "$work" && "$work/$name/bin/python" use.py "$work/$name-cache") >"$work/out" ||
        complain "the $name does not work"
    extension=$(cut -d ' ' -f 2 "$work/out")
    [ "$(cut -d ' ' -f 1 "$work/out")" = 6.0.0 ] || complain "the $name has another version"
    [ "$(nm -D --defined-only "$extension" | awk '{ print $3 }')" = PyInit__core ] ||
        complain "the extension of the $name exports more than PyInit__core"
    readelf -d "$extension" | grep -q 'NEEDED.*libsqlite3\.so' || complain 'SQLite is not shared'
    ! readelf -d "$extension" | grep -q libdiskcache || complain 'the library is not inside'
}
try wheel "$work"/*.whl
try sdist "$work"/*.tar.gz
echo 'wheel and sdist work'
