"""Fixtures: `package` runs a test on ours and on 5.6.3; `ours`, `oracle`, `clock` are what they say.

SPDX-License-Identifier: Apache-2.0
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

pytest.register_assert_rewrite('compare', 'packages', 'twins')

import packages  # noqa: E402

_steps = {}


@pytest.fixture(params=['ours', '5.6.3'])
def package(request):
    return packages.ours if request.param == 'ours' else packages.oracle


@pytest.fixture
def ours():
    if not packages.is_ours(packages.ours):
        pytest.skip('5.6.3 runs in our place')
    return packages.ours


@pytest.fixture
def oracle():
    return packages.oracle


@pytest.fixture
def clock():
    clock = packages.Clock()
    clock.stop()
    yield clock
    clock.run()


@pytest.fixture
def cache(package, tmp_path):
    with package.Cache(tmp_path / 'cache') as cache:
        yield cache


@pytest.fixture
def record_steps(request):
    """How many steps a state machine took; the sum is shown, also of several pytest processes."""

    def record(count):
        _steps[request.node.nodeid] = count

    return record


def pytest_sessionfinish(session):
    if hasattr(session.config, 'workeroutput'):
        session.config.workeroutput['steps'] = dict(_steps)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    _steps.update(getattr(node, 'workeroutput', {}).get('steps', {}))


def pytest_terminal_summary(terminalreporter):
    """The last lines, in the form of all our checks."""
    counts = {kind: len(terminalreporter.stats.get(kind, ())) for kind in ('passed', 'failed', 'error')}
    if _steps:
        terminalreporter.write_line('differential: %d steps' % sum(_steps.values()))
    terminalreporter.write_line(
        '%d passed, %d failed' % (counts['passed'], counts['failed'] + counts['error'])
    )
