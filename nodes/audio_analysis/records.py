"""What the analysis of a recording reads and writes outside of its state (A021–A025, G05–G09); the same in memory."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal, Protocol

from typing_extensions import TypedDict

from core.errors import NotFound
from tools.transcripts.model import Segment

RiskLevel = Literal["low", "medium", "high"]


class Recording(TypedDict):
    """A stored recording.

    Attributes:
        key: of its bytes in storage.
        media_type: as its content says, e.g. `audio/mpeg`.
        size: in bytes.
        duration: decoded, in seconds.
        transcript: what the upload brought along; empty where it brought none.
    """

    key: str
    media_type: str
    size: int
    duration: float
    transcript: list[Segment]


class Risk(TypedDict):
    """Something in the conversation that may do harm: what, how grave, and the words that show it."""

    level: RiskLevel
    text: str
    quote: str
    start: float | None


class Analysis(TypedDict):
    """What was found in a recording (A047).

    Attributes:
        dialogues: who said what and when, in order of time.
        transcript: the same as text, a line `name: words` for each.
        speaker_mapping: what each speaker is in this conversation, e.g. `{"Speaker_0": "上级"}`.
        summary: a few sentences; `conversation_summary` is one sentence for lists.
        risks: the gravest first.
        mood_score: 0 (hostile) to 100 (warm).
        tags: a few words for lists.
        stats: numbers counted from the dialogues, e.g. seconds and turns of each speaker.
        call1_result: the model's checked answer of the review, as it was.
    """

    dialogues: list[Segment]
    transcript: str
    speaker_mapping: dict[str, str]
    summary: str
    conversation_summary: str
    risks: list[Risk]
    mood_score: float
    tags: list[str]
    stats: dict[str, Any]
    call1_result: dict[str, Any]


class AudioRecords(Protocol):
    """The recordings of one user. Each write may come twice, after a crash, and then leaves the same."""

    async def recording(self, session_id: str) -> Recording:
        """Return what is known of a session's recording.

        Raises:
            NotFound: there is no such session of this user.
        """
        ...

    async def finished(self, session_id: str, step: str, steps: int) -> None:
        """Note that a step of `steps` in all is done; progress is the share of different steps (G06)."""
        ...

    async def save_analysis(self, session_id: str, analysis: Analysis) -> None:
        """Store the analysis and its segments in place of earlier ones; the session is completed by it."""
        ...


class InMemoryAudioRecords:
    """Recordings in this process: for Studio, evaluations and tests."""

    def __init__(self, recordings: Mapping[str, Recording] | None = None) -> None:
        self._recordings = {session_id: deepcopy(one) for session_id, one in (recordings or {}).items()}
        self.steps: dict[str, list[str]] = {}
        self.totals: dict[str, int] = {}
        self.analyses: dict[str, Analysis] = {}

    async def recording(self, session_id: str) -> Recording:
        """Return what is known of a session's recording.

        Raises:
            NotFound: there is no such session.
        """
        if session_id not in self._recordings:
            raise NotFound("录音不存在")
        return deepcopy(self._recordings[session_id])

    async def finished(self, session_id: str, step: str, steps: int) -> None:
        """Keep the step's name, and how many there are."""
        self.totals[session_id] = steps
        done = self.steps.setdefault(session_id, [])
        if step not in done:
            done.append(step)

    async def save_analysis(self, session_id: str, analysis: Analysis) -> None:
        """Keep the analysis."""
        await self.recording(session_id)
        self.analyses[session_id] = deepcopy(analysis)
