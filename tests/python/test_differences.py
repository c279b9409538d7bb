"""docs/DIFFERENCES.md and the tests name the same differences.

SPDX-License-Identifier: Apache-2.0
"""

import re
from pathlib import Path

from differences import TABLE, names

TESTS = ''.join(path.read_text() for path in sorted(Path(__file__).parent.glob('test_*.py')))


def test_each_name_is_there_once():
    assert len(names()) == len(set(names())) > 0


def test_each_difference_is_shown_by_a_test():
    for line in TABLE.read_text().splitlines():
        if re.match(r'^\| `[a-z]', line):
            (shown_by,) = re.findall(r'\| `(test_\w+)` \|$', line)
            assert 'def %s(' % shown_by in TESTS, line


def test_each_name_that_a_test_gives_is_in_the_table():
    assert set(re.findall(r"differs\('([^']+)'\)", TESTS)) <= set(names())
