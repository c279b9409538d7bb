"""The deliberate differences from 5.6.3, as docs/DIFFERENCES.md lists them.

A test that leaves something out of a comparison names the row that says why: differs('name') fails
when there is no such row, and test_differences.py when no test names a row.

SPDX-License-Identifier: Apache-2.0
"""

import re

from packages import ROOT

TABLE = ROOT / 'docs/DIFFERENCES.md'
_ROW = re.compile(r'^\| `([a-z0-9-]+)` \|')
_ADDED = re.compile(r'^- `([A-Za-z_.]+)(\([^`]*\))?`')


def names():
    lines = TABLE.read_text().splitlines()
    return [match[1] for match in map(_ROW.match, lines) if match]


def additions():
    """Public names that 5.6.3 does not have: "Cache.path" or "Cache.get(touch)"."""
    result = set()
    for match in map(_ADDED.match, TABLE.read_text().splitlines()):
        if match and match[2]:
            parameters = match[2].strip('()').split(',')
            result.update('%s(%s)' % (match[1], name.strip()) for name in parameters)
        elif match:
            result.add(match[1])
    return result | {'Fanout' + name for name in result if name.startswith('Cache.')}


_names = frozenset(names())


def differs(name):
    """True. Reads well in the condition of a comparison that is left out."""
    assert name in _names, 'docs/DIFFERENCES.md has no row `%s`' % name
    return True
