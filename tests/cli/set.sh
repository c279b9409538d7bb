#!/bin/bash
# set and add: where values come from, types, expiry, tags.
# shellcheck disable=SC2016 # for s to expand
s 'printf "from stdin" | diskcache set a -'
s 'diskcache get a --json | notime'
s 'printf "as text" | diskcache set a - --text'
s 'diskcache get a --json | notime'
s 'printf "from a file" >file; diskcache set a --file file'
t diskcache get a
t diskcache set a --file no-such-file
t diskcache get a
s 'diskcache set empty ""; diskcache get empty | wc -c'
s 'diskcache set empty - </dev/null; diskcache get empty | wc -c'
s 'printf "a\0b" | diskcache set nul -; diskcache get nul | od -An -c'
s 'printf "a\377b" | diskcache set broken --text -'
t diskcache get broken
echo "--- add"
t diskcache add b first
t diskcache add b second
t diskcache get b
t diskcache add b second --json
t diskcache add c first --json
echo "--- expiry and tags"
t diskcache set e gone --expire 0
t diskcache get e
t diskcache add e back --expire 1h30m --tag blue
s 'diskcache get e --json | notime'
t diskcache set e back --tag 7 --tag-type int --expire never
s 'diskcache get e --json | notime'
echo "--- keys of other types"
t diskcache set --type int 5 five
t diskcache set --type float 0.5 half
t diskcache set --type bytes 00ff bytes
t diskcache get --type int 5
t diskcache get 5
t diskcache get -t bytes 00FF
s 'diskcache ls --json --type int | notime'
echo "--- wrong"
t diskcache set a
t diskcache set a b c
t diskcache set a b --file file
t diskcache set a --int 1.5
t diskcache set a --int 9223372036854775808
t diskcache set a --float many
t diskcache set a --hex 123
t diskcache set a --none b
t diskcache set a b --expire soon
t diskcache set --type colour a b
t diskcache set --type int x b
t diskcache set a b --tag 80 --tag-type pickle
t diskcache set a --int -
t diskcache get a
