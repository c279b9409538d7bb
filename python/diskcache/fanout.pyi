from collections.abc import Callable
from contextlib import AbstractContextManager
from os import PathLike
from typing import IO, Any, Literal

from .core import DEFAULT_SETTINGS as DEFAULT_SETTINGS, Cache, Disk, _Directory
from .persistent import Deque, Index

class FanoutCache(_Directory):
    _caches: dict[str, Cache]
    _deques: dict[str, Deque[Any]]
    _indexes: dict[str, Index[Any, Any]]
    def __init__(
        self,
        directory: str | PathLike[str] | int | None = None,
        shards: int = 8,
        timeout: float = 0.010,
        disk: type[Disk] = ...,
        *,
        strict: bool = False,
        on_decode_error: Literal['raise', 'miss', 'delete'] = 'raise',
        trust_directory: bool = False,
        on_corruption: Literal['raise', 'rebuild'] = 'raise',
        **settings: Any,
    ) -> None: ...
    @property
    def _shards(self) -> tuple[Cache, ...]: ...
    @property
    def _hash(self) -> Callable[[Any], int]: ...
    def transact(self, retry: bool = True) -> AbstractContextManager[None]: ...
    def read(self, key: Any) -> IO[bytes]: ...  # type: ignore[override]
    def expire(self, retry: bool = False) -> int: ...  # type: ignore[override]
    def reset(self, key: str, value: Any = ...) -> Any: ...  # type: ignore[override]
    def cache(
        self,
        name: str,
        timeout: float = 60,
        disk: type[Disk] | None = None,
        **settings: Any,
    ) -> Cache: ...
    def deque(self, name: str, maxlen: int | None = None) -> Deque[Any]: ...
    def index(self, name: str) -> Index[Any, Any]: ...
    def __getstate__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, state: tuple[Any, ...]) -> None: ...
