#!/bin/sh
# Every shell script is at least one that a shell can read; shellcheck, where it is installed, has
# nothing to say about it.
set -eu
cd "$(dirname "$0")/.."

bad=0
for script in .ci/run $(find scripts tests bench examples -name '*.sh' | LC_ALL=C sort); do
    case $(head -n 1 "$script") in
    *bash*) bash -n "$script" || bad=1 ;;
    *) sh -n "$script" || bad=1 ;;
    esac
    if command -v shellcheck >/dev/null; then
        shellcheck -x "$script" || bad=1
    fi
done
exit $bad
