#!/bin/bash
# check, expire, cull, evict, clear, compact, backup.
# shellcheck disable=SC2016 # for s to expand
t diskcache check
t diskcache set a 1
t diskcache config cull_limit 0
t diskcache set b 2 --expire 0
t diskcache set c 3 --expire 0
t diskcache set d 4 --tag red
t diskcache set e 5 --tag red
t diskcache set f 6 --tag 7 --tag-type int
t diskcache check
t diskcache check --json
t diskcache expire
t diskcache expire --json
t diskcache evict red
t diskcache evict red
t diskcache evict 7 --tag-type int --json
t diskcache cull
t diskcache ls
echo "--- damage"
s 'pattern 50000 | diskcache set big -'
s 'mkdir -p cache/00/11; echo stray >cache/00/11/0123456789abcdef0123456789ab.val'
s 'touch -d "1 hour ago" cache/00/11/*.val'
s 'diskcache check | cut -d: -f1'
s 'diskcache check >/dev/null; echo $?'
s 'diskcache check --json | grep -o "\"kind\": \"[a-z-]*\", \"fixed\": [a-z]*"'
s 'diskcache check --fix | sed "s/:.* (/: (/"'
t diskcache check
s 'find cache -name "*.val" -exec rm {} +'
s 'diskcache check | cut -d: -f1; diskcache get big'
s 'diskcache check --fix | sed "s/:.* (/: (/"'
t diskcache check
t diskcache ls
echo "--- checksums"
t diskcache config checksums 1
s 'pattern 50000 | diskcache set big -'
s 'printf X | dd of=$(find cache -name "*.val") bs=1 seek=777 conv=notrunc status=none'
s 'diskcache get big; echo $?; diskcache stats | grep damaged'
s 'diskcache check | cut -d: -f1,3'
s 'diskcache check --json | grep -o "\"kind\": \"[a-z-]*\""'
s 'diskcache check --fix | sed "s/:.* (/: (/"'
t diskcache check
t diskcache config checksums 0
echo "--- backup, compact, clear"
s 'pattern 50000 | diskcache set big -'
t diskcache backup copy
s 'diskcache -d copy get big | cmp - <(pattern 50000)'
t diskcache -d copy check
t diskcache backup copy
t diskcache backup copy2 --json
t diskcache backup
s 'diskcache compact | sed -E "s/[0-9.]+ [KM]iB/N/g"'
s 'diskcache compact --json | sed -E "s/[0-9]+/N/g"'
t diskcache clear --yes
t diskcache clear
t diskcache ls
s 'find cache -name "*.val"'
t diskcache -d copy clear --json
t diskcache clear everything
