#!/bin/bash
# push, pull, peek.
# shellcheck disable=SC2016 # for s to expand
t diskcache pull
t diskcache push one
t diskcache push two
t diskcache push zero --side front
t diskcache push three --json
t diskcache peek
t diskcache peek --side back
s 'for i in 1 2 3 4 5; do diskcache pull; echo " $?"; done'
t diskcache pull --json
t diskcache pull --default empty
t diskcache push a --prefix jobs
t diskcache push b --prefix jobs --tag night --expire 1h
s 'diskcache peek --prefix jobs --side back --json | notime'
t diskcache pull --prefix other
s 'printf raw | diskcache push - --prefix jobs; diskcache pull --prefix jobs --side back; echo'
t diskcache push gone --prefix jobs --side front --expire 0
t diskcache pull --prefix jobs
t diskcache push
t diskcache push x --side left
t diskcache ls
