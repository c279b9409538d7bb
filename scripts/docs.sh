#!/bin/sh
# docs.sh: the site, in build/site/html. A warning of Sphinx is an error. Its environment is made once.
set -eu
cd "$(dirname "$0")/.."

python=$(scripts/python.sh)
dir=$PWD/build/docs
exec 9>build/docs.lock
flock 9

if [ ! -f "$dir/complete" ]; then
    echo "docs: making an environment in build/docs" >&2
    rm -rf "$dir"
    # Of the same Python as the package, which is imported for its reference.
    if ! "$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')" -m venv "$dir" \
        >build/docs.log 2>&1 ||
        ! "$dir/bin/python" -m pip install --quiet --disable-pip-version-check sphinx myst-parser furo \
            >build/docs.log 2>&1; then
        cat build/docs.log >&2
        echo "docs: Sphinx could not be installed" >&2
        exit 1
    fi
    touch "$dir/complete"
fi

rm -rf build/site
"$dir/bin/python" docs/site/generate.py build/site/source
PYTHONPATH=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))') \
    "$dir/bin/python" -m sphinx -W --keep-going -q -b html build/site/source build/site/html
echo "docs: build/site/html/index.html"
