#!/bin/sh
# The layout of every C file is that of .clang-format (make format puts it right).
set -eu
cd "$(dirname "$0")/.."
scripts/sources.sh all | xargs clang-format --dry-run -Werror
