"""Where this process keeps recordings, pieces, photos and pictures: what STORAGE_URL says (A032, G11)."""

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from core.clock import Clock
from core.settings import Settings, SettingsError
from tools.storage.local import LocalStorage
from tools.storage.model import OpenStorage
from tools.storage.signing import Signer

if TYPE_CHECKING:
    from tools.storage.oss import Bucket

FILES: Final = "/api/v1/files"
_LABEL: Final = b"colloquy signed files"
_LOCAL: Final = "local"
# A bucket's name as the service allows it; folders in the prefix, without empty ones, `.` and `..`.
_OSS: Final = re.compile(r"oss://([a-z0-9][a-z0-9-]{1,61}[a-z0-9])((?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)*)/?")
_REGION: Final = re.compile(r"[a-z]+(?:-[a-z0-9]+)+")
_ENDPOINT: Final = re.compile(r"(?:https?://)?[A-Za-z0-9.-]+(?::\d{1,5})?")


def signer_from(secret: str) -> Signer:
    """Return what signs addresses, with a key of its own that follows from the secret of tokens."""
    return Signer(hmac.new(secret.encode(), _LABEL, hashlib.sha256).digest(), FILES)


def bucket_of(settings: Settings) -> "Bucket | None":
    """Return the bucket that `STORAGE_URL` names, or None for a directory of this machine. May block: it imports.

    Raises:
        SettingsError: the URL is of neither form, the package is not installed, or a variable is missing or wrong.
    """
    if settings.storage_url == _LOCAL:
        return None
    found = _OSS.fullmatch(settings.storage_url)
    if found is None:
        raise SettingsError("STORAGE_URL: it is 'local' or oss://bucket/prefix")
    region, key_id, secret = settings.oss_region, settings.oss_access_key_id, settings.oss_access_key_secret
    if region is None or key_id is None or secret is None:
        raise SettingsError(
            "OSS_REGION, OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET: a bucket (STORAGE_URL) needs them"
        )
    if not _REGION.fullmatch(region):
        raise SettingsError("OSS_REGION: a region is written like cn-hangzhou")
    if settings.oss_endpoint is not None and not _ENDPOINT.fullmatch(settings.oss_endpoint):
        raise SettingsError("OSS_ENDPOINT: an address is written like https://oss-cn-hangzhou-internal.aliyuncs.com")
    try:
        from tools.storage.oss import Bucket  # noqa: PLC0415 - an optional package, and a heavy one
    except ModuleNotFoundError as error:
        raise SettingsError(f"STORAGE_URL: {error.name} is not installed; it comes with colloquy[oss]") from None
    return Bucket(
        name=found[1],
        prefix=found[2].removeprefix("/") + "/" if found[2] else "",
        region=region,
        endpoint=settings.oss_endpoint,
        key_id=key_id,
        key_secret=secret.get_secret_value(),
        path_style=settings.oss_path_style,
    )


def storage_from(settings: Settings, secret: str, clock: Clock) -> OpenStorage:
    """Return the storage that the settings name. May block: it imports.

    Several processes share it, so a local one needs a directory that all of them see.

    Args:
        settings: `STORAGE_URL`, `DATA_DIR` and what a bucket needs.
        secret: the one that signs tokens.
        clock: the time, for addresses and clean-up.

    Raises:
        SettingsError: as `bucket_of`.
    """
    bucket = bucket_of(settings)
    if bucket is None:
        return LocalStorage(settings.data_dir / "storage", signer_from(secret), clock)
    from tools.storage.oss import OssStorage  # noqa: PLC0415 - likewise

    return OssStorage(bucket, clock)
