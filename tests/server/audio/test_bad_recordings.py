"""What people upload that is no recording, or a bad one: G05, G10, X034."""

import wave
from array import array
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from tests.kit import recordings
from tests.kit.app import Service
from tests.kit.cases import together
from tests.server.audio.conftest import VTT, Owner, data_of, files_in, refusal, rows

TEN_HOURS = 10 * 3600


def long_silence(path: Path, seconds: int, rate: int = 4_000) -> bytes:
    """Many hours in a few kilobytes: what is decoded is a thousand times as large."""
    block = 16_384
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate, options={"frame_size": str(block)})
        assert isinstance(stream, AudioStream)
        stream.layout = "mono"
        frame = AudioFrame(format="s16", layout="mono", samples=block)
        plane: Any = frame.planes[0]
        plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        for at in range(0, seconds * rate, block):
            frame.pts = at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def no_samples(path: Path) -> bytes:
    with wave.open(str(path), "w") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
    return path.read_bytes()


class TestRefused:
    @together(
        ("content", "sentence"),
        [
            (b"", "没有声音"),
            (b"this is a text that is named .wav\n" * 100, "不是支持的音频文件"),
            (b"RIFF\xff\xff\xff\xffWAVEfmt " + bytes(100), None),
            (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "不是支持的音频文件"),
            (b"%PDF-1.7\n" + bytes(1000), "不是支持的音频文件"),
            (b"\x89PNG\r\n\x1a\n" + bytes(1000), "不是支持的音频文件"),
            (bytes(100_000), "不是支持的音频文件"),
        ],
    )
    async def test_what_is_no_recording(
        self, service: Service, owner: Owner, content: bytes, sentence: str | None
    ) -> None:
        response = await owner.upload(content)
        assert refusal(response) == 400
        assert sentence is None or sentence in response.json()["detail"]
        assert files_in(service) == []
        assert await rows(service, "SELECT * FROM audio.sessions") == []
        assert await rows(service, "SELECT * FROM audio.abandoned_files") == []

    async def test_a_video_without_sound(self, service: Service, owner: Owner, tmp_path: Path) -> None:
        response = await owner.upload(recordings.video(tmp_path / "v.mp4").read_bytes(), name="v.mp4")
        assert (refusal(response), response.json()["detail"]) == (400, "文件中没有音轨")
        assert files_in(service) == []

    async def test_no_seconds(self, service: Service, owner: Owner, tmp_path: Path) -> None:
        assert refusal(await owner.upload(no_samples(tmp_path / "e.wav"))) == 400
        assert files_in(service) == []

    async def test_ten_hours(self, service: Service, owner: Owner, tmp_path: Path) -> None:
        content = long_silence(tmp_path / "l.flac", TEN_HOURS)
        assert len(content) < 2 * 1024 * 1024
        response = await owner.upload(content, name="l.flac")
        assert (refusal(response), response.json()["detail"]) == (400, "录音不能超过4小时")
        assert files_in(service) == []

    @together(
        ("transcript", "sentence"),
        [
            (b"WEBVTT\n\n00:05.000 --> 00:09.000\nlate\n", "超出了录音的长度"),
            (b"WEBVTT\n\n00:02.000 --> 00:01.000\nback\n", "时间有误"),
            (b"\xff\xfe\x00", "UTF-8"),
            (b"just words", "格式"),
            (b'{"segments": [{"text": 1}]}', "格式有误"),
            (b"WEBVTT\n\n", "没有文字"),
            (b"x" * (5 * 1024 * 1024 + 1), "不能超过"),
        ],
    )
    async def test_a_transcript_that_cannot_be_used(
        self, service: Service, owner: Owner, transcript: bytes, sentence: str
    ) -> None:
        response = await owner.upload(transcript=transcript)
        assert refusal(response) == 400
        assert sentence in response.json()["detail"]
        assert files_in(service) == []

    async def test_more_than_any_form_holds(self, service: Service, owner: Owner) -> None:
        """Recording and transcript together have a limit too: nothing of it is kept."""
        response = await owner.upload(transcript=b"x" * (20 * 1024 * 1024))
        assert refusal(response) in (400, 413)
        assert files_in(service) == []

    async def test_over_the_limit(self, service: Service, owner: Owner) -> None:
        response = await owner.upload(bytes(service.runtime.settings.max_recording_bytes + 1))
        assert (refusal(response), response.json()["detail"]) == (413, "文件不能超过8MB")
        assert files_in(service) == []


class TestTakenAsItIs:
    async def test_half_an_mp3(self, owner: Owner, tmp_path: Path) -> None:
        rate = recordings.FORMS["mp3"].rate
        whole = recordings.write(tmp_path / "a.mp3", "mp3", recordings.pulses(4, rate)).read_bytes()
        session_id = await owner.analysed(content=whole[: len(whole) // 2], name="a.mp3")
        duration = data_of(await owner.get(session_id))["duration"]
        assert 1.5 < duration < 2.5

    async def test_a_header_that_lies(self, owner: Owner) -> None:
        """What counts is what can be decoded (G10)."""
        lying = bytearray(owner.wav[: len(owner.wav) // 3])
        session_id = await owner.analysed(content=bytes(lying))
        assert data_of(await owner.get(session_id))["duration"] == pytest.approx(1.0, abs=0.01)

    @pytest.mark.parametrize("kind", list(recordings.FORMS))
    async def test_every_kind_whatever_its_name(self, owner: Owner, tmp_path: Path, kind: str) -> None:
        samples: array[int] = recordings.pulses(1.0, recordings.FORMS[kind].rate)
        if kind == "ogg":
            samples = array("h", [value for value in samples for _ in range(2)])
        path = recordings.write(tmp_path / "x", kind, samples, channels=2 if kind == "ogg" else 1)
        session_id = await owner.analysed(
            content=path.read_bytes(), name="noise.txt", transcript=VTT.replace(b"1.500", b"0.900")
        )
        assert data_of(await owner.get(session_id))["duration"] == pytest.approx(1.0, abs=0.1)
        sound = await owner.get(session_id, "/audio")
        assert sound.headers["content-type"].startswith("audio/")
