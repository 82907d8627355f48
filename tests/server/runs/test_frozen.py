"""A process that does not know that its run was taken over begins no further step."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from server.runs import writer
from server.runs.model import RunRequest
from server.runtime import Runtime
from tests.server.runs.conftest import until, until_next


async def test_no_step_begins_after_the_run_was_taken_over(
    runtime: Runtime, owner: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the process had been frozen all the time.
    monkeypatch.setattr(writer, "_DOUBT_SECONDS", -1.0)
    log = tmp_path / "log"
    given = {"log": str(log), "seconds": 0.5}
    asked = RunRequest(thread_id=uuid4(), owner_id=owner, workflow="steps", input=given)
    run_id = await runtime.engine.start(asked)
    await until_next(runtime, asked, "slow")
    async with runtime.system.pool.connection() as connection:
        await connection.execute("UPDATE platform.threads SET fence = fence + 1 WHERE id = %s", (asked.thread_id,))
    executor = runtime.engine.executor
    assert executor is not None

    async def stopped() -> bool:
        return not executor.executes(run_id)

    await until(stopped)
    assert log.read_text() == "first\nslow\n"
