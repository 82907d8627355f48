"""The example recordings can be decoded, are small, and last as long as their transcripts say."""

import re
from pathlib import Path

import av
import pytest

FOLDER = Path(__file__).parent.parent.parent / "examples" / "audio" / "recordings"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix != ".vtt")
LINE = re.compile(r"^(\d\d):(\d\d):(\d\d\.\d{3}) --> (\d\d):(\d\d):(\d\d\.\d{3})$", re.MULTILINE)


def test_there_are_several_formats() -> None:
    assert {file.suffix for file in FILES} == {".m4a", ".mp3", ".ogg", ".wav"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_recording_and_its_transcript(file: Path) -> None:
    assert file.stat().st_size < 200_000
    with av.open(str(file)) as container:
        frames = list(container.decode(audio=0))
    seconds = sum(frame.samples / frame.sample_rate for frame in frames)
    told = file.with_suffix(".vtt").read_text(encoding="utf-8")
    assert told.startswith("WEBVTT\n\n")
    hours, minutes, rest = LINE.findall(told)[-1][3:]
    last = int(hours) * 3600 + int(minutes) * 60 + float(rest)
    assert last < seconds < last + 1
    assert len(set(re.findall(r"<v ([^>]+)>", told))) == 2
