"""Ending and waiting for sure."""

import asyncio

from core.tasks import end, wait_at_most


async def test_a_task_that_swallows_a_cancellation_is_ended_all_the_same() -> None:
    async def stubborn() -> None:
        for _ in range(2):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue
        await asyncio.sleep(60)

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await end(task, patience=0.05)
    assert task.cancelled()


async def test_none_and_ended_tasks_are_no_matter() -> None:
    await end(None)
    task = asyncio.create_task(asyncio.sleep(0))
    await task
    await end(task)
    assert not task.cancelled()


async def test_waiting_ends_with_the_event_or_the_time() -> None:
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await wait_at_most(event, 0.05)
    assert 0.04 < loop.time() - begun < 1
    await wait_at_most(event, -1)
    loop.call_later(0.02, event.set)
    await wait_at_most(event, 60)
    assert loop.time() - begun < 2
