"""A persistent cache in a directory: SQLite, value files, shared memory.

>>> import diskcache
>>> with diskcache.Cache() as cache:
...     cache['answer'] = 42
...     cache['answer']
42
"""

import importlib

from .choice import default_disk, set_default_disk
from .core import (
    DEFAULT_SETTINGS,
    ENOVAL,
    EVICTION_POLICY,
    UNKNOWN,
    Cache,
    Disk,
    EmptyDirWarning,
    JSONDisk,
    Timeout,
    UnknownFileWarning,
    UnsafeDirectoryError,
)
from .fanout import FanoutCache
from .persistent import Deque, Index
from .recipes import (
    Averager,
    BoundedSemaphore,
    Lock,
    RLock,
    barrier,
    memoize_stampede,
    throttle,
)

# Imported when asked for: each has imports of its own, Django's alone take longer than all of ours.
_LATER = {
    'DjangoCache': 'djangocache',
    'MsgpackDisk': 'packed',
    'SafeDisk': 'safe',
    'SignedDisk': 'signed',
}
_NAMES = [
    'Averager',
    'BoundedSemaphore',
    'Cache',
    'DEFAULT_SETTINGS',
    'Deque',
    'Disk',
    'ENOVAL',
    'EVICTION_POLICY',
    'EmptyDirWarning',
    'FanoutCache',
    'Index',
    'JSONDisk',
    'Lock',
    'RLock',
    'Timeout',
    'UNKNOWN',
    'UnknownFileWarning',
    'UnsafeDirectoryError',
    'barrier',
    'default_disk',
    'memoize_stampede',
    'set_default_disk',
    'throttle',
    'MsgpackDisk',
    'SafeDisk',
    'SignedDisk',
]


def __getattr__(name):
    if name == '__all__':
        return [*_NAMES, *(['DjangoCache'] if _has_django() else [])]
    if name not in _LATER:
        raise AttributeError('module %r has no attribute %r' % (__name__, name))
    try:
        value = getattr(importlib.import_module('.' + _LATER[name], __name__), name)
    except Exception as error:  # no Django, or one that is not set up: 5.6.3 does without it, too
        raise AttributeError('%s: %s' % (name, error)) from error
    globals()[name] = value
    return value


def _has_django():
    try:
        __getattr__('DjangoCache')
    except AttributeError:
        return False
    return True


def __dir__():
    return sorted({*globals(), *__getattr__('__all__'), '__all__'})


__title__ = 'diskcache'
__version__ = '6.0.0'
__build__ = 0x060000
__author__ = 'the libdiskcache authors'
__license__ = 'Apache-2.0'
__copyright__ = 'Copyright 2026 the libdiskcache authors'
