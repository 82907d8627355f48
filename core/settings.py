"""Configuration from the environment and `.env`, read once; `.env.example` lists every name."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from dotenv import dotenv_values
from limits import parse_many
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    ValidationInfo,
)

from core.keyring import Keyring
from core.roles import FALLBACK_ROLE, ROLES, Role

OFFLINE: Final = "offline"
# What HS256 needs, in bytes (X030).
SHORTEST_SECRET: Final = 32
# A process that is only slow misses a beat or two.
_BEATS_MISSED: Final = 3
_LIMIT_SUFFIXES: Final = {
    "_TIMEOUT_SECONDS": "timeout_seconds",
    "_TEMPERATURE": "temperature",
    "_MAX_TOKENS": "max_tokens",
}
_NOT_A_ROLE: Final = frozenset(
    {
        *("MODEL_DEFAULT", "MODEL_MAX_ATTEMPTS", "MODEL_TIMEOUT_SECONDS"),
        # No chat model answers for it, so MODEL_DEFAULT does not either.
        *("MODEL_EMBED", "MODEL_EMBED_TIMEOUT_SECONDS"),
    }
)


class SettingsError(Exception):
    """The configuration cannot be used; the message names the variable and what is wrong with it."""


class RoleSettings(BaseModel):
    """What the environment says about one role; None means the role's own default."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    timeout_seconds: float | None = Field(None, gt=0)
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, gt=0)


def _split_commas(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _check_rates(value: str) -> str:
    parse_many(value)
    return value


def _check_beats(value: float, info: ValidationInfo) -> float:
    if value < _BEATS_MISSED * info.data.get("worker_beat_seconds", 0.0):
        raise ValueError(f"it must be {_BEATS_MISSED} times WORKER_BEAT_SECONDS at least")
    return value


def _check_secret(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().encode()) < SHORTEST_SECRET:
        raise ValueError(f"a secret needs at least {SHORTEST_SECRET} random bytes")
    return value


def _check_keyring(value: SecretStr) -> SecretStr:
    Keyring.parse(value.get_secret_value())
    return value


CommaList = Annotated[list[str], BeforeValidator(_split_commas)]
PathList = Annotated[list[Path], BeforeValidator(_split_commas), Field(min_length=1)]
SigningSecret = Annotated[SecretStr, AfterValidator(_check_secret)]
# `KEY`, or `ID:KEY,…` with the newest first; a key is base64 of 32 bytes.
KeyringText = Annotated[SecretStr, AfterValidator(_check_keyring)]
# As the library `limits` reads it: `20/hour`, or several with commas between.
RateLimit = Annotated[str, AfterValidator(_check_rates)]


class Settings(BaseModel):
    """All settings. Fields are named as their variable in lower case."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    env: Literal["development", "test", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    debug: bool = False
    data_dir: Path = Path(".colloquy")
    config: PathList = Field(default_factory=lambda: [Path("langgraph.json")], validation_alias="COLLOQUY_CONFIG")
    database_url: SecretStr | None = Field(None, validation_alias=AliasChoices("DATABASE_URL", "DB_URL"))

    jwt_secret: SigningSecret | None = None
    jwt_expiration_hours: int = Field(168, ge=1)
    admin_phones: CommaList = Field(default_factory=list)
    admin_emails: CommaList = Field(default_factory=list)
    auth_echo_code: bool = False
    code_gateway_url: str | None = None
    code_gateway_token: SecretStr | None = None
    frontend_auth: Literal["off", "token"] | None = None

    checkpoint_key: KeyringText | None = None
    secrets_key: KeyringText | None = None
    aliyun_nls_endpoint: HttpUrl = HttpUrl("https://nls-meta.cn-shanghai.aliyuncs.com/")

    model_default: str = OFFLINE
    model_timeout_seconds: float | None = Field(None, gt=0)
    model_max_attempts: int = Field(3, ge=1, le=10)
    model_embed: str | None = None
    model_embed_timeout_seconds: float = Field(20.0, gt=0)
    roles: dict[Role, RoleSettings] = Field(default_factory=dict)
    google_api_key: SecretStr | None = None
    google_gemini_base_url: str | None = None
    # Larger recordings are uploaded first, which a proxy may not know. What is inline is put into the request on the
    # event loop: 70 ms for 2 MiB, 400 for 14.
    google_inline_bytes: int = Field(2 * 1024 * 1024, ge=0, le=14 * 1024 * 1024)
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    dashscope_api_key: SecretStr | None = None
    dashscope_base_url: str = "https://dashscope.aliyuncs.com/compatible-mode/v1"

    mcp_script_path: Path | None = None
    # It may hold keys of other services.
    mcp_servers: SecretStr | None = None
    mcp_max_retry: int = Field(3, ge=0, le=10)
    mcp_timeout_ms: int = Field(30_000, gt=0, le=3_600_000)
    mcp_output_limit_bytes: int = Field(256 * 1024, ge=1024)

    summary_timeout_seconds: float = Field(5.0, gt=0)
    interpret_timeout_seconds: float = Field(60.0, gt=0)
    execute_timeout_seconds: float = Field(120.0, gt=0)
    finalize_timeout_seconds: float = Field(280.0, gt=0)
    reply_timeout_seconds: float = Field(60.0, gt=0)
    execute_require_confirm: bool = True
    interpret_read_only_unconfirmed: bool = False
    chat_session_ttl_seconds: int = Field(3600, ge=1, le=10_000_000)
    deep_timeout_seconds: float = Field(120.0, gt=0)
    # A directory of skills in place of those that come with Colloquy.
    skills_dir: Path | None = None
    # `local`, or `oss://bucket/prefix`.
    storage_url: str = "local"
    oss_region: str | None = None
    # In place of the region's own address.
    oss_endpoint: str | None = None
    oss_access_key_id: str | None = None
    oss_access_key_secret: SecretStr | None = None
    # For servers that want the bucket's name in the path.
    oss_path_style: bool = False
    max_recording_bytes: int = Field(100 * 1024 * 1024, ge=1024)
    strategy_timeout_seconds: float = Field(280.0, gt=0)
    max_document_bytes: int = Field(10 * 1024 * 1024, ge=1024)
    worker_concurrency: int = Field(200, ge=1)
    worker_beat_seconds: float = Field(2.0, ge=0.05, le=60)
    # With the defaults a dead worker's runs restart within 10 s.
    worker_dead_seconds: Annotated[float, AfterValidator(_check_beats)] = Field(6.0, validate_default=True)
    # Zero: no limit.
    retention_checkpoints_per_thread: int = Field(100, ge=0)
    retention_checkpoint_days: float = Field(90, ge=0, le=36500)
    retention_event_days: float = Field(7, ge=0, le=36500)
    retention_run_days: float = Field(30, ge=0, le=36500)
    retention_sweep_seconds: float = Field(600, gt=0)
    max_body_bytes: int = Field(2 * 1024 * 1024, ge=1024)
    request_timeout_seconds: float = Field(300.0, gt=0)
    cors_origins: CommaList = Field(default_factory=list)
    trusted_proxies: CommaList = Field(default_factory=lambda: ["127.0.0.1"])
    rate_limit_codes: RateLimit = "20/hour"
    rate_limit_logins: RateLimit = "30/minute"
    rate_limit_sessions: RateLimit = "120/minute"
    rate_limit_chat: RateLimit = "120/minute"
    rate_limit_uploads: RateLimit = "60/minute"
    rate_limit_storage_url: SecretStr = SecretStr("async+memory://")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] | None = None
    log_file: Path | None = None
    metrics_port: int | None = Field(None, ge=0, le=65535)
    metrics_token: SecretStr | None = None

    @property
    def worker_doubt_seconds(self) -> float:
        """For how long after a look a worker may believe that its runs are its own.

        It may be taken for dead `worker_dead_seconds` after its last beat, which may be a beat older than the look.
        """
        return self.worker_dead_seconds / 2

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> "Settings":
        """Read the environment, and `.env` for what the environment does not set.

        Raises:
            SettingsError: a value cannot be used, or a `MODEL_…` name is no role's.
        """
        found = {k: v for k, v in dotenv_values(dotenv).items() if v is not None} if dotenv else {}
        found.update(os.environ if environ is None else environ)
        # An empty value means unset: `.env` files and container manifests often carry empty lines.
        known = {name: value for name, value in found.items() if value != ""}
        try:
            return cls.model_validate(_by_field(known) | {"roles": _role_settings(known)})
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None

    @property
    def embeds(self) -> bool:
        """Whether a model embeds documents; the offline one cannot."""
        return self.model_embed not in (None, OFFLINE)

    def role(self, role: Role) -> RoleSettings:
        """Return what is set for a role; a step of deep chat inherits what `deep` sets (X025)."""
        own = self.roles.get(role, RoleSettings())
        fallback = FALLBACK_ROLE.get(role)
        if fallback is None:
            return own
        inherited = self.roles.get(fallback, RoleSettings())
        return inherited.model_copy(update=own.model_dump(exclude_none=True))


def _by_field(environ: Mapping[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        match field.validation_alias:
            case None if name.upper() in environ:
                fields[name] = environ[name.upper()]
            case str(alias) if alias in environ:
                fields[alias] = environ[alias]
            case AliasChoices(choices=choices):
                fields |= {str(alias): environ[str(alias)] for alias in choices if alias in environ}
    return fields


def _role_settings(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    roles: dict[str, dict[str, str]] = {}
    for name, value in environ.items():
        if not name.startswith("MODEL_") or name in _NOT_A_ROLE:
            continue
        suffix = next((suffix for suffix in _LIMIT_SUFFIXES if name.endswith(suffix)), "")
        role = name.removeprefix("MODEL_").removesuffix(suffix).lower()
        if role not in ROLES:
            raise SettingsError(f"{name}: there is no role '{role}'; the roles are {', '.join(ROLES)}")
        roles.setdefault(role, {})[_LIMIT_SUFFIXES.get(suffix, "model")] = value
    return roles


def _explain(error: ValidationError) -> str:
    # Only the name and the rule: the value may be a secret.
    return "; ".join(
        f"{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}" for problem in error.errors()
    )
