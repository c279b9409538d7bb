#!/bin/bash
# doctor: one line a check; warnings make it exit with 1.
# shellcheck disable=SC2016 # for s to expand
t diskcache set a 1
plain() {
    s 'diskcache doctor | sed -E "/^[a-z]+ +(file system|disk) /d; s/[0-9.]+ [KM]iB are used/N are used/"; (exit "${PIPESTATUS[0]}")'
}
plain
s 'chmod 777 cache'
plain
s 'chmod 755 cache'
plain
s 'chmod 700 cache; diskcache config colour blue'
plain
s 'diskcache config cull_limit 0; diskcache config sqlite_synchronous 0'
s 'diskcache config size_limit 1000; for i in $(seq 12); do diskcache set $i x --expire 0; done'
plain
s 'diskcache config eviction_policy none; mkdir -p cache/ab/cd; diskcache expire'
plain
s 'diskcache doctor --json | grep -o "\"check\": \"[a-z ]*\"" | sort -u'
