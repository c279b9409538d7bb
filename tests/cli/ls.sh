#!/bin/bash
# ls: order, filters, forms.
# shellcheck disable=SC2016 # for s to expand
s 'for k in pear apple fig "new
line"; do diskcache set "$k" "value $k"; done'
s 'diskcache set big "$(pattern 5000)" --tag large --expire 1h'
t diskcache set --type int 42 --int 1 --tag 7 --tag-type int
t diskcache set --type bytes 6100ff --float 1.5
t diskcache set old x --expire 0
t diskcache ls
t diskcache ls --sort key
t diskcache ls --sort key --reverse --limit 3
t diskcache ls --reverse --limit 2
t diskcache ls --sort size
t diskcache ls --sort size --reverse --limit 1
t diskcache ls --sort expire
t diskcache ls --sort count --limit 2
t diskcache ls --limit 0
t diskcache ls '*p*'
t diskcache ls '4?'
t diskcache ls '[a-f]*' --sort key
t diskcache ls --prefix p
t diskcache ls --tag large
t diskcache ls --tag 7 --tag-type int
t diskcache ls --no-tag --sort key
t diskcache ls --type int
t diskcache ls --expired
t diskcache ls --live --sort key
s 'diskcache ls -0 --type text --sort key | tr "\0" "|"; echo'
s 'diskcache ls -l | sed -E "s/[0-9-]{10} [0-9:]{8}/DATE/g"'
s 'diskcache ls --json | notime'
s 'diskcache ls nothing-like-it; diskcache ls --json --prefix zzz'
s 'diskcache ls -0 --type text | xargs -0 diskcache rm --'
t diskcache ls
echo "--- wrong"
t diskcache ls --sort colour
t diskcache ls --limit -1
t diskcache ls --expired --live
t diskcache ls a b
t diskcache -d nowhere ls
