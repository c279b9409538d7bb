"""A persistent cache in a directory: SQLite, value files, shared memory.

>>> import diskcache
>>> with diskcache.Cache() as cache:
...     cache['answer'] = 42
...     cache['answer']
42
"""

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
)

__all__ = [
    'Cache',
    'DEFAULT_SETTINGS',
    'Disk',
    'ENOVAL',
    'EVICTION_POLICY',
    'EmptyDirWarning',
    'JSONDisk',
    'Timeout',
    'UNKNOWN',
    'UnknownFileWarning',
]

__title__ = 'diskcache'
__version__ = '6.0.0'
__build__ = 0x060000
__license__ = 'Apache-2.0'
