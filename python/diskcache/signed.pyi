from collections.abc import Iterable
from typing import Any

from .compress import CompressingDisk

SHORTEST_KEY: int
CHUNK: int

class SignedDisk(CompressingDisk):
    def __init__(
        self,
        directory: str,
        key: str | bytes | Iterable[str | bytes] | None = None,
        **kwargs: Any,
    ) -> None: ...
