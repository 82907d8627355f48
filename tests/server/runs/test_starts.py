"""Many runs that begin at once: the first of them come to their first word before the last have begun (issue 4)."""

import asyncio

from server.runs.starts import Starts


async def begun(starts: Starts, told: list[str], name: str, turns: int) -> None:
    await starts.turn()
    told.append(f"{name} begins")
    for _ in range(turns):
        await asyncio.sleep(0)
    told.append(f"{name} speaks")


async def test_who_is_alone_does_not_wait() -> None:
    starts = Starts()
    assert starts.is_calm
    turn = starts.turn()
    try:
        turn.send(None)
    except StopIteration:
        pass
    else:
        raise AssertionError("it waited")
    assert not starts.is_calm


async def test_many_speak_a_few_at_a_time() -> None:
    starts, told = Starts(), list[str]()
    await asyncio.gather(*(begun(starts, told, str(number), 10) for number in range(20)))
    assert [line for line in told if line.endswith("speaks")] == [f"{number} speaks" for number in range(20)]
    assert told.index("3 begins") < told.index("0 speaks") < told.index("3 speaks") < told.index("4 begins")
    assert told.index("11 speaks") < told.index("12 begins")


async def test_who_goes_away_while_he_waits_holds_up_nobody() -> None:
    starts, told = Starts(), list[str]()
    tasks = [asyncio.create_task(begun(starts, told, str(number), 1)) for number in range(9)]
    await asyncio.sleep(0)
    for task in tasks[4:8]:
        task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait(tasks)
        while not starts.is_calm:
            await asyncio.sleep(0)
    assert [line for line in told if line.endswith("speaks")] == [f"{number} speaks" for number in (0, 1, 2, 3, 8)]
