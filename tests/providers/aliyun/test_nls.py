"""CreateToken at the wire: what is sent, what is tried again, what is refused (G31, W19)."""

import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from core.clock import SystemClock
from core.ids import RandomIds
from providers.aliyun import nls
from providers.aliyun.nls import NlsTokens, TokenNotGot
from tests.kit.aliyun import SIGNED, Aliyun, Fault, running_aliyun


@pytest.fixture(scope="module")
def stand_in() -> Iterator[Aliyun]:
    with running_aliyun() as stand_in:
        yield stand_in


@pytest.fixture
def aliyun(stand_in: Aliyun) -> Aliyun:
    stand_in.requests, stand_in.faults, stand_in.down, stand_in.lifetime = [], [], None, 3600
    stand_in.secrets = {"LTAI1": "s3cr3t"}
    return stand_in


@pytest.fixture
async def tokens(aliyun: Aliyun) -> AsyncIterator[NlsTokens]:
    client = NlsTokens(aliyun.url, SystemClock(), RandomIds(), pauses=(0, 0))
    yield client
    await client.aclose()


async def test_a_token(aliyun: Aliyun, tokens: NlsTokens) -> None:
    token = await tokens.create("LTAI1", "s3cr3t")
    assert token.text == "token-0"
    assert abs(token.expires_at.timestamp() - SystemClock().now().timestamp() - 3600) < 10
    [request] = aliyun.requests
    assert set(request) == {*SIGNED, "AccessKeyId", "Timestamp", "SignatureNonce", "Signature"}


async def test_each_request_has_a_nonce_of_its_own(aliyun: Aliyun, tokens: NlsTokens) -> None:
    aliyun.faults = [Fault()]
    await tokens.create("LTAI1", "s3cr3t")
    await tokens.create("LTAI1", "s3cr3t")
    assert len({request["SignatureNonce"] for request in aliyun.requests}) == 3


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500),
        Fault(503, "busy"),
        Fault(200, "{"),
        Fault(200, "[]"),
        Fault(200, '{"Token": {"Id": "", "ExpireTime": 99999999999}}'),
        Fault(200, '{"Token": {"Id": "x", "ExpireTime": "99999999999"}}'),
        Fault(200, '{"Token": {"Id": "x", "ExpireTime": 1}}'),
        Fault(302, ""),
        Fault(0, None),
    ],
    ids=range(9),
)
async def test_what_passes_is_tried_again(aliyun: Aliyun, tokens: NlsTokens, fault: Fault) -> None:
    aliyun.faults = [fault, fault]
    assert (await tokens.create("LTAI1", "s3cr3t")).text == "token-2"
    aliyun.down = fault
    with pytest.raises(TokenNotGot) as error:
        await tokens.create("LTAI1", "s3cr3t")
    assert error.value.failure == "unreachable"
    assert len(aliyun.requests) == 6


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (Fault(400, '{"Code": "Throttling.User", "Message": "m"}'), "throttled"),
        (Fault(503, '{"Code": "Throttling.Api"}'), "throttled"),
        (Fault(429, "slower"), "throttled"),
        (Fault(403, '{"Code": "Forbidden.RAM"}'), "refused"),
        (Fault(400, '{"Code": 5}'), "refused"),
    ],
)
async def test_what_is_refused_is_not_tried_again(
    aliyun: Aliyun, tokens: NlsTokens, fault: Fault, failure: str
) -> None:
    aliyun.down = fault
    with pytest.raises(TokenNotGot) as error:
        await tokens.create("LTAI1", "s3cr3t")
    assert (error.value.failure, len(aliyun.requests)) == (failure, 1)


@pytest.mark.parametrize("key", [("LTAI1", "wrong"), ("LTAI2", "s3cr3t")])
async def test_a_wrong_key(aliyun: Aliyun, tokens: NlsTokens, key: tuple[str, str]) -> None:
    with pytest.raises(TokenNotGot) as error:
        await tokens.create(*key)
    assert (error.value.failure, len(aliyun.requests)) == ("refused", 1)


async def test_an_answer_that_does_not_come(aliyun: Aliyun, tokens: NlsTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nls, "ATTEMPT_SECONDS", 0.2)
    aliyun.faults = [Fault(seconds=1)]
    assert (await tokens.create("LTAI1", "s3cr3t")).text == "token-1"


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = NlsTokens(f"http://127.0.0.1:{unused.getsockname()[1]}", SystemClock(), RandomIds(), pauses=(0, 0))
        with pytest.raises(TokenNotGot) as error:
            await client.create("LTAI1", "s3cr3t")
        await client.aclose()
    assert error.value.failure == "unreachable"
