"""`/api/v1/aliyun`: one's access to Alibaba's speech services, and tokens for it (C031–C037)."""

from server.calls.aliyun import CurrentAliyun
from server.calls.aliyun_schemas import AliyunConfigBody, AliyunConfigDetail, AliyunToken, Saved
from server.calls.endpoints.router import calls_router
from server.calls.schemas import Answer
from server.security import CurrentPrincipal

router = calls_router("/aliyun")


@router.post("/config")
async def save(body: AliyunConfigBody, principal: CurrentPrincipal, aliyun: CurrentAliyun) -> Saved:
    """Keep an access key in place of the one before; its secret is stored encrypted and never shown."""
    secret = body.access_key_secret.get_secret_value()
    await aliyun.save(principal.user_id, body.access_key_id, secret, body.app_key)
    return Saved()


@router.get("/config")
async def read(principal: CurrentPrincipal, aliyun: CurrentAliyun) -> Answer[AliyunConfigDetail]:
    """Read the access key, without its secret."""
    return Answer(data=AliyunConfigDetail.model_validate(await aliyun.config(principal.user_id)))


@router.post("/token")
async def token(principal: CurrentPrincipal, aliyun: CurrentAliyun) -> Answer[AliyunToken]:
    """Return a valid token: the kept one, or a new one where it is about to expire."""
    kept = await aliyun.token(principal.user_id)
    return Answer(data=AliyunToken(token=kept.text, expires_at=int(kept.expires_at.timestamp())))
