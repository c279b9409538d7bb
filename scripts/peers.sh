#!/bin/sh
# peers.sh: print the path of a Python that has what `make bench` compares with, and what draws its pictures.
# Its environment, build/peers, is made once; what could not be installed is named, with its reason, by
# the benchmark, which asks each peer itself.
set -eu
cd "$(dirname "$0")/.."

dir=$PWD/build/peers
mkdir -p build
exec 9>build/peers.lock
flock 9

if [ ! -f "$dir/complete" ]; then
    echo "peers: making an environment in build/peers" >&2
    rm -rf "$dir"
    /usr/bin/python3 -m venv "$dir" # the one that has Debian's dbm.gnu
    for package in diskcache==5.6.3 diskcache-community diskcache-rs pysciqlop-cache lmdb sqlitedict \
        rocksdict pymemcache pylibmc redis django matplotlib; do
        "$dir/bin/python" -m pip install --quiet --disable-pip-version-check "$package" >build/peers.log 2>&1 ||
            echo "peers: $package cannot be installed: $(grep -m 1 '^ERROR' build/peers.log)" >&2
    done
    touch "$dir/complete"
fi
echo "$dir/bin/python"
