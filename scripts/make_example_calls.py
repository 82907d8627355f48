"""Writes examples/calls/*.json from the calls in `example_call_scripts.py`; running it again writes the same files."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from example_call_scripts import CALLS, Call

FOLDER = Path(__file__).parent.parent / "examples" / "calls"
SECONDS_A_TURN = 6
ROLES = {"A": "assistant", "U": "user"}


def content(call: Call) -> dict[str, Any]:
    """Return what a call's file holds."""
    lines = [line.strip() for line in call.script.strip().splitlines() if line.strip()]
    begin = datetime.fromisoformat(call.start)
    epoch = int(begin.timestamp())
    messages = [
        {"role": ROLES[line[0]], "content": line[3:], "timestamp": epoch + SECONDS_A_TURN * number}
        for number, line in enumerate(lines)
    ]
    seconds = SECONDS_A_TURN * len(messages)
    end = begin + timedelta(seconds=seconds)
    name, phone, app = call.caller
    return {
        "title": call.title,
        "agent": "智能客服",
        "caller_name": name,
        "caller_phone": phone,
        "caller_app": app,
        "start_time": begin.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end_time": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration_seconds": seconds,
        "hangup_reason": call.hangup,
        "messages": messages,
        "key_points": {
            "request": call.request,
            "key_information": call.key_information,
            "outcome": call.outcome,
        },
    }


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for call in CALLS:
        text = json.dumps(content(call), ensure_ascii=False, indent=1) + "\n"
        (FOLDER / f"{call.name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
