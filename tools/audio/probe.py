"""What a recording is: found by decoding all of it. Blocking: see `tools.audio.worker`."""

from pathlib import Path

from tools.audio.decoding import frames, opened
from tools.audio.model import AudioInfo


def probe(path: Path) -> AudioInfo:
    """Decode a recording and return what it is.

    Raises:
        AudioRefused: it is no recording that can be used.
    """
    with opened(path) as recording:
        samples = rate = channels = 0
        for frame in frames(recording):
            rate, channels = frame.sample_rate, frame.layout.nb_channels
            samples += frame.samples
        return AudioInfo(
            container=recording.container,
            codec=recording.stream.codec_context.codec.canonical_name,
            duration=samples / rate,
            claimed=recording.claimed,
            channels=channels,
            sample_rate=rate,
        )
