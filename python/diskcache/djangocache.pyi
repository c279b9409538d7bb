from collections.abc import Callable, Collection, Iterable
from typing import IO, Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT as DEFAULT_TIMEOUT, BaseCache as BaseCache

from ._core import _Tag
from .core import Cache
from .fanout import FanoutCache
from .persistent import Deque, Index

# Where Django returns nothing we say what was done.
class DjangoCache(BaseCache):
    _cache: FanoutCache
    def __init__(self, directory: str, params: dict[str, Any]) -> None: ...
    @property
    def directory(self) -> str: ...
    def cache(self, name: str) -> Cache: ...
    def deque(self, name: str, maxlen: int | None = None) -> Deque[Any]: ...
    def index(self, name: str) -> Index[Any, Any]: ...
    def get_backend_timeout(self, timeout: Any = ...) -> float | None: ...
    def add(
        self,
        key: Any,
        value: Any,
        timeout: Any = ...,
        version: int | None = None,
        read: bool = False,
        tag: _Tag = None,
        retry: bool = True,
    ) -> bool: ...
    def get(
        self,
        key: Any,
        default: Any = None,
        version: int | None = None,
        read: bool = False,
        expire_time: bool = False,
        tag: bool = False,
        retry: bool = False,
    ) -> Any: ...
    def read(self, key: Any, version: int | None = None) -> IO[bytes]: ...
    def set(  # type: ignore[override]
        self,
        key: Any,
        value: Any,
        timeout: Any = ...,
        version: int | None = None,
        read: bool = False,
        tag: _Tag = None,
        retry: bool = True,
    ) -> bool: ...
    def touch(
        self, key: Any, timeout: Any = ..., version: int | None = None, retry: bool = True
    ) -> bool: ...
    def pop(
        self,
        key: Any,
        default: Any = None,
        version: int | None = None,
        expire_time: bool = False,
        tag: bool = False,
        retry: bool = True,
    ) -> Any: ...
    def delete(self, key: Any, version: int | None = None, retry: bool = True) -> bool: ...
    def incr(
        self,
        key: Any,
        delta: float = 1,
        version: int | None = None,
        default: float | None = None,
        retry: bool = True,
    ) -> Any: ...
    def decr(
        self,
        key: Any,
        delta: float = 1,
        version: int | None = None,
        default: float | None = None,
        retry: bool = True,
    ) -> Any: ...
    def has_key(self, key: Any, version: int | None = None) -> bool: ...
    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]: ...
    def set_many(
        self,
        data: dict[Any, Any],
        timeout: Any = ...,
        version: int | None = None,
        *,
        tag: _Tag = None,
        retry: bool = True,
    ) -> list[Any]: ...
    def delete_many(
        self, keys: Iterable[Any], version: int | None = None, *, retry: bool = True
    ) -> None: ...
    def expire(self) -> int: ...
    def stats(self, enable: bool = True, reset: bool = False) -> tuple[int, int]: ...
    def create_tag_index(self) -> None: ...
    def drop_tag_index(self) -> None: ...
    def evict(self, tag: _Tag) -> int: ...
    def cull(self) -> int: ...
    def clear(self) -> int: ...  # type: ignore[override]
    def close(self, **kwargs: Any) -> None: ...
    async def aadd(
        self, key: Any, value: Any, timeout: Any = ..., version: int | None = None, **options: Any
    ) -> bool: ...
    async def aget(
        self, key: Any, default: Any = None, version: int | None = None, **options: Any
    ) -> Any: ...
    async def aset(  # type: ignore[override]
        self, key: Any, value: Any, timeout: Any = ..., version: int | None = None, **options: Any
    ) -> bool: ...
    async def atouch(
        self, key: Any, timeout: Any = ..., version: int | None = None, **options: Any
    ) -> bool: ...
    async def adelete(self, key: Any, version: int | None = None, **options: Any) -> bool: ...
    async def aincr(
        self, key: Any, delta: float = 1, version: int | None = None, **options: Any
    ) -> Any: ...
    async def adecr(
        self, key: Any, delta: float = 1, version: int | None = None, **options: Any
    ) -> Any: ...
    async def ahas_key(self, key: Any, version: int | None = None) -> bool: ...
    async def aget_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]: ...
    async def aset_many(
        self, data: dict[Any, Any], timeout: Any = ..., version: int | None = None, **options: Any
    ) -> list[Any]: ...
    async def adelete_many(
        self, keys: Iterable[Any], version: int | None = None, **options: Any
    ) -> None: ...
    async def aclear(self) -> int: ...  # type: ignore[override]
    async def aclose(self, **kwargs: Any) -> None: ...
    def memoize(
        self,
        name: str | None = None,
        timeout: Any = ...,
        version: int | None = None,
        typed: bool = False,
        tag: _Tag = None,
        ignore: Collection[int | str] = (),
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...
