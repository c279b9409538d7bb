#!/bin/bash
# get: types, misses, --default, -o, --json, pickles.
# shellcheck disable=SC2016 # for s to expand
t diskcache get a
t diskcache set a 'some text'
s 'diskcache get a | od -c'
t diskcache get missing
t diskcache get missing --default 'instead'
t diskcache get a --default 'instead'
t diskcache set i --int -42
t diskcache get i
t diskcache set f --float 2.50
t diskcache get f
t diskcache set big --float 1e100
t diskcache get big
t diskcache set n --none
s 'diskcache get n | wc -c'
t diskcache set x --hex 00ff0a
s 'diskcache get x | od -An -tx1'
t diskcache set p --hex --pickle 80055d942e
s 'diskcache get p >out; echo $?; wc -c <out'
s 'diskcache get p --raw | od -An -tx1'
echo "--- into a file"
t diskcache get a -o file
s 'cat file'
s 'echo before >file; diskcache get missing -o file; cat file'
t diskcache get a --output no/such/file
s 'ls'
s 'diskcache get a -o /dev/null'
echo "--- JSON"
for key in a i f big n x p; do
    s "diskcache get $key --json | notime"
done
t diskcache get missing --json
