#!/bin/bash
# lib.sh SCRIPT: what the scripts share. Run by run.sh.

# Show a command, what it prints, and its exit status if that is not 0.
t() {
    echo "\$ $*"
    "$@" >"$DC_SHOWN" 2>&1
    shown "$?"
}

# The same for a pipeline or anything else that needs a shell.
s() {
    echo "\$ $1"
    eval "$1" >"$DC_SHOWN" 2>&1
    shown "$?"
}

shown() {
    cat "$DC_SHOWN"
    if [ -s "$DC_SHOWN" ] && [ "$(tail -c 1 "$DC_SHOWN" | wc -l)" = 0 ]; then
        echo "[no newline]"
    fi
    [ "$1" = 0 ] || echo "[exit $1]"
}

# Times differ from run to run.
notime() {
    sed -E 's/"(store_time|access_time|expire_time)": [0-9.e+]+/"\1": TIME/g'
}

# So many bytes, always the same, of every value.
pattern() {
    awk -v n="$1" 'BEGIN { for (i = 0; i < n / 16; i++) printf "%015d\n", i * 7919 % 1000003 }' |
        head -c "$1"
}

# shellcheck disable=SC1090 # the script to run
. "$1"
