"""Bodies of the access to Alibaba's speech services, with the seed's keys (C031–C033)."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, SecretStr

from server.calls.schemas import FromRow, RequestBody
from server.fields import Text

# Without spaces and control characters: one that was copied along would make every signature wrong.
_WORD: Final = re.compile(r"[^\s\x00-\x1f\x7f]{1,255}")


def _is_word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise ValueError("应为 1–255 个字符，不含空白")
    return value


def _is_secret_word(value: SecretStr) -> SecretStr:
    _is_word(value.get_secret_value())
    return value


Word = Annotated[Text, AfterValidator(_is_word)]


class AliyunConfigBody(RequestBody):
    """An access key and the application it is for."""

    access_key_id: Word
    access_key_secret: Annotated[SecretStr, AfterValidator(_is_secret_word)]
    app_key: Word


class Saved(BaseModel):
    """Exactly the seed's answer (C031)."""

    success: Literal[True] = True
    message: Literal["阿里云配置已保存"] = "阿里云配置已保存"


class AliyunConfigDetail(FromRow):
    """What is shown of a configuration: never the secret (C032)."""

    access_key_id: str
    app_key: str
    is_active: bool


class AliyunToken(BaseModel):
    """A token; `expires_at` is in epoch seconds (C033)."""

    token: str
    expires_at: int
