"""A recording that came with a transcript: analysed, coached, with pictures; a piece is cut out."""

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import httpx
import typer

from server.demo.http import data_of

_API: Final = "/api/v1"
_ENDED: Final = frozenset({"completed", "failed"})
_LEVELS: Final = "▁▂▃▄▅▆▇█"
_LONGEST_SHOWN: Final = 120


async def show_audio(client: httpx.AsyncClient, recordings: Path) -> None:
    """Take one recording through everything."""
    recording, transcript = recordings / "rent-goes-up.ogg", recordings / "rent-goes-up.vtt"
    sound, words = await asyncio.gather(
        asyncio.to_thread(recording.read_bytes), asyncio.to_thread(transcript.read_bytes)
    )
    files = {"file": (recording.name, sound), "transcript": (transcript.name, words)}
    uploaded = await data_of(client.post(f"{_API}/audio/upload", files=files, data={"title": "房租要涨"}))
    path = f"{_API}/tasks/sessions/{uploaded['session_id']}"
    typer.echo(f"\naudio strategy: {recording.name}, {len(sound) / 1024:.0f} KiB, with its transcript\n")
    await _show_analysis(client, path)
    await _show_strategy(client, path)
    await _show_piece(client, path)


async def _show_analysis(client: httpx.AsyncClient, path: str) -> None:
    began = time.perf_counter()
    state = await data_of(client.get(f"{path}/status"))
    while state["status"] not in _ENDED:
        await asyncio.sleep(0.05)
        state = await data_of(client.get(f"{path}/status"))
    seconds = time.perf_counter() - began
    detail = await data_of(client.get(path))
    typer.secho(f"{detail['title']}  ({detail['duration']:.1f} s, {detail['speaker_count']} speakers)", bold=True)
    analysis = detail["analysis"]
    if analysis is None:
        typer.echo(f"  {state['status']}: {state['failureReason']}\n")
        return
    typer.echo(f"  {_short(analysis['summary'])}")
    waveform = await data_of(client.get(f"{path}/waveform", params={"buckets": 60}))
    typer.echo(f"  {_drawn(waveform['highest'])}")
    typer.echo(
        f"  {len(analysis['dialogues'])} turns · mood {analysis['mood_score']:.0f} · {len(analysis['risks'])} risks"
        f" · {' '.join(detail['tags'])} · {state['status']} after {seconds:.2f} s\n"
    )


async def _show_strategy(client: httpx.AsyncClient, path: str) -> None:
    scene = await data_of(client.post(f"{path}/classify-scene"))
    typer.secho(f"{scene['scene_category']}  ({scene['scene_confidence']:.2f})", bold=True)
    began = time.perf_counter()
    response = await client.post(f"{path}/strategies")
    if response.is_error:
        typer.echo(f"  {response.status_code}: {response.json()['detail']}\n")
        return
    strategy, seconds = response.json()["data"], time.perf_counter() - began
    for advice in strategy["strategies"]:
        typer.echo(f"  · {advice['title']}: {_short(advice['advice'])}")
    for visual in strategy["visual_data"]:
        typer.echo(f"  {await _picture(client, visual)}")
    typer.echo(
        f"  skills {', '.join(strategy['applied_skills'])} · model {response.headers['x-colloquy-model']}"
        f" · {seconds:.2f} s\n"
    )


async def _picture(client: httpx.AsyncClient, visual: dict[str, Any]) -> str:
    if visual["status"] != "completed":
        return f"picture {visual['image_index']}: {visual['status']}"
    response = (await client.get(visual["image_url"])).raise_for_status()
    kind, size = response.headers["content-type"], len(response.content)
    return f"picture {visual['image_index']}: {kind}, {size / 1024:.0f} KiB, GET {visual['image_url']}"


async def _show_piece(client: httpx.AsyncClient, path: str) -> None:
    segments = (await data_of(client.get(f"{path}/audio-segments")))["segments"]
    if not segments:
        return
    longest = max(segments, key=lambda one: one["duration"])
    body = {name: longest[name] for name in ("start_time", "end_time", "speaker")}
    piece = await data_of(client.post(f"{path}/extract-segment", json=body))
    sound = (await client.get(piece["audio_url"])).raise_for_status()
    typer.secho(f"{longest['speaker']}: {_short(longest['text'])}", bold=True)
    typer.echo(
        f"  {piece['start_time']:.2f} to {piece['end_time']:.2f} s · {sound.headers['content-type']},"
        f" {len(sound.content) / 1024:.0f} KiB, GET {piece['audio_url']}\n"
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line[:_LONGEST_SHOWN] + ("…" if len(line) > _LONGEST_SHOWN else "")


def _drawn(highest: list[float]) -> str:
    loudest = max([*highest, 0.001])
    return "".join(_LEVELS[min(len(_LEVELS) - 1, int(max(one, 0) / loudest * len(_LEVELS)))] for one in highest)
