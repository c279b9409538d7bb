#!/bin/bash
# completion: the files that are installed are what the tool prints.
# shellcheck disable=SC2016 # for s to expand
s 'diskcache completion bash | cmp - "$DC_TESTS/../../cli/completion/diskcache.bash"'
s 'diskcache completion zsh | cmp - "$DC_TESTS/../../cli/completion/_diskcache"'
s 'diskcache completion fish | cmp - "$DC_TESTS/../../cli/completion/diskcache.fish"'
t diskcache completion tcsh
t diskcache completion
complete_words() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _diskcache
    echo "$*: ${COMPREPLY[*]}"
}
# shellcheck disable=SC1090 # what it prints
. <(diskcache completion bash)
s 'for k in apple "apple pie" pear; do diskcache set "$k" 1; done'
complete_words diskcache e
complete_words diskcache -d cache ge
complete_words diskcache get app
complete_words diskcache -d nowhere get app
complete_words diskcache get --o
complete_words diskcache completion z
complete_words diskcache help ver
complete_words diskcache --j
complete_words diskcache -d ca
