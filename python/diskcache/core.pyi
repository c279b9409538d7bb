import sqlite3
import threading
import warnings
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from os import PathLike
from types import TracebackType
from typing import Any, Literal, TypeVar

from typing_extensions import Self

from . import _core
from ._core import (
    Timeout as Timeout,
    UnsafeDirectoryError as UnsafeDirectoryError,
    _Expire,
    _Stats,
    _Tag,
)
from .disk import (
    DBNAME as DBNAME,
    ENOVAL as ENOVAL,
    MODE_BINARY as MODE_BINARY,
    MODE_NONE as MODE_NONE,
    MODE_PICKLE as MODE_PICKLE,
    MODE_RAW as MODE_RAW,
    MODE_TEXT as MODE_TEXT,
    UNKNOWN as UNKNOWN,
    Constant as Constant,
    Disk as Disk,
    JSONDisk as JSONDisk,
)
from .memoize import _Decorator, args_to_key as args_to_key, full_name as full_name

_T = TypeVar('_T')

__all__ = [
    'Cache',
    'Constant',
    'DBNAME',
    'DEFAULT_SETTINGS',
    'Disk',
    'ENOVAL',
    'EVICTION_POLICY',
    'EmptyDirWarning',
    'JSONDisk',
    'METADATA',
    'MODE_BINARY',
    'MODE_NONE',
    'MODE_PICKLE',
    'MODE_RAW',
    'MODE_TEXT',
    'Timeout',
    'UNKNOWN',
    'UnknownFileWarning',
    'UnsafeDirectoryError',
    'args_to_key',
    'full_name',
]

DEFAULT_SETTINGS: dict[str, int | str]
METADATA: dict[str, int]
EVICTION_POLICY: dict[str, dict[str, str | None]]
_HOOKS: tuple[str, ...]

class UnknownFileWarning(UserWarning): ...
class EmptyDirWarning(UserWarning): ...

class _Directory(_core.Cache):
    # settings, as they were when the cache was opened or the setting last reset()
    statistics: int
    tag_index: int
    eviction_policy: str
    size_limit: float
    cull_limit: int
    sqlite_auto_vacuum: int
    sqlite_cache_size: int
    sqlite_journal_mode: str
    sqlite_mmap_size: int
    sqlite_synchronous: int
    disk_min_file_size: int
    disk_pickle_protocol: int
    _directory: str
    _timeout: float
    @property
    def directory(self) -> str: ...
    @property
    def timeout(self) -> float: ...
    @property
    def disk(self) -> Disk: ...
    @property
    def count(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def hits(self) -> int: ...
    @property
    def misses(self) -> int: ...
    def __init_subclass__(cls, **kwargs: Any) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: Any) -> None: ...
    def transact(self, retry: bool = False) -> AbstractContextManager[None]: ...
    def ttl(self, key: Any, default: _T | None = None) -> float | _T | None: ...
    def path(self, key: Any) -> str | None: ...
    def delete_prefix(self, prefix: str | bytes, retry: bool = False) -> int: ...
    def check(self, fix: bool = False, retry: bool = False) -> list[warnings.WarningMessage]: ...
    def stats(self, enable: bool = True, reset: bool = False) -> _Stats: ...
    def create_tag_index(self) -> None: ...
    def drop_tag_index(self) -> None: ...
    def reset(self, key: str, value: Any = ..., update: bool = True) -> Any: ...
    def memoize(
        self,
        name: str | None = None,
        typed: bool = False,
        expire: _Expire = None,
        tag: _Tag = None,
        ignore: Collection[int | str] = (),
        *,
        key: Callable[..., Any] | None = None,
        bind: bool = False,
        single_flight: bool = False,
    ) -> _Decorator: ...

class Cache(_Directory):
    _local: threading.local
    def __init__(
        self,
        directory: str | PathLike[str] | int | None = None,
        timeout: float = 60,
        disk: type[Disk] = ...,
        *,
        on_decode_error: Literal['raise', 'miss', 'delete'] = 'raise',
        trust_directory: bool = False,
        on_corruption: Literal['raise', 'rebuild'] = 'raise',
        **settings: Any,
    ) -> None: ...
    @property
    def _con(self) -> sqlite3.Connection: ...
    @property
    def _sql(self) -> Callable[..., sqlite3.Cursor]: ...
    def push(
        self,
        value: Any,
        prefix: str | None = None,
        side: str = 'back',
        expire: _Expire = None,
        read: bool = False,
        tag: _Tag = None,
        retry: bool = False,
    ) -> Any: ...
    def pull(
        self,
        prefix: str | None = None,
        default: Any = (None, None),
        side: str = 'front',
        expire_time: bool = False,
        tag: bool = False,
        retry: bool = False,
    ) -> Any: ...
    def peek(
        self,
        prefix: str | None = None,
        default: Any = (None, None),
        side: str = 'front',
        expire_time: bool = False,
        tag: bool = False,
        retry: bool = False,
    ) -> Any: ...
    def peekitem(
        self,
        last: bool = True,
        expire_time: bool = False,
        tag: bool = False,
        retry: bool = False,
    ) -> Any: ...
    def __getstate__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, state: tuple[Any, ...]) -> None: ...
