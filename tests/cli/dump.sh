#!/bin/bash
# dump and load: every type comes back exactly.
# shellcheck disable=SC2016 # for s to expand
t diskcache set text 'with "quotes", \, a	tab and ünïcödé 😀'
s 'printf "line\none\0two\177" | diskcache set --text control -'
t diskcache set empty ''
t diskcache set --type int -9223372036854775808 --int 9223372036854775807
t diskcache set --type int 0 --int -9223372036854775808
t diskcache set --type float 0.1 --float 0.1
t diskcache set --type float -1e300 --float -0.0
t diskcache set nan --float nan
t diskcache set inf --float inf
t diskcache set minus --float -inf
t diskcache set tiny --float 5e-324
t diskcache set whole --float 100000
t diskcache set none --none
t diskcache set --type none none 'a key that is None'
t diskcache set --type bytes 00ff80 --hex 00ff8001
t diskcache set --type bytes '' --hex ''
t diskcache set --type pickle 80054e859400 --pickle --hex 80055d942e
t diskcache set tagged 1 --tag red
t diskcache set tag-int 1 --tag -3 --tag-type int
t diskcache set tag-float 1 --tag 1.5 --tag-type float
t diskcache set tag-bytes 1 --tag 00fe --tag-type bytes
t diskcache set dead 1 --expire 0
t diskcache set later 1 --expire 1000d
s 'diskcache dump | notime'
echo "--- there and back"
s 'diskcache dump >one; diskcache -d other load <one; diskcache -d other dump >two; cmp one two'
s 'diskcache load --add <one; diskcache load --json <one | notime; diskcache dump | cmp - one'
s 'diskcache dump --tag red'
s 'diskcache dump --prefix tag- --tag 1.5 --tag-type float'
echo "--- large values"
s 'pattern 3000000 >large; diskcache set large --text --file large; diskcache set bytes --file large'
s 'diskcache set pickle --pickle --file large; diskcache dump >one; rm -r other'
s 'diskcache -d other load <one; diskcache -d other dump | cmp - one'
s 'diskcache -d other get large | cmp - large; diskcache -d other get bytes | cmp - large'
s 'diskcache -d other get pickle --raw | cmp - large'
s 'diskcache -d other check; ls -A tmp'
echo "--- by hand"
l() {
    line=$1
    echo "$line"
    s 'printf "%s\n" "$line" | diskcache -d hand load'
}
l '{"value":1,"key":"a"}'
l '  { "key" : "\u00e9\ud83d\ude00\n\/" , "value" : [ ] }'
l '{"key": "\u00e9\ud83d\ude00\n\/", "tag": null, "expire_time": null, "value": {"bytes": "AP8="}}'
l '{"key": "past", "value": 1, "expire_time": 1000}'
l '{"key": "a", "value": 9223372036854775808}'
l '{"key": "a", "value": 0x10}'
l '{"key": "a", "value": true}'
l '{"key": "a", "value": {"bytes": "A"}}'
l '{"key": "a", "value": {"bytes": "AP8=AP8="}}'
l '{"key": "a", "value": {"hex": "00"}}'
l '{"key": "a", "value": "\ud83d"}'
l '{"key": "a", "value": "\x"}'
l '{"key": "a", "value": "unfinished'
l '{"key": "a", "value": 1'
l '{"key": "a"}'
l '{"value": 1}'
l '{"key": "a", "key": "b", "value": 1}'
l '{"key": "a", "value": 1, "colour": 1}'
l '{"key": "a", "value": 1, "tag": {"pickle": "gAVOLg=="}}'
l '{"key": "a", "value": "\udcff"}'
l 'nonsense'
l ''
s 'printf "{\"key\": 1, \"value\": 1}\n\n{\"key\": 2, \"value\": 1} {\"key\": 3, \"value\": 1}\nx" | diskcache -d hand load'
s 'diskcache -d hand dump'
