"""Segments and pieces over HTTP: T04, A028, A029, G09, G10."""

import asyncio
import io
import wave
from array import array
from pathlib import Path
from typing import Any

import pytest

from server.audio import segments
from tests.kit import recordings
from tests.kit.app import Service
from tests.kit.cases import together
from tests.server.audio.conftest import SESSIONS, Owner, data_of, files_in, refusal, rows

PIECE = ["segment_id", "speaker", "start_time", "end_time", "duration", "audio_url"]


def heard(content: bytes) -> tuple[int, int, "array[int]"]:
    with wave.open(io.BytesIO(content)) as file:
        return file.getframerate(), file.getnchannels(), array("h", file.readframes(file.getnframes()))


async def listed(owner: Owner, session_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data_of(await owner.get(session_id, "/audio-segments"))["segments"]
    return found


class TestPieces:
    async def test_a_piece_is_cut_kept_and_listed(self, service: Service, owner: Owner) -> None:
        session_id = await owner.analysed()
        assert [(one["speaker"], one["text"], one["audio_url"]) for one in await listed(owner, session_id)] == [
            ("Speaker_0", "快点", None),
            ("Speaker_1", "好的，明天", None),
        ]
        data = data_of(await owner.extract(session_id, 0.75, 1.75))
        assert list(data) == PIECE
        assert (data["speaker"], data["start_time"], data["end_time"], data["duration"]) == (
            "Speaker_0",
            0.75,
            1.75,
            1.0,
        )
        assert [one["start_time"] for one in await listed(owner, session_id)] == [0.5, 0.75, 1.6]
        assert list((await listed(owner, session_id))[0]) == [*PIECE, "text"]
        sound = await owner.client.get(data["audio_url"])
        assert (sound.status_code, sound.headers["content-type"]) == (200, "audio/wav")
        rate, channels, samples = heard(sound.content)
        assert (rate, channels, len(samples)) == (44_100, 1, 44_100)
        loudest = max(range(len(samples)), key=lambda at: samples[at])
        assert loudest == round(0.25 * 44_100)
        assert len(files_in(service, "segments")) == 1
        assert await rows(service, "SELECT * FROM audio.abandoned_files") == []

    async def test_the_same_piece_is_cut_once(self, service: Service, owner: Owner) -> None:
        session_id = await owner.analysed()
        answers = await asyncio.gather(*(owner.extract(session_id, 0.5, 1.5) for _ in range(3)))
        answers.append(await owner.extract(session_id, 0.5, 1.5))
        assert len({answer.text for answer in answers}) == 1
        data_of(answers[0])
        other = data_of(await owner.extract(session_id, 0.5, 1.5, "Speaker_1"))
        assert other["segment_id"] != data_of(answers[0])["segment_id"]
        assert len(files_in(service, "segments")) == 2

    async def test_pieces_outlive_a_new_analysis(self, service: Service, owner: Owner) -> None:
        session_id = await owner.analysed()
        data_of(await owner.extract(session_id, 0.5, 1.5))
        async with service.runtime.system.pool.connection() as connection:
            await connection.execute("DELETE FROM platform.threads")
            await connection.execute(
                "UPDATE audio.sessions SET status = 'pending', analysis_asked_at = now() - interval '61 s'"
            )
        data_of(await owner.client.post(f"{SESSIONS}/{session_id}/retry"))
        await owner.ended(session_id)
        assert len(await listed(owner, session_id)) == 3

    @together(
        ("start", "end", "status"),
        [
            *((2, 1, 400), (0, 99, 400), (-1, 1, 400), (1, 1, 400), (0, 3.01, 400), (2.9, 3.0, 200), (0, 3, 200)),
            *(("x", 1, 422), (None, 1, 422), (True, [], 422), (0, 1e400, 422)),
        ],
    )
    async def test_ranges(self, owner: Owner, start: Any, end: Any, status: int) -> None:
        session_id = await owner.uploaded()
        if isinstance(end, float) and end > 1e300:
            body = b'{"start_time": 0, "end_time": 1e999, "speaker": "a"}'
            response = await owner.client.post(f"{SESSIONS}/{session_id}/extract-segment", content=body)
        else:
            response = await owner.extract(session_id, start, end)
        assert response.status_code == status, response.text
        if status != 200:
            refusal(response)

    @together("speaker", ["", "x" * 61, "a\x00b", 1, None])
    async def test_speakers(self, owner: Owner, speaker: Any) -> None:
        assert refusal(await owner.extract(await owner.uploaded(), 0, 1, speaker)) == 422

    async def test_at_most_so_many(self, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(segments, "MOST_PIECES", 1)
        session_id = await owner.analysed()
        data_of(await owner.extract(session_id, 0, 1))
        assert refusal(await owner.extract(session_id, 0, 2)) == 409
        data_of(await owner.extract(session_id, 0, 1))

    async def test_a_recording_whose_file_is_gone(self, service: Service, owner: Owner) -> None:
        session_id = await owner.analysed()
        for file in files_in(service):
            file.unlink()
        assert refusal(await owner.extract(session_id, 0, 1)) == 404
        assert refusal(await owner.get(session_id, "/audio")) == 404
        assert refusal(await owner.get(session_id, "/waveform")) == 404
        assert files_in(service) == []


class TestPlayer:
    async def test_the_recording_in_ranges(self, owner: Owner) -> None:
        session_id = await owner.analysed()
        whole = await owner.get(session_id, "/audio")
        assert (whole.status_code, whole.content) == (200, owner.wav)
        assert whole.headers["content-type"] == "audio/wav"
        assert whole.headers["accept-ranges"] == "bytes"
        assert whole.headers["x-content-type-options"] == "nosniff"
        assert whole.headers["cache-control"].startswith("private")
        part = await owner.get(session_id, "/audio", headers={"range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, owner.wav[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(owner.wav)}"
        last = await owner.get(session_id, "/audio", headers={"range": "bytes=-10"})
        assert last.content == owner.wav[-10:]
        beyond = await owner.get(session_id, "/audio", headers={"range": "bytes=9999999-"})
        assert beyond.status_code == 416

    async def test_the_waveform(self, owner: Owner) -> None:
        session_id = await owner.analysed()
        data = data_of(await owner.get(session_id, "/waveform", params={"buckets": 30}))
        assert list(data) == ["duration", "lowest", "highest"]
        assert data["duration"] == pytest.approx(3.0, abs=0.01)
        assert len(data["lowest"]) == len(data["highest"]) == 30
        assert {at for at, high in enumerate(data["highest"]) if high > 0.3} <= {9, 10, 19, 20}
        assert max(data["highest"]) > 0.3
        assert len(data_of(await owner.get(session_id, "/waveform"))["highest"]) == 800
        for wrong in ("0", "4001", "x"):
            assert refusal(await owner.get(session_id, "/waveform", params={"buckets": wrong})) == 422

    async def test_it_is_drawn_once(self, service: Service, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
        session_id = await owner.analysed()
        first = data_of(await owner.get(session_id, "/waveform", params={"buckets": 7}))
        for file in files_in(service):
            file.unlink()
        assert data_of(await owner.get(session_id, "/waveform", params={"buckets": 7})) == first

    async def test_a_segment_without_a_file(self, owner: Owner) -> None:
        session_id = await owner.analysed()
        [first, _] = await listed(owner, session_id)
        assert refusal(await owner.get(session_id, f"/audio-segments/{first['segment_id']}/audio")) == 404

    async def test_another_session_of_ones_own(self, owner: Owner) -> None:
        """A piece is found under its own session only."""
        first, second = await owner.analysed(), await owner.analysed()
        piece = data_of(await owner.extract(first, 0, 1))
        assert refusal(await owner.get(second, f"/audio-segments/{piece['segment_id']}/audio")) == 404


@pytest.mark.parametrize("kind", ["mp3", "m4a", "webm"])
async def test_pieces_of_other_kinds(owner: Owner, tmp_path: Path, kind: str) -> None:
    rate = recordings.FORMS[kind].rate
    path = recordings.write(tmp_path / f"x.{kind}", kind, recordings.pulses(3, rate, [1.0]))
    session_id = await owner.uploaded(content=path.read_bytes(), name=f"x.{kind}")
    data = data_of(await owner.extract(session_id, 0.5, 1.5))
    found, _channels, samples = heard((await owner.client.get(data["audio_url"])).content)
    assert len(samples) / found == pytest.approx(1.0, abs=0.05)
    assert max(range(len(samples)), key=lambda at: samples[at]) / found == pytest.approx(0.5, abs=0.01)
