"""What the counseling workflows read of a session, and where they write; and the same kept in memory."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final, Literal, NotRequired, Protocol, cast, get_args

from typing_extensions import TypedDict

from core.errors import NotFound

Slot = Literal["thisweek_focus", "discussed_topics", "milestones", "recurring_patterns", "core_belief_evolution"]
SLOTS: Final[tuple[Slot, ...]] = get_args(Slot)
NOTHING: Final = "无"
"""What an empty slot holds (E024, G53)."""


class Line(TypedDict):
    """One message of a session: `ai` is the visitor, `user` the student who counsels (G46)."""

    speaker: Literal["user", "ai"]
    content: str


class Memory(TypedDict):
    """The visitor's long-term memory (E018)."""

    thisweek_focus: str
    discussed_topics: str
    milestones: str
    recurring_patterns: str
    core_belief_evolution: str


class Homework(TypedDict):
    """What the visitor is to do until the next session (G52)."""

    title: str
    status: str


class Finalized(TypedDict):
    """What is stored of a session that was finalised."""

    diary: str
    activity: dict[str, Any]
    ltm: Memory
    fallbacks: list[str]


class SessionContext(TypedDict):
    """A session as the workflows see it.

    Attributes:
        session_number: from 1.
        chat: oldest first.
        persona: the visitor's core persona, in full.
        memory: as it was before this session was finalised.
        last_activity: the report that was made at the end of the session before; None in the first one.
        last_diary: the diary of the session before; empty in the first one.
        homework: that was given in the session before.
        finalized: only where the session has been finalised: it is answered from this, without a model (G49).
        remake: in its place, where an operator has it finalised again (G68): stages before the first fallback stay,
            and a stage that fails again keeps what it left.
    """

    session_number: int
    chat: list[Line]
    persona: str
    visitor_name: str
    memory: Memory
    last_activity: dict[str, Any] | None
    last_diary: str
    homework: list[Homework]
    finalized: NotRequired[Finalized]
    remake: NotRequired[Finalized]


class CounselingRecords(Protocol):
    """The sessions of one student. Each write may come twice, after a crash, and then leaves the same."""

    async def context(self, session_id: str) -> SessionContext:
        """Return what is known of a session.

        Raises:
            NotFound: there is no such session of this student.
        """
        ...

    async def save_diary(self, session_id: str, diary: str) -> None:
        """Store the session's diary, in place of an earlier one."""
        ...

    async def save_activity(self, session_id: str, activity: dict[str, Any]) -> None:
        """Store the report of the week after the session, in place of an earlier one."""
        ...

    async def save_memory(self, session_id: str, memory: Memory) -> None:
        """Store the visitor's memory, and one version of it for this session."""
        ...

    async def finish(self, session_id: str, homework: list[Homework], fallbacks: list[str]) -> None:
        """Store the homework and that the session is finalised, once."""
        ...

    async def append_reply(self, session_id: str, key: str, content: str) -> None:
        """Append the visitor's answer, unless one was appended under this key."""
        ...


def no_memory() -> Memory:
    """Return the memory of a visitor who has had no session yet (G53)."""
    return memory_from({})


def memory_from(texts: Mapping[Slot, str]) -> Memory:
    """Return a memory of these slots; one that is missing or empty holds "无" (E024)."""
    return cast("Memory", {slot: texts.get(slot) or NOTHING for slot in SLOTS})


class InMemoryCounselingRecords:
    """Sessions in this process: for Studio (which has none until they are put in), evaluations and tests.

    `writes` names each write that came, in order; `versions` holds the memory's versions by session.
    """

    def __init__(self, sessions: Mapping[str, SessionContext] | None = None) -> None:
        self._sessions = {session_id: deepcopy(context) for session_id, context in (sessions or {}).items()}
        self.diaries: dict[str, str] = {}
        self.activities: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, Memory] = {}
        self.finished: dict[str, tuple[list[Homework], list[str]]] = {}
        self.replies: dict[tuple[str, str], str] = {}
        self.writes: list[str] = []

    async def context(self, session_id: str) -> SessionContext:
        """Return what is known of a session.

        Raises:
            NotFound: there is no such session.
        """
        context = deepcopy(self._found(session_id))
        if session_id in self.finished:
            context["finalized"] = Finalized(
                diary=self.diaries[session_id],
                activity=deepcopy(self.activities[session_id]),
                ltm=deepcopy(self.versions[session_id]),
                fallbacks=list(self.finished[session_id][1]),
            )
        return context

    async def save_diary(self, session_id: str, diary: str) -> None:
        """Keep the diary."""
        self._writing(session_id, "diary")
        self.diaries[session_id] = diary

    async def save_activity(self, session_id: str, activity: dict[str, Any]) -> None:
        """Keep the report."""
        self._writing(session_id, "activity")
        self.activities[session_id] = deepcopy(activity)

    async def save_memory(self, session_id: str, memory: Memory) -> None:
        """Keep the memory's version; the session itself goes on showing the memory that it began with."""
        self._writing(session_id, "memory")
        self.versions[session_id] = deepcopy(memory)

    async def finish(self, session_id: str, homework: Sequence[Homework], fallbacks: Sequence[str]) -> None:
        """Keep what the session ended with, once."""
        self._writing(session_id, "finish")
        self.finished.setdefault(session_id, (deepcopy(list(homework)), list(fallbacks)))

    async def append_reply(self, session_id: str, key: str, content: str) -> None:
        """Append the answer to the session's messages, unless it is there."""
        self._writing(session_id, "reply")
        if (session_id, key) not in self.replies:
            self.replies[session_id, key] = content
            self._found(session_id)["chat"].append(Line(speaker="ai", content=content))

    def say(self, session_id: str, content: str) -> None:
        """Append a message of the student's."""
        self._found(session_id)["chat"].append(Line(speaker="user", content=content))

    def _writing(self, session_id: str, what: str) -> None:
        self._found(session_id)
        self.writes.append(what)

    def _found(self, session_id: str) -> SessionContext:
        if session_id not in self._sessions:
            raise NotFound("会话不存在", code="not_found")
        return self._sessions[session_id]
