from collections.abc import Iterable
from typing import Any

from .disk import Disk

SHORTEST_KEY: int
CHUNK: int

class SignedDisk(Disk):
    def __init__(
        self,
        directory: str,
        key: str | bytes | Iterable[str | bytes] | None = None,
        **kwargs: Any,
    ) -> None: ...
