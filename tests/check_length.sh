#!/bin/sh
# No file longer than 800 lines, no function longer than 60: beyond that there are two jobs in one.
# clang-format sees to it that a function's braces stand at the beginning of a line.
set -eu
cd "$(dirname "$0")/.."

# shellcheck disable=SC2016 # for awk to expand
scripts/sources.sh all | xargs awk '
    FNR == 1 { start = 0 }
    FNR == 801 {
        printf "%s: more than 800 lines\n", FILENAME
        bad = 1
    }
    /^[A-Za-z_].*\(/ { head = $0 }
    /^{/ { start = FNR }
    /^}/ && start {
        if (FNR - start - 1 > 60) {
            printf "%s:%d: %d lines: %s\n", FILENAME, start, FNR - start - 1, head
            bad = 1
        }
        start = 0
    }
    END { exit bad }' >&2
