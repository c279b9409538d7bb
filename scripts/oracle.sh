#!/bin/sh
# oracle.sh: print the path of a Python that has diskcache 5.6.3, the original, to compare with.
# Its environment, build/oracle, is made once.
set -eu
cd "$(dirname "$0")/.."

dir=$PWD/build/oracle
mkdir -p build
exec 9>build/oracle.lock
flock 9

if [ ! -f "$dir/complete" ]; then
    echo "oracle: making an environment with diskcache 5.6.3 in build/oracle" >&2
    made=no
    for python in /usr/bin/python3 python3; do
        rm -rf "$dir"
        if "$python" -m venv "$dir" >build/oracle.log 2>&1; then
            made=yes
            break
        fi
    done
    if [ $made = no ]; then
        cat build/oracle.log >&2
        echo "oracle: no Python here can make a virtual environment" >&2
        exit 1
    fi
    if ! "$dir/bin/python" -m pip install --quiet --disable-pip-version-check \
        diskcache==5.6.3 >build/oracle.log 2>&1; then
        cat build/oracle.log >&2
        echo "oracle: diskcache 5.6.3 could not be installed" >&2
        exit 1
    fi
    touch "$dir/complete"
fi
echo "$dir/bin/python"
