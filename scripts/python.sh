#!/bin/sh
# python.sh: bring .venv up to date: a virtual environment with the package built from this clone, and
# what its tests need. Prints the path of its Python.
set -eu
cd "$(dirname "$0")/.."

dir=$PWD/.venv
python=$dir/bin/python
mkdir -p build
exec 9>build/python.lock
flock 9 # one at a time

if [ ! -f "$dir/complete" ]; then
    echo "python: making an environment in .venv" >&2
    made=no
    # A Python that has its headers; the first is also the one of scripts/oracle.sh.
    for base in /usr/bin/python3 python3; do
        "$base" -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' \
            2>/dev/null || continue
        rm -rf "$dir"
        if "$base" -m venv "$dir" >build/python.log 2>&1; then
            made=yes
            break
        fi
    done
    if [ $made = no ]; then
        cat build/python.log >&2
        echo "python: no Python here has headers and can make a virtual environment" >&2
        exit 1
    fi
    if ! "$python" -m pip install --quiet --disable-pip-version-check \
        'meson-python>=0.15' 'meson>=1.0' ninja hypothesis mypy pytest pytest-xdist \
        >build/python.log 2>&1; then
        cat build/python.log >&2
        echo "python: what the tests need could not be installed" >&2
        exit 1
    fi
    touch "$dir/complete"
fi

# For the tests of DjangoCache: the newest Django, and beside it the oldest that is still supported.
if [ ! -f "$dir/django" ] || [ ! -d build/django-4.2 ]; then
    rm -rf build/django-4.2
    if ! "$python" -m pip install --quiet --disable-pip-version-check django django-stubs \
        >build/python.log 2>&1 ||
        ! "$python" -m pip install --quiet --disable-pip-version-check --target build/django-4.2 \
            'django~=4.2.0' >build/python.log 2>&1; then
        cat build/python.log >&2
        echo "python: Django could not be installed" >&2
        exit 1
    fi
    touch "$dir/django"
fi

# For MsgpackDisk, arrays and compressed values; the package does without them.
if [ ! -f "$dir/packed" ]; then
    if ! "$python" -m pip install --quiet --disable-pip-version-check msgpack numpy zstandard \
        >build/python.log 2>&1; then
        cat build/python.log >&2
        echo "python: msgpack, numpy and zstandard could not be installed" >&2
        exit 1
    fi
    touch "$dir/packed"
fi

# Built anew only if something in it has changed.
newest=$(find src include python meson.build pyproject.toml -type f -newer "$dir/installed" -print -quit \
    2>/dev/null || echo unknown)
if [ ! -f "$dir/installed" ] || [ -n "$newest" ]; then
    touch "$dir/installing"
    if ! PATH=$dir/bin:$PATH "$python" -m pip install --quiet --disable-pip-version-check \
        --no-build-isolation --no-deps --force-reinstall --config-settings=build-dir=build/python . \
        >build/python.log 2>&1; then
        cat build/python.log >&2
        echo "python: the package does not build" >&2
        exit 1
    fi
    mv "$dir/installing" "$dir/installed"
fi
echo "$python"
