"""Base of the state machines that drive ours and 5.6.3 with the same random operations.

SPDX-License-Identifier: Apache-2.0
"""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

import compare
import packages

# `make soak` sets it: steps of all machines together. The default is what `make check` can wait for.
STEPS = int(os.environ.get('DISKCACHE_STEPS', '50000'))
STEPS_A_RUN = 100  # of Hypothesis; most of them compare more than once

# time.time() rounds nanoseconds that are not a multiple of 256, which half a second is.
BEGINNING = 1_700_000_000.0

# A small pool of keys, so that operations meet; and now and then any key at all.
KEYS = [
    0,
    1000,
    -1,
    -1.0,
    2**62,
    2**70,
    -0.5,
    -1.5,
    'a',
    'b',
    '',
    'ключ',
    b'a',
    b'',
    None,
    True,
    (1, 'a'),
    ('x',),
]
any_key = st.one_of(
    # 5.6.3 takes any number between 0 and 10**15 for an item of the queue (`queue-numbers`).
    st.integers().filter(lambda number: not 0 < number < 1000),
    st.floats(max_value=0.0) | st.floats(min_value=1e15),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.tuples(st.integers(0, 3), st.sampled_from('abc')),
)
keys = st.one_of(st.sampled_from(KEYS), st.sampled_from(KEYS), st.sampled_from(KEYS), any_key)

SMALL = [0, 1, -1, 2**63 - 1, -(2**63), 2**64, 0.5, -0.0, 1e300, float('inf'), True, None, '', 'text',
         'a\0b', b'', b'bytes', (), (1, ('zwei', 3.0)), [1, [2]], {'k': b'v'}, 'ключ' * 5]  # fmt: skip
# In a file 5.6.3 does not keep carriage returns (`text-newlines`), and NaN nowhere (`nan-value`).
some_text = st.text(st.characters(codec='utf-8', exclude_characters='\r'), max_size=10)
small_values = st.one_of(st.sampled_from(SMALL), st.integers(), st.floats(allow_nan=False), some_text)
# Around and above a disk_min_file_size of 64. By names, which failures then show.
LARGE = {
    'text 63': 'x' * 63, 'text 64': 'x' * 64, 'wide 63': 'é' * 63, 'wide 64': 'é' * 64,
    'bytes 63': b'y' * 63, 'bytes 64': b'y' * 64, 'text 5000': 'z' * 5000,
    'bytes 6000': b'\0\xff' * 3000, 'list 40': ['p' * 40], 'list 64': ['p' * 64],
    'numbers': tuple(range(60)), 'nuls': 'n\0' * 40,
}  # fmt: skip


def large(name):
    return LARGE[name]


large_values = st.sampled_from(sorted(LARGE)).map(large)
values = st.one_of(small_values, small_values, large_values)
json_keys = st.one_of(
    st.sampled_from([0, 1, 1.5, 'a', 'b', '', None, True, [1, 'a'], {'k': 1}]), st.text(max_size=5)
)
json_values = st.one_of(
    st.sampled_from([0, 1, -2.5, None, True, '', 'text', [1, [2]], {'k': ['v']}, 'x' * 200, 2**80]),
    st.lists(st.integers(), max_size=40),
)
tags = st.sampled_from([None, None, 'red', 'blue', 7, 2.5, b'tag', ''])
# What is stored with a time that is over already 5.6.3 removes in the same call (`expired-newcomer`);
# and it does not know whether an item is there in the instant in which it expires (`expiry-instant`),
# which never comes with quarters of a second.
expires = st.sampled_from([None, None, None, 0.25, 1.25, 2.25, 2.75, 100.25])
any_expires = st.one_of(expires, st.just(-0.75))
flags = st.booleans()

steps = Counter()


class Twins(RuleBasedStateMachine):
    """Two of the same, which a subclass makes; each operation is done to both and compared."""

    def __init__(self):
        super().__init__()
        self.differ = False
        self.clock = packages.Clock()
        self.clock.stop(BEGINNING)
        self.directory = Path(tempfile.mkdtemp(prefix='twins-'))
        self.ours = self.make(packages.ours, self.directory / 'ours')
        self.oracle = self.make(packages.oracle, self.directory / 'oracle')

    def make(self, package, directory):
        raise NotImplementedError

    def both(self, operation, *args, **kwargs):
        """Do it to both; `operation` is a method's name or takes the object. Returns ours."""
        steps[type(self).__name__] += 1
        results = []
        for twin in (self.ours, self.oracle):
            function = getattr(twin, operation) if isinstance(operation, str) else operation
            first = () if isinstance(operation, str) else (twin,)
            results.append(compare.outcome(function, *first, *args, **kwargs))
        self.differ = results[0] != results[1]
        assert not self.differ, 'ours: %.500r, 5.6.3: %.500r' % tuple(results)
        return results[0]

    @rule(seconds=st.sampled_from([0.5, 1, 3]))
    def time_passes(self, seconds):
        self.clock.advance(seconds)

    def close(self, twin):
        twin.close()

    def finish(self):
        """Compare what is left, after closing both."""

    def teardown(self):
        try:
            if not self.differ:
                self.finish()
        finally:
            for twin in (self.ours, self.oracle):
                self.close(twin)
            self.clock.run()
            shutil.rmtree(self.directory)


def run(machine, share):
    """Run a machine for its share of all steps. Returns how many there were."""
    name = machine.__name__
    wanted = int(STEPS * share)
    soak = STEPS > 50000
    while steps[name] < wanted:
        runs = max(1, (wanted - steps[name]) // (2 * STEPS_A_RUN))
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=runs,
                stateful_step_count=STEPS_A_RUN,
                derandomize=not soak and steps[name] == 0,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=(Phase.generate, Phase.shrink),
                print_blob=soak,
                report_multiple_bugs=False,
            ),
        )
    return steps[name]
