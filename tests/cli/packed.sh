#!/bin/bash
# get --json of what Python's MsgpackDisk has packed, and of bytes that only look so.
# shellcheck disable=SC2016 # for s to expand
p() {
    echo "--- $1"
    diskcache set k --hex "c16d7000$2" >/dev/null
    diskcache get k --json | sed -E 's/.*"value": \{[^}]*\}(, "msgpack": )?//; s/,? ?"tag": null.*//'
}
p 'numbers' 9d00057fffe0cc80cdffffceffffffffcfffffffffffffffffd080d18000d280000000d38000000000000000
p 'reals' 93ca3fc00000cb3ff8000000000000cb7ff8000000000000
p 'nil, truth' 93c0c2c3
p 'texts' 94a0a161d902c3bcda000161
p 'bytes' 92c40100c50002ffff
p 'maps' 928081a16202
p 'a map' 82a16191c3a16280
p 'other keys' 8201020304
p 'tuple, set, frozenset' 93c70301920102c702029101c7010390
p 'in one another' c70901919181a16bc7010190
p 'texts of extensions' 94c70a04323032362d30312d3031c70305312e31c70308312e31c7030a313233
p 'UUID' d80900112233445566778899aabbccddeeff
p 'timestamps' 93d6ff00000000d7ff0000000400000001c70cff00000001ffffffffffffffff
p 'unknown' d4630a
p 'lists of 16 and 32 bits' 92dc000101dd0000000102
p 'maps of 16 and 32 bits' 92de0001a16101df00000001a16202
for bad in '' c1 0101 ddffffffff df7fffffff01 dbffffffff61 c9ffffffff0190 c70301910101 c7020191 d60900112233 92 a261; do
    p "not sound: $bad" "$bad"
done
echo '--- depth'
s 'diskcache set k --hex c16d7000$(printf 91%.0s {1..100})90; diskcache get k --json | grep -c msgpack'
s 'diskcache set k --hex c16d7000$(printf 91%.0s {1..101})90; diskcache get k --json | grep -c msgpack'
s 'diskcache set k --hex c16d700090; diskcache get k | od -An -tx1'
