# Types of the extension. What its Cache takes and gives is described at diskcache.core.Cache.
from collections.abc import Callable, Iterable, Iterator as _Iterator, Mapping
from datetime import timedelta
from os import PathLike
from pickle import UnpicklingError
from types import EllipsisType
from typing import IO, Any, ClassVar, Literal, SupportsFloat, TypeVar, final, overload

from typing_extensions import TypeAlias, disjoint_base

_T = TypeVar('_T')
_Tag: TypeAlias = str | bytes | float | None
_Expire: TypeAlias = float | timedelta | None
_Key: TypeAlias = Any

LEAVE_FILES: int
REBUILD: int
version: str

class Timeout(Exception): ...
class UnsafeDirectoryError(UnpicklingError): ...

def packed_is_sound(data: Any, /) -> bool: ...

@final
class Seal:
    def __new__(cls, keys: tuple[tuple[bytes, Any], ...], error: type[Exception]) -> Seal: ...
    def close(self, place: bytes, letter: str, data: bytes, /) -> bytes: ...
    def open(self, place: bytes, data: bytes, /) -> tuple[str, bytes]: ...

@final
class PickleReader:
    def __new__(
        cls,
        find: Callable[[str, str], tuple[Any, Any]],
        builders: dict[type, Callable[[Any, Any], Any]],
    ) -> PickleReader: ...
    def __call__(self, data: Any, /) -> Any: ...

@final
class Transaction:
    def end(self, commit: bool, /) -> None: ...

@final
class Iterator:
    def __iter__(self) -> Iterator: ...
    def __next__(self) -> Any: ...

class _Stats(tuple[int, int]):
    @property
    def hits(self) -> int: ...
    @property
    def misses(self) -> int: ...
    @property
    def evicted(self) -> int: ...
    @property
    def items(self) -> int: ...
    @property
    def expired(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def db_bytes(self) -> int: ...
    @property
    def wal_bytes(self) -> int: ...
    @property
    def timeouts(self) -> int: ...
    @property
    def damaged(self) -> int: ...

@disjoint_base
class Cache:
    def __contains__(self, key: _Key, /) -> bool: ...
    def __delitem__(self, key: _Key, /) -> None: ...
    def __getitem__(self, key: _Key, /) -> Any: ...
    def __iter__(self) -> _Iterator[Any]: ...
    def __len__(self) -> int: ...
    def __reversed__(self) -> _Iterator[Any]: ...
    def __setitem__(self, key: _Key, value: Any, /) -> None: ...
    @property
    def _disk(self) -> Any: ...
    @property
    def _txn_id(self) -> int | None: ...
    _lenient: bool
    @property
    def _custom(self) -> bool: ...
    def _begin(self, retry: bool = False, /) -> Transaction: ...
    def _stats(self, reset: bool, /) -> _Stats: ...
    @overload
    def get(
        self,
        key: _Key,
        default: _T,
        read: bool = False,
        expire_time: Literal[False] = False,
        tag: Literal[False] = False,
        retry: bool = False,
        *,
        touch: _Expire = None,
    ) -> Any | _T: ...
    @overload
    def get(
        self,
        key: _Key,
        default: Any = None,
        read: bool = False,
        *,
        expire_time: Literal[True],
        tag: Literal[True],
        retry: bool = False,
        touch: _Expire = None,
    ) -> tuple[Any, float | None, _Tag]: ...
    @overload
    def get(
        self,
        key: _Key,
        default: Any = None,
        read: bool = False,
        *,
        expire_time: Literal[True],
        tag: Literal[False] = False,
        retry: bool = False,
        touch: _Expire = None,
    ) -> tuple[Any, float | None]: ...
    @overload
    def get(
        self,
        key: _Key,
        default: Any = None,
        read: bool = False,
        expire_time: Literal[False] = False,
        *,
        tag: Literal[True],
        retry: bool = False,
        touch: _Expire = None,
    ) -> tuple[Any, _Tag]: ...
    @overload
    def get(
        self,
        key: _Key,
        default: Any = None,
        read: bool = False,
        expire_time: bool = False,
        tag: bool = False,
        retry: bool = False,
        *,
        touch: _Expire = None,
    ) -> Any: ...
    def set(
        self,
        key: _Key,
        value: Any,
        expire: _Expire = None,
        read: bool = False,
        tag: _Tag = None,
        retry: bool = False,
        *,
        keep_expire: bool = False,
    ) -> bool: ...
    def add(
        self,
        key: _Key,
        value: Any,
        expire: _Expire = None,
        read: bool = False,
        tag: _Tag = None,
        retry: bool = False,
    ) -> bool: ...
    def touch(
        self,
        key: _Key,
        expire: _Expire = None,
        retry: bool = False,
        *,
        keep_expire: bool = False,
    ) -> bool: ...
    def incr(
        self,
        key: _Key,
        delta: float = 1,
        default: float | None = 0,
        retry: bool = False,
        *,
        expire: _Expire = None,
        tag: _Tag = None,
    ) -> Any: ...
    def decr(
        self,
        key: _Key,
        delta: float = 1,
        default: float | None = 0,
        retry: bool = False,
        *,
        expire: _Expire = None,
        tag: _Tag = None,
    ) -> Any: ...
    def delete(self, key: _Key, retry: bool = False) -> bool: ...
    @overload
    def pop(
        self,
        key: _Key,
        default: _T,
        expire_time: Literal[False] = False,
        tag: Literal[False] = False,
        retry: bool = False,
    ) -> Any | _T: ...
    @overload
    def pop(
        self,
        key: _Key,
        default: Any = None,
        *,
        expire_time: Literal[True],
        tag: Literal[True],
        retry: bool = False,
    ) -> tuple[Any, float | None, _Tag]: ...
    @overload
    def pop(
        self,
        key: _Key,
        default: Any = None,
        expire_time: bool = False,
        tag: bool = False,
        retry: bool = False,
    ) -> Any: ...
    def read(self, key: _Key, retry: bool = False) -> IO[bytes]: ...
    def get_many(self, keys: Iterable[_T], retry: bool = False) -> dict[_T, Any]: ...
    def set_many(
        self,
        items: Mapping[Any, Any] | Iterable[tuple[Any, Any]],
        expire: _Expire = None,
        tag: _Tag = None,
        retry: bool = False,
    ) -> bool: ...
    def delete_many(self, keys: Iterable[Any], retry: bool = False) -> int: ...
    def iterkeys(self, reverse: bool = False) -> _Iterator[Any]: ...
    def keys(
        self,
        *,
        prefix: str | bytes | None = None,
        tag: _Tag | EllipsisType = ...,
        start: _Key = None,
        stop: _Key = None,
        reverse: bool = False,
        expired: bool | None = None,
    ) -> _Iterator[Any]: ...
    def values(
        self,
        *,
        prefix: str | bytes | None = None,
        tag: _Tag | EllipsisType = ...,
        start: _Key = None,
        stop: _Key = None,
        reverse: bool = False,
        expired: bool | None = None,
    ) -> _Iterator[Any]: ...
    def items(
        self,
        *,
        prefix: str | bytes | None = None,
        tag: _Tag | EllipsisType = ...,
        start: _Key = None,
        stop: _Key = None,
        reverse: bool = False,
        expired: bool | None = None,
    ) -> _Iterator[tuple[Any, Any]]: ...
    def expire(self, now: SupportsFloat | None = None, retry: bool = False) -> int: ...
    def evict(self, tag: _Tag, retry: bool = False) -> int: ...
    def cull(self, retry: bool = False) -> int: ...
    def clear(self, retry: bool = False) -> int: ...
    def volume(self) -> int: ...
    def compact(self) -> None: ...
    def backup(self, directory: str | PathLike[str], /) -> None: ...
    def on_evict(self, function: Callable[[Any], object] | None, /) -> None: ...
    def close(self) -> None: ...

@disjoint_base
class Collection:
    def __len__(self) -> int: ...

class Deque(Collection):
    maxlen: float
    def __delitem__(self, key: int, /) -> None: ...
    def __getitem__(self, key: int, /) -> Any: ...
    def __iter__(self) -> _Iterator[Any]: ...
    def __reversed__(self) -> _Iterator[Any]: ...
    def __setitem__(self, key: int, value: Any, /) -> None: ...
    def append(self, value: Any) -> None: ...
    def appendleft(self, value: Any) -> None: ...
    def extend(self, iterable: Iterable[Any]) -> None: ...
    def extendleft(self, iterable: Iterable[Any]) -> None: ...
    def peek(self) -> Any: ...
    def peekleft(self) -> Any: ...
    def pop(self) -> Any: ...
    def popleft(self) -> Any: ...
    def remove(self, value: Any) -> None: ...
    def reverse(self) -> None: ...
    def rotate(self, steps: int = 1) -> None: ...

class Index(Collection):
    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __contains__(self, key: object, /) -> bool: ...
    def __delitem__(self, key: _Key, /) -> None: ...
    def __getitem__(self, key: _Key, /) -> Any: ...
    def __iter__(self) -> _Iterator[Any]: ...
    def __setitem__(self, key: _Key, value: Any, /) -> None: ...
    def get(self, key: _Key, default: Any = None) -> Any: ...
    def peekitem(self, last: bool = True) -> tuple[Any, Any]: ...
    def popitem(self, last: bool = True) -> tuple[Any, Any]: ...
    def pull(
        self, prefix: str | None = None, default: Any = (None, None), side: str = 'front'
    ) -> Any: ...
    def push(self, value: Any, prefix: str | None = None, side: str = 'back') -> Any: ...
    def setdefault(self, key: _Key, default: Any = None) -> Any: ...

@final
class Lock:
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def acquire(self, *args: Any) -> Any: ...
    def release(self, *args: Any) -> Any: ...
    def renew(self, *args: Any) -> Any: ...
    def state(self, *args: Any) -> Any: ...

def average_add(*args: Any) -> Any: ...
def average_get(*args: Any) -> Any: ...
def throttle(*args: Any) -> Any: ...
def key_aliases(key: Any, protocol: int, /) -> list[bytes]: ...
def key_pickle(key: Any, protocol: int, /) -> bytes: ...
def setting_known(name: str, /) -> bool: ...
def push(
    self: Cache,
    value: Any,
    prefix: str | None = None,
    side: str = 'back',
    expire: _Expire = None,
    read: bool = False,
    tag: _Tag = None,
    retry: bool = False,
) -> Any: ...
def pull(
    self: Cache,
    prefix: str | None = None,
    default: Any = (None, None),
    side: str = 'front',
    expire_time: bool = False,
    tag: bool = False,
    retry: bool = False,
) -> Any: ...
def peek(
    self: Cache,
    prefix: str | None = None,
    default: Any = (None, None),
    side: str = 'front',
    expire_time: bool = False,
    tag: bool = False,
    retry: bool = False,
) -> Any: ...
def peekitem(
    self: Cache,
    last: bool = True,
    expire_time: bool = False,
    tag: bool = False,
    retry: bool = False,
) -> Any: ...
