"""A persistent cache in a directory: SQLite, value files, shared memory.

>>> import diskcache
>>> with diskcache.Cache() as cache:
...     cache['answer'] = 42
...     cache['answer']
42
"""

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
from .packed import MsgpackDisk
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
from .safe import SafeDisk
from .signed import SignedDisk

__all__ = [
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
    'MsgpackDisk',
    'RLock',
    'SafeDisk',
    'SignedDisk',
    'Timeout',
    'UNKNOWN',
    'UnknownFileWarning',
    'UnsafeDirectoryError',
    'barrier',
    'default_disk',
    'memoize_stampede',
    'set_default_disk',
    'throttle',
]

try:
    from .djangocache import DjangoCache  # noqa: F401
except Exception:  # no Django, or one that is not set up: 5.6.3 does without it, too
    pass
else:
    __all__.append('DjangoCache')

__title__ = 'diskcache'
__version__ = '6.0.0'
__build__ = 0x060000
__author__ = 'the libdiskcache authors'
__license__ = 'Apache-2.0'
__copyright__ = 'Copyright 2026 the libdiskcache authors'
