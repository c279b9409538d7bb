"""What a full cache evicts, beside 5.6.3.

Both ask the volume: pages of the database, of which the two need different numbers, and the sizes of
files. So values are files in units of 256 KiB, and the limit lies such that the pages never decide.
With a cull_limit of 1 a write evicts at most one row, and 5.6.3 no more than is needed.

SPDX-License-Identifier: Apache-2.0
"""

from hypothesis import strategies as st
from hypothesis.stateful import rule

import packages
import twins
from differences import differs
from test_differential_cache import same_rows

UNIT = 256 * 1024
LIMIT = 4 * UNIT + UNIT - 4096
CONTENT = {units: bytes([units]) * (units * UNIT) for units in (1, 2, 4)}

some_keys = st.integers(0, 9)
some_units = st.sampled_from([1, 1, 1, 2, 4])


class Stored(twins.Twins):
    policy = 'least-recently-stored'

    def make(self, package, directory):
        return package.Cache(directory, eviction_policy=self.policy, size_limit=LIMIT, cull_limit=1,
                             **packages.memtable(package))  # fmt: skip

    def tick(self):
        """No two times are the same, so that the order of eviction is defined."""
        self.clock.advance(0.5)

    def finish(self):
        self.both('close')
        same_rows(self.directory / 'ours', self.directory / 'oracle')

    @rule(
        key=some_keys,
        units=st.sampled_from([1, 1, 1, 2, 4]),
        expire=st.sampled_from([None, None, 1.25, 5.25]),
    )
    def set(self, key, units, expire):
        self.tick()
        self.both('set', key, CONTENT[units], expire=expire)
        self.both(list)

    @rule(key=some_keys, add=st.booleans())
    def small(self, key, add):
        self.tick()
        self.both('add' if add else 'set', key, 'small')
        self.both(list)

    @rule(key=some_keys)
    def get(self, key):
        self.tick()
        self.both(lambda cache: len(cache.get(key, b'')))

    @rule(key=some_keys)
    def incr(self, key):
        self.tick()
        self.both('incr', 'count-%d' % key)

    @rule(key=some_keys)
    def delete(self, key):
        self.both('delete', key)

    @rule(key=some_keys)
    def touch(self, key):
        self.tick()
        self.both('touch', key, expire=2.25)

    @rule()
    def expire(self):
        self.both('expire')


class Used(Stored):
    policy = 'least-recently-used'


def test_rows_stored_longest_ago_go_first(record_steps):
    record_steps(twins.run(Stored, 0.03))


def test_rows_used_longest_ago_go_first(record_steps):
    record_steps(twins.run(Used, 0.03))


def test_least_frequently_used_is_not_compared():
    """There 5.6.3 evicts the newcomer, whose count is 0; test_defects_eviction.py has ours."""
    assert differs('lfu-ageing')
