"""Opening and decoding strangers' recordings with PyAV, a frame at a time. Blocking: see `tools.audio.worker`.

FFmpeg reads far more than recordings: a playlist that is named `.wav` makes it open other files and hosts. So the
containers, the decoders and the protocols are lists of what is wanted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from tools.audio.model import (
    FASTEST_RATE,
    MOST_CHANNELS,
    MOST_SECONDS,
    SLOWEST_RATE,
    AudioRefused,
    Container,
)

_CONTAINERS: Final[dict[str, Container]] = {
    "wav": "wav",
    "flac": "flac",
    "mp3": "mp3",
    "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
    "aac": "aac",
    "ogg": "ogg",
    "matroska,webm": "webm",
}
_DECODERS: Final = (
    "pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_alaw,"
    "pcm_mulaw,adpcm_ms,adpcm_ima_wav,flac,mp3,mp3float,aac,alac,opus,libopus,vorbis,amrnb,amrwb"
)
_OPTIONS: Final = {
    "format_whitelist": ",".join(_CONTAINERS),
    "codec_whitelist": _DECODERS,
    "protocol_whitelist": "file",
}
_MAGIC: Final = (b"RIFF", b"fLaC", b"ID3", b"OggS", b"\x1a\x45\xdf\xa3")
# Frames are a few thousand samples; a wav may be read in larger ones, but never by the minute.
_MOST_FRAME_SAMPLES: Final = 2_000_000


@dataclass(frozen=True)
class Recording:
    """An opened recording."""

    input: InputContainer
    stream: AudioStream
    container: Container

    @property
    def claimed(self) -> float | None:
        """Return the header's length in seconds, which may be a lie."""
        if self.stream.duration is not None and self.stream.time_base is not None:
            return float(self.stream.duration * self.stream.time_base)
        return self.input.duration / av.time_base if self.input.duration is not None else None


@contextmanager
def opened(path: Path) -> Iterator[Recording]:
    """Open a recording by its content; its name is not asked.

    Raises:
        AudioRefused: it is none of the containers and codecs that are read, holds no audio, or is broken.
    """
    if not path.stat().st_size:
        raise AudioRefused("empty")
    try:
        # Without the prefix a name with a colon would be read as a protocol.
        container = av.open(f"file:{path}", "r", container_options=_OPTIONS, metadata_errors="replace")
    except (FFmpegError, ValueError):
        raise AudioRefused("broken" if _begins_like_one(path) else "unsupported") from None
    with container:
        if not container.streams.audio:
            raise AudioRefused("no_audio")
        stream = container.streams.audio[0]
        # There is none for a codec that FFmpeg does not know, whatever PyAV's types say.
        if getattr(stream.codec_context, "name", None) not in _DECODERS.split(","):
            raise AudioRefused("unsupported")
        yield Recording(container, stream, _CONTAINERS[container.format.name])


def _begins_like_one(path: Path) -> bool:
    """Return whether a file begins as a recording does, so that the refusal can say which of two it is."""
    with path.open("rb") as file:
        head = file.read(12)
    return head.startswith(_MAGIC) or head[4:8] == b"ftyp"


def frames(recording: Recording, most_seconds: float = MOST_SECONDS) -> Iterator[AudioFrame]:
    """Decode from the present position to the end, whatever length the header claims.

    A broken packet is left out, as players do; a file of which more packets are broken than not is refused.

    Raises:
        AudioRefused: it is broken, empty, longer than `most_seconds`, or changes its rate or channels.
    """
    rate = channels = samples = 0
    for frame in _decoded(recording):
        if not samples:
            rate, channels = _checked(frame)
        elif (frame.sample_rate, frame.layout.nb_channels) != (rate, channels):
            raise AudioRefused("changing")
        samples += frame.samples
        if samples > most_seconds * rate:
            raise AudioRefused("too_long")
        yield frame
    if not samples:
        raise AudioRefused("empty")


def _decoded(recording: Recording) -> Iterator[AudioFrame]:
    broken = whole = 0
    for decoded in _packets(recording):
        if decoded is None:
            broken += 1
            continue
        whole += 1
        for frame in decoded:
            if frame.samples > _MOST_FRAME_SAMPLES:
                raise AudioRefused("broken")
            if frame.samples:
                yield frame
    if broken > whole:
        raise AudioRefused("broken")


def _packets(recording: Recording) -> Iterator[list[AudioFrame] | None]:
    """Return each packet's frames; None for a packet that cannot be decoded."""
    packets = recording.input.demux(recording.stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegError:
            # The container breaks off here: what came before it is the recording.
            yield None
            return
        try:
            yield recording.stream.decode(packet)
        except FFmpegError:
            yield None


def _checked(frame: AudioFrame) -> tuple[int, int]:
    rate, channels = frame.sample_rate, frame.layout.nb_channels
    if not SLOWEST_RATE <= rate <= FASTEST_RATE or not 1 <= channels <= MOST_CHANNELS:
        raise AudioRefused("unsupported")
    return rate, channels
