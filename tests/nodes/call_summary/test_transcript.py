"""From messages to parts: nothing lost within the limits, both ends kept beyond them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.call_summary.transcript import MOST_PARTS, PART_BUDGET, WHOLE_BUDGET, in_parts, transcript_digest
from tools.text.tokens import estimate

ROLES = st.sampled_from(["user", "assistant"])
CALLS = st.lists(st.tuples(ROLES, st.text("你好吗ab 12\n", max_size=200), st.integers(1, 60)), max_size=40)


def said(turns: list[tuple[str, str, int]]) -> list[dict[str, str]]:
    return [{"role": role, "content": content * times} for role, content, times in turns]


@settings(max_examples=60)
@given(CALLS)
def test_parts_hold_every_turn_in_order_within_the_budget(turns: list[tuple[str, str, int]]) -> None:
    messages = said(turns)
    parts = in_parts(messages)
    lines = [f"{m['role']}: {' '.join(m['content'].split())}" for m in messages if m["content"].strip()]
    assert len(parts) <= MOST_PARTS
    assert all(estimate(part) <= max(PART_BUDGET, WHOLE_BUDGET if len(parts) == 1 else 0) for part in parts)
    if parts:
        joined = "".join("".join(parts).split())
        for line in lines:
            # A turn that was cut names its speaker in each piece.
            start = "".join(line.split())[:40]
            assert start in joined


def test_a_short_call_is_one_part_with_a_line_a_turn() -> None:
    messages = [
        {"role": "assistant", "content": "您好"},
        {"role": "user", "content": "  "},
        {"role": "user", "content": "a\nb"},
    ]
    assert in_parts(messages) == ["assistant: 您好\nuser: a b"]


def test_an_endless_call_keeps_both_ends_and_says_what_is_left_out() -> None:
    messages = [{"role": "user", "content": f"第{number}句" + "话" * 500} for number in range(1000)]
    parts = in_parts(messages)
    assert len(parts) == MOST_PARTS
    assert parts[0].startswith("user: 第0句")
    assert "第999句" in parts[-1]
    [notice] = [line for part in parts for line in part.splitlines() if "left out" in line]
    kept = sum(part.count("user: ") for part in parts)
    assert f"{1000 - kept} turns" in notice


def test_the_digest_follows_what_is_said_and_nothing_else() -> None:
    message = {"role": "user", "content": "你好", "timestamp": 1}
    assert transcript_digest([message]) == transcript_digest([message | {"timestamp": 2, "content": " 你好\n"}])
    assert transcript_digest([message]) != transcript_digest([message | {"content": "您好"}])
    assert transcript_digest([message]) != transcript_digest([message | {"role": "assistant"}])
