"""The scene workflow: a verdict, and nothing written (A026, G02, W05)."""

from pathlib import Path

import pytest

from core.errors import InvalidInput, ModelFailed, NotFound
from graphs.audio_scene import build
from providers.offline.model import OfflineRefusal
from tests.graphs.audio_setting import Setting, said, session
from tests.kit.fake_models import Breaks


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ('{"scene_category": "workplace", "scene_confidence": "92%"}', ("workplace", 0.92)),
        ('```json\n{"scene_category": "职场", "scene_confidence": "high"}\n```', ("workplace", 0.85)),
        ('{"scene_category": "space", "scene_confidence": 1}', ("other", 0.0)),
        ("我看不出来", ("other", 0.0)),
        ("", ("other", 0.0)),
    ],
)
async def test_a_verdict_is_read_from_what_a_model_says(
    tmp_path: Path, answer: str, verdict: tuple[str, float]
) -> None:
    setting = Setting(build(), tmp_path, {"scene": answer})
    output = await setting.run({"session_id": "s"})
    assert output == {"scene_category": verdict[0], "scene_confidence": verdict[1]}
    assert setting.models.calls() == {"scene": 1}


async def test_nothing_is_written(tmp_path: Path) -> None:
    setting = Setting(build(), tmp_path)
    await setting.run({"session_id": "s"})
    assert (setting.records.steps, setting.records.executions, setting.records.strategies) == ({}, {}, {})
    assert setting.events == []


async def test_what_the_model_is_asked(tmp_path: Path) -> None:
    setting = Setting(build(), tmp_path)
    await setting.run({"session_id": "s"})
    rules, question = (str(one.text) for one in setting.models.requests("scene")[0])
    assert "- negotiation（谈判）：" in rules
    assert "[00:10] 小何: 差不多了，可能要延期两三天。" in question


async def test_of_a_long_conversation_beginning_middle_and_end_are_read(tmp_path: Path) -> None:
    turns = [(f"说话人{place % 2}", f"第{place}句。" + "话" * 50) for place in range(400)]
    setting = Setting(build(), tmp_path, recorded=session(said(*turns)))
    await setting.run({"session_id": "s"})
    question = str(setting.models.requests("scene")[0][1].text)
    assert all(f"第{place}句" in question for place in (0, 200, 399))
    assert question.count("turns left out") == 2
    assert len(question) < 6000


async def test_what_cannot_be_classified(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await Setting(build(), tmp_path).run({"session_id": "of somebody else"})
    with pytest.raises(InvalidInput):
        await Setting(build(), tmp_path).run({"session_id": ""})
    with pytest.raises(ModelFailed):
        await Setting(build(), tmp_path, {"scene": Breaks(OfflineRefusal("scene"))}).run({"session_id": "s"})
