"""The protocol's request to run: every field is honoured, or refused with a sentence."""

import re
from dataclasses import replace
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from langgraph.constants import END
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from server.runs.model import Idempotency, RunOptions, RunRequest, Strategy, StreamMode
from server.runs.protocol.fields import JsonObject, OptionalObject, Request, Text, refused, storable
from server.runs.protocol.state_schemas import CheckpointBody
from server.runs.run_checks import EVERY_NODE
from server.runs.thread_states import HEAD, Place

Json = Annotated[Any, AfterValidator(storable)]
_INTERRUPT_ID: Final = re.compile(r"[0-9a-f]{32}")
_A_YEAR_OF_SECONDS: Final = 366 * 24 * 3600
# What the engine itself keeps there.
_ENGINES: Final = frozenset({"checkpoint_id", "checkpoint_ns", "checkpoint_map", "run_id", "thread_ts"})


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


def _stops(value: Any) -> Any:
    return value if value == EVERY_NODE else _as_list(value)


class SendBody(Request):
    """A task of one node with an input of its own."""

    node: Text
    input: Json = None


class CommandBody(Request):
    """What a run does instead of taking an input: answer interrupts, change the state, go to nodes."""

    resume: Json = None
    update: Annotated[dict[str, Any] | list[tuple[str, Any]] | None, AfterValidator(storable)] = None
    goto: Annotated[list[Text | SendBody], BeforeValidator(_as_list), Field(max_length=1000)] | None = None

    @property
    def answers(self) -> tuple[str, ...] | None:
        """The interrupts that `resume` answers: those it names, or `()` for the only one; None where it is missing."""
        if self.resume is None:
            return None
        named = self.resume if isinstance(self.resume, dict) else {}
        return tuple(named) if all(_INTERRUPT_ID.fullmatch(name) for name in named) else ()


class ConfigBody(Request):
    """The part of LangGraph's config that clients may set."""

    tags: list[Text] | None = None
    recursion_limit: Annotated[int, Field(ge=1, le=10_000)] | None = None
    configurable: OptionalObject = Field(default_factory=dict)
    metadata: OptionalObject = Field(default_factory=dict)

    @field_validator("configurable")
    @classmethod
    def _is_the_clients(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name in _ENGINES or name.startswith("__"):
                raise ValueError("holds a key that is the server's: a checkpoint is named in `checkpoint`")
        return value


class RunBody(Request):
    """POST …/runs, …/runs/stream and …/runs/wait, on a thread or without one."""

    assistant_id: Text
    input: Json = None
    command: CommandBody | None = None
    metadata: OptionalObject = Field(default_factory=dict)
    config: ConfigBody | None = None
    context: JsonObject | None = None
    webhook: Annotated[None, refused("webhooks are not offered: wait for the run, or follow its stream")] = None
    interrupt_before: Annotated[Literal["*"] | list[Text] | None, BeforeValidator(_stops)] = None
    interrupt_after: Annotated[Literal["*"] | list[Text] | None, BeforeValidator(_stops)] = None
    stream_mode: Annotated[list[StreamMode] | None, BeforeValidator(_as_list)] = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    feedback_keys: Annotated[list[str], Field(max_length=0)] | None = None
    checkpoint: CheckpointBody | None = None
    checkpoint_id: Text | None = None
    checkpoint_during: bool | None = None
    multitask_strategy: Strategy | None = None
    if_not_exists: Literal["create", "reject"] | None = None
    after_seconds: Annotated[float, Field(ge=0, le=_A_YEAR_OF_SECONDS)] | None = None
    durability: Literal["sync", "async", "exit"] | None = None
    strict_resume: Annotated[Literal[True] | None, Field(description="Resumes are always strict")] = None
    langsmith_tracer: Annotated[None, refused("tracing is set by the server's operator")] = None
    on_disconnect: Literal["cancel", "continue"] | None = None
    on_completion: Literal["delete", "keep"] | None = None

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> "RunBody":
        asks = info.context or {}
        answers = self.command is not None and self.command.resume is not None
        if self.after_seconds and answers:
            raise ValueError("after_seconds cannot be combined with an answer: it is given at once")
        if answers and self.command is not None and END in (self.command.goto or ()):
            raise ValueError("command cannot answer and go to __end__")
        if self.checkpoint_during is not None and self.durability is not None:
            raise ValueError("checkpoint_during and durability say the same: give one of them")
        if self.on_completion is not None and not asks.get("stateless"):
            raise ValueError("on_completion is for stateless runs: a thread is kept")
        if self.on_disconnect == "cancel" and asks.get("background"):
            raise ValueError("on_disconnect cannot be cancel for a run that nobody is connected to")
        if self.config and str(self.config.configurable.get("thread_id", asks.get("thread"))) != str(
            asks.get("thread")
        ):
            raise ValueError("config.configurable names another thread than the path does")
        return self

    def place(self, thread_id: UUID) -> Place:
        """Return the checkpoint that the run begins at.

        Raises:
            OtherThread: it is in another thread.
        """
        if self.checkpoint is None:
            return Place(self.checkpoint_id)
        place = self.checkpoint.place(thread_id)
        if place.checkpoint_id is None and not place.checkpoint_map:
            return HEAD if self.checkpoint_id is None else replace(place, checkpoint_id=self.checkpoint_id)
        return place

    def request(
        self,
        owner_id: UUID,
        thread_id: UUID,
        workflow: str,
        *,
        idempotency: Idempotency | None,
        stateless: bool,
        streams: bool,
        caller_key: bytes | None,
    ) -> RunRequest:
        """Return the engine's request. A command wins over an input: clients send both (agent-chat-ui)."""
        command = self.command or CommandBody()
        commands = any(value is not None for value in (command.resume, command.update, command.goto))
        modes: list[StreamMode] = ["values"] if streams else []
        return RunRequest(
            thread_id=thread_id,
            owner_id=owner_id,
            workflow=workflow,
            input=None if commands else self.input,
            resume=command.resume,
            answers=command.answers,
            strategy=self.multitask_strategy or "enqueue",
            idempotency=idempotency,
            stream_modes=tuple(dict.fromkeys(modes if self.stream_mode is None else self.stream_mode)),
            metadata=(self.config.metadata if self.config else {}) | self.metadata,
            options=self._options(command),
            makes_thread=stateless or self.if_not_exists == "create",
            after_seconds=self.after_seconds or None,
            is_stateless=stateless and self.on_completion != "keep",
            caller_key=caller_key,
        )

    def _options(self, command: CommandBody) -> RunOptions:
        config = self.config or ConfigBody()
        configurable = {name: value for name, value in config.configurable.items() if name != "thread_id"}
        return RunOptions(
            tags=config.tags or [],
            recursion_limit=config.recursion_limit,
            configurable=configurable,
            context=self.context,
            interrupt_before=self.interrupt_before,
            interrupt_after=self.interrupt_after,
            subgraphs=bool(self.stream_subgraphs),
            # `exit` is never less durable than asked: it is treated as `async`.
            durability="sync" if self.durability == "sync" else "async",
            update=command.update,
            goto=[step.model_dump() if isinstance(step, SendBody) else step for step in command.goto or []],
            keeps_output=False,
        )
