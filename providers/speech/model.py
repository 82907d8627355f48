"""How a recording gets to a model that can hear: as a content block of LangChain's, lent while a call lasts."""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

WAV = "audio/wav"


class AudioInput(Protocol):
    """Lends recordings to the model of a role.

    Every implementation reads files off the event loop, holds a few of them at once, and leaves nothing behind at the
    vendor's, also where the call fails or is cancelled.
    """

    @property
    def media_types(self) -> Collection[str]:
        """The media types that may be sent as they are; everything else is made a WAV file first."""
        ...

    @property
    def most_bytes(self) -> int:
        """The largest file that can be lent."""
        ...

    def attached(self, path: Path, media_type: str) -> AbstractAsyncContextManager[dict[str, Any]]:
        """Lend a file as the content block of a message that is sent while the block lasts.

        Raises:
            Exception: what the vendor's clients raise (see `providers.failures`), where it has to be uploaded first.
        """
        ...
