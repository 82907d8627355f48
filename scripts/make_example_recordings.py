"""Writes examples/audio/recordings/: short talks by espeak-ng, and their transcripts as WebVTT.

Needs the program espeak-ng (Debian: `apt-get install espeak-ng`); the files are committed, so nobody else does.
Mandarin is given in pinyin with tones, which is what the voice cmn-latn-pinyin reads; the transcript has characters.
"""

import io
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path

import av
from av.audio.resampler import AudioResampler

RECORDINGS = Path(__file__).parent.parent / "examples" / "audio" / "recordings"
RATE = 16_000
BYTES_A_SAMPLE = 2
PAUSE_SECONDS = 0.4
LARGEST = 200_000


@dataclass(frozen=True)
class Line:
    """One turn: who, with which voice, what espeak-ng reads, and what the transcript says."""

    speaker: str
    voice: str
    read: str
    text: str = ""


@dataclass(frozen=True)
class Format:
    """A container by its file name's ending, the codec in it, and bits a second (0: the codec has no choice)."""

    ending: str
    codec: str
    bits: int = 0


ENGLISH = [
    Line("Manager", "en-us+m3", "The release is due on Friday. Where does it stand?"),
    Line("Dana", "en-us+f3", "Two parts are done. The payment part needs three more days."),
    Line("Manager", "en-us+m3", "Why do I hear that only now? The client expects it."),
    Line("Dana", "en-us+f3", "I should have told you on Monday. We could show the first two parts on Friday."),
]
SHORT_ENGLISH = [
    Line("Manager", "en-us+m3", "Will it be ready on Friday?"),
    Line("Dana", "en-us+f3", "Two parts are done, one is late."),
]
MANDARIN = [
    Line("妈", "cmn-latn-pinyin+f2", "jin1 nian2 guo4 nian2 ji3 hao4 hui2 lai2", "今年过年几号回来？"),
    Line("小慧", "cmn-latn-pinyin+f4", "ma1, wo3 chu1 er4 cai2 neng2 zou3", "妈，我初二才能走。"),
    Line(
        "妈", "cmn-latn-pinyin+f2", "ni3 yi2 ge4 ren2 zai4 wai4 mian4, wo3 bu2 fang4 xin1", "你一个人在外面，我不放心。"
    ),
    Line(
        "小慧",
        "cmn-latn-pinyin+f4",
        "wo3 zhi1 dao4, wo3 mei3 tian1 gei3 nin2 da3 dian4 hua4",
        "我知道，我每天给您打电话。",
    ),
]
RENT = [
    Line("房东", "cmn-latn-pinyin+m3", "xia4 ge4 yue4 zu1 jin1 yao4 zhang3 yi4 bai3", "下个月租金要涨一百。"),
    Line("租客", "cmn-latn-pinyin+f2", "wo3 zai4 qian1 liang3 nian2, bu4 zhang3 xing2 ma5", "我再签两年，不涨行吗？"),
    Line("房东", "cmn-latn-pinyin+m3", "na4 jiu4 zhang3 wu3 shi2 ba5", "那就涨五十吧。"),
]
TALKS = (
    ("release-is-late", ENGLISH, Format("mp3", "libmp3lame", 48_000)),
    ("two-parts-are-done", SHORT_ENGLISH, Format("wav", "pcm_s16le")),
    ("home-for-new-year", MANDARIN, Format("m4a", "aac", 48_000)),
    ("rent-goes-up", RENT, Format("ogg", "libopus", 32_000)),
)


def main() -> None:
    """Write every talk and its transcript."""
    RECORDINGS.mkdir(parents=True, exist_ok=True)
    for name, lines, form in TALKS:
        spoken = [speak(line) for line in lines]
        file = RECORDINGS / f"{name}.{form.ending}"
        write(file, spoken, form)
        if file.stat().st_size >= LARGEST:
            raise SystemExit(f"{file.name} is too large to be committed")
        file.with_suffix(".vtt").write_text(transcript(lines, spoken), encoding="utf-8")
        print(f"{file.name}: {file.stat().st_size} bytes")


def speak(line: Line) -> bytes:
    """Return what espeak-ng says, as 16-bit samples of one channel at RATE."""
    command = ["espeak-ng", "-v", line.voice, "-s", "150", "--stdout", line.read]
    said = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)  # the voice's own rate is 22 050
    with av.open(io.BytesIO(said), "r") as container:
        frames = [made for frame in container.decode(audio=0) for made in resampler.resample(frame)]
    frames += resampler.resample(None)
    # A plane may be padded.
    return b"".join(bytes(frame.planes[0])[: frame.samples * BYTES_A_SAMPLE] for frame in frames)


def write(file: Path, spoken: list[bytes], form: Format) -> None:
    """Encode the turns one after another, with a pause after each."""
    pause = bytes(int(PAUSE_SECONDS * RATE) * BYTES_A_SAMPLE)
    plain = io.BytesIO()
    with wave.open(plain, "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(BYTES_A_SAMPLE)
        output.setframerate(RATE)
        output.writeframes(b"".join(turn + pause for turn in spoken))
    plain.seek(0)
    with av.open(plain, "r") as source, av.open(str(file), "w", options={"fflags": "+bitexact"}) as target:
        stream = target.add_stream(form.codec, rate=RATE)
        if not isinstance(stream, av.AudioStream):
            raise SystemExit(f"{form.codec} is no codec for sound")
        stream.layout = "mono"
        if form.bits:
            stream.bit_rate = form.bits
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def transcript(lines: list[Line], spoken: list[bytes]) -> str:
    """Return the talk as WebVTT, a cue a turn, its speaker as the cue's voice."""
    cues = ["WEBVTT"]
    start = 0.0
    for line, samples in zip(lines, spoken, strict=True):
        end = start + len(samples) / BYTES_A_SAMPLE / RATE
        cues.append(f"{clock(start)} --> {clock(end)}\n<v {line.speaker}>{line.text or line.read}")
        start = end + PAUSE_SECONDS
    return "\n\n".join(cues) + "\n"


def clock(seconds: float) -> str:
    """Write a time as WebVTT does."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


if __name__ == "__main__":
    main()
