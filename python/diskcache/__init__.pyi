from .choice import default_disk as default_disk, set_default_disk as set_default_disk
from .core import (
    DEFAULT_SETTINGS as DEFAULT_SETTINGS,
    ENOVAL as ENOVAL,
    EVICTION_POLICY as EVICTION_POLICY,
    UNKNOWN as UNKNOWN,
    Cache as Cache,
    Disk as Disk,
    EmptyDirWarning as EmptyDirWarning,
    JSONDisk as JSONDisk,
    Timeout as Timeout,
    UnknownFileWarning as UnknownFileWarning,
    UnsafeDirectoryError as UnsafeDirectoryError,
)
from .djangocache import DjangoCache as DjangoCache
from .fanout import FanoutCache as FanoutCache
from .packed import MsgpackDisk as MsgpackDisk
from .persistent import Deque as Deque, Index as Index
from .recipes import (
    Averager as Averager,
    BoundedSemaphore as BoundedSemaphore,
    Lock as Lock,
    RLock as RLock,
    barrier as barrier,
    memoize_stampede as memoize_stampede,
    throttle as throttle,
)
from .safe import SafeDisk as SafeDisk
from .signed import SignedDisk as SignedDisk

__all__ = [
    'Averager',
    'BoundedSemaphore',
    'Cache',
    'DEFAULT_SETTINGS',
    'Deque',
    'Disk',
    'DjangoCache',
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

__title__: str
__version__: str
__build__: int
__license__: str
__author__: str
__copyright__: str
