#!/bin/bash
# check_install.sh: what `make install` leaves behind is enough for a stranger. Installed below a
# temporary directory, used through pkg-config and through CMake, shared and static.
set -euo pipefail
cd "$(dirname "$0")/.."

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root
prefix=${PREFIX:-/usr/local}

fail() {
    echo "check_install: $*" >&2
    exit 1
}

DESTDIR=$root scripts/install.sh >/dev/null

# Everything is there, and only below the prefix.
libdir=$(dirname "$(find "$root$prefix" -name libdiskcache.so)")
for path in "$root$prefix"/{include/diskcache{,_collections,_recipes}.h,bin/diskcache,share/man/man{1,3}/diskcache.{1,3},share/man/man5/diskcache-format.5} \
    "$libdir"/{libdiskcache.{a,so,so.6,so.6.0.0},pkgconfig/diskcache.pc} \
    "$libdir"/cmake/diskcache/diskcacheConfig{,Version}.cmake \
    "$root$prefix"/share/{bash-completion/completions/diskcache,zsh/site-functions/_diskcache} \
    "$root$prefix"/share/fish/vendor_completions.d/diskcache.fish; do
    case $path in
    */man1/*.3 | */man3/*.1) ;;
    *) [ -e "$path" ] || fail "not installed: ${path#"$root"}" ;;
    esac
done
stray=$(find "$root" -type f -not -path "$root$prefix/*")
[ -z "$stray" ] || fail "outside of the prefix: $stray"

cat >"$tmp/three.c" <<'END'
#include <diskcache.h>
#include <stdio.h>
int main(void) { return puts(dcache_version()) < 0 || dcache_hash(&(struct dcache_value){0}) == 7; }
END

export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$libdir/pkgconfig
version=$(pkg-config --modversion diskcache)
read -ra flags <<<"$(pkg-config --cflags --libs diskcache)"
"${CC:-cc}" -Wall -Wextra -Werror -o "$tmp/shared" "$tmp/three.c" "${flags[@]}"
[ "$(LD_LIBRARY_PATH=$libdir "$tmp/shared")" = "$version" ] || fail "the shared library is not $version"

# The static library, with the system's own SQLite all the same. (pkg-config --static would also ask
# for the static libraries below SQLite.)
read -ra flags <<<"$(pkg-config --cflags diskcache) $(pkg-config --libs sqlite3)"
"${CC:-cc}" -o "$tmp/static" "$tmp/three.c" "$libdir/libdiskcache.a" "${flags[@]}" -pthread -lm \
    2>"$tmp/err" || fail "the static library does not link: $(cat "$tmp/err")"
[ "$("$tmp/static")" = "$version" ] || fail "the static library is not $version"

# The header is also one for C++.
if command -v c++ >/dev/null; then
    sed 's/dcache_hash.*== 7/dcache_int(1).type != DCACHE_INT/' "$tmp/three.c" >"$tmp/three.cc"
    "${CXX:-c++}" -Wall -Wextra -Werror -fsyntax-only -I"$root$prefix/include" "$tmp/three.cc"
fi

tool=$root$prefix/bin/diskcache
[[ $(LD_LIBRARY_PATH=$libdir "$tool" --version) == *"$version"* ]] || fail "the tool does not say $version"

if command -v cmake >/dev/null && cmake --version >/dev/null 2>&1; then
    mkdir "$tmp/cmake"
    cp "$tmp/three.c" "$tmp/cmake/"
    cat >"$tmp/cmake/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.13)
project(three C)
find_package(diskcache 6.0 REQUIRED)
add_executable(three three.c)
target_link_libraries(three diskcache::diskcache)
END
    cmake -S "$tmp/cmake" -B "$tmp/cmake/build" -DCMAKE_PREFIX_PATH="$root$prefix" \
        >"$tmp/log" 2>&1 || fail "CMake: $(cat "$tmp/log")"
    cmake --build "$tmp/cmake/build" >"$tmp/log" 2>&1 || fail "CMake: $(cat "$tmp/log")"
    [ "$("$tmp/cmake/build/three")" = "$version" ] || fail "with CMake, not $version"
fi

# Manual pages that man(1) can set.
if command -v man >/dev/null; then
    for page in "$root$prefix"/share/man/man?/*.?; do
        warnings=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$page" 2>&1 >/dev/null)
        [ -z "$warnings" ] || fail "${page##*/}: $warnings"
    done
fi
echo "installed $version, used with pkg-config, CMake, shared, static and C++"
