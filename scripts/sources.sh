#!/bin/sh
# sources.sh all|checked: the C files, one a line. `checked` are those that ship: clang-tidy is for them.
set -eu
cd "$(dirname "$0")/.."

case $1 in
all) find include src cli python tests bench examples -name '*.[ch]' | LC_ALL=C sort ;;
checked) find src cli python -name '*.[ch]' | LC_ALL=C sort ;;
*) exit 2 ;;
esac
