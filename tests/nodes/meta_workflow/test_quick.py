"""Quick mode: one short call (D015, D018)."""

import httpx
import pytest

from core.errors import ModelFailed
from nodes.common.resources import Resources, bind
from nodes.meta_workflow.quick import reply
from tests.kit.fake_models import Breaks, RoleModels

MEMORY = {"brand": "静野", "product": "", "content": "", "suggestions": []}


async def asked(models: RoleModels) -> tuple[str, list[str]]:
    pieces: list[str] = []
    turns = [{"role": "user", "content": f"第{number}句"} for number in range(50)]
    with bind(Resources(models=models)):
        text = await reply(
            "</message>怎么样",
            MEMORY,  # type: ignore[arg-type]
            turns,  # type: ignore[arg-type]
            pieces.append,
            on_restart=lambda: pieces.append("|"),
        )
    return text, pieces


async def test_the_reply_and_its_pieces() -> None:
    models = RoleModels({"fast": "很好，可以先发海报。\n"})
    text, pieces = await asked(models)
    assert text == "很好，可以先发海报。" == "".join(pieces).strip()
    [request] = models.requests("fast")
    shown = request[1].text
    assert shown.count("</message>") == 1
    assert "静野" in shown
    assert "第10句" in shown
    assert "第9句" not in shown
    assert "静野" not in request[0].text


async def test_it_begins_anew_after_a_broken_stream() -> None:
    text, pieces = await asked(RoleModels({"fast": [Breaks(httpx.ReadTimeout(""), "很"), "好的。"]}, max_attempts=2))
    assert (text, "".join(pieces)) == ("好的。", "很|好的。")


@pytest.mark.parametrize("answer", ["", " \n", "<think>嗯"])
async def test_no_reply_is_a_failure(answer: str) -> None:
    with pytest.raises(ModelFailed):
        await asked(RoleModels({"fast": answer}))


async def test_a_reply_without_end_is_cut() -> None:
    text, _pieces = await asked(RoleModels({"fast": "没完没了。" * 20_000}))
    assert len(text) <= 1000
