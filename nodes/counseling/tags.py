"""Reading the three stages' answers (X028): each returns what can be stored, or says what is wrong with the answer."""

import json
import re
from typing import Any, Final, cast

from nodes.common.generation import Unusable
from nodes.counseling.records import NOTHING, SLOTS, Memory, Slot

LONGEST_DIARY: Final = 3000
LONGEST_SLOT: Final = 1200
LONGEST_ACTIVITY: Final = 8000
_DEEPEST: Final = 6
# Beyond this nothing is read: what is good stands within it.
_LONGEST_READ: Final = 60_000
_THOUGHT: Final = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.IGNORECASE | re.DOTALL)
# No text of PostgreSQL holds these, and JSON can: NUL, and halves of surrogate pairs.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
# The innermost pair of tags: a text ends before the next one begins, so that unclosed tags cost no second look.
_INNERMOST: Final = r"<\s?{name}\s?>((?:(?!<\s?/?\s?{name}\s?>).)*)<\s?/\s?{name}\s?>"
_PAIRS: Final = {
    name: re.compile(_INNERMOST.format(name=name), re.IGNORECASE | re.DOTALL) for name in ("diary", *SLOTS)
}
_MEMORY: Final = re.compile(r"<\s?longterm_memory\s?>", re.IGNORECASE)
_ACTIVITY: Final = re.compile(r"<\s?activity\s?>\s*(?:```\w*\s*)?", re.IGNORECASE)
_SHORT: Final = 40
_NONE: Final = re.compile(
    r"[\s（(\[【\"“]*(?:暂?无|没有|未提及|空|none|n/?a|null)?[\s。.）)\]】\"”…—-]*", re.IGNORECASE
)


def says_nothing(text: str) -> bool:
    """Tell whether a text is empty, or a word for that, as "无" is."""
    return (len(text) <= _SHORT and _NONE.fullmatch(text) is not None) or not any(map(str.isalnum, text))


def read_diary(answer: str) -> str:
    """Return `<diary>…</diary>` with the last diary of an answer that says anything (E020).

    Raises:
        Unusable: there is none, or it is too long.
    """
    texts = [text for text in _inside("diary", _cleaned(answer)) if not says_nothing(text)]
    if not texts:
        raise Unusable("没有找到内容不为空的 <diary>…</diary> 标签（开始和结束标签都要有）")
    if len(texts[-1]) > LONGEST_DIARY:
        raise Unusable(f"<diary> 里的内容太长，不能超过 {LONGEST_DIARY} 个字符")
    return f"<diary>{texts[-1]}</diary>"


def read_activity(answer: str) -> dict[str, Any]:
    """Return the JSON object after the last `<activity>` that has one (E021); empty texts in it become "无" (E024).

    Raises:
        Unusable: there is none, it is empty, too large or nested too deep.
    """
    answer = _cleaned(answer)
    wrong = "没有找到 <activity>…</activity> 标签"
    for opening in reversed(list(_ACTIVITY.finditer(answer))):
        try:
            found, _end = json.JSONDecoder(parse_constant=lambda _name: None).raw_decode(answer, opening.end())
        except (ValueError, RecursionError) as error:
            where = f"（第 {error.lineno} 行：{error.msg}）" if isinstance(error, json.JSONDecodeError) else ""
            wrong = f"<activity> 里的内容不是完整合法的 JSON{where}"
            continue
        if isinstance(found, dict) and found:
            return _bounded(found)
        wrong = "<activity> 里须是一个不为空的 JSON 对象"
    raise Unusable(wrong)


def read_memory(answer: str, previous: Memory) -> Memory:
    """Return the five slots under `<longterm_memory>` (E022).

    A slot that is empty counts as missing; so does one that says "无" where `previous` says something (W30).

    Raises:
        Unusable: the tag or a slot is missing, or a slot is too long.
    """
    cleaned = _cleaned(answer)
    openings = list(_MEMORY.finditer(cleaned))
    if not openings:
        raise Unusable("没有找到 <longterm_memory>…</longterm_memory> 标签")
    inside = cleaned[openings[-1].end() :]
    texts = {slot: _last(slot, inside) for slot in SLOTS}
    wrong = [_missing(slot, texts[slot], previous[slot]) for slot in SLOTS]
    wrong += [
        f"{slot} 太长，不能超过 {LONGEST_SLOT} 个字符" for slot, text in texts.items() if len(text) > LONGEST_SLOT
    ]
    if told := [problem for problem in wrong if problem]:
        raise Unusable("；".join(told))
    return cast("Memory", texts)


def slots_in(answer: str) -> dict[Slot, str]:
    """Return the slots that an answer does say something in, wherever they stand, each within its length (G51)."""
    found = {slot: _last(slot, _cleaned(answer)) for slot in SLOTS}
    return {slot: text[:LONGEST_SLOT].rstrip() for slot, text in found.items() if not says_nothing(text)}


def _missing(slot: Slot, text: str, previous: str) -> str:
    if not text:
        return f"缺少 <{slot}>，或它是空的"
    if says_nothing(text) and not says_nothing(previous):
        return f"<{slot}> 原来有内容，不能写成“{NOTHING}”，要保留仍然成立的内容"
    return ""


def _last(slot: Slot, text: str) -> str:
    return next((found for found in reversed(_inside(slot, text)) if found), "")


def _inside(name: str, text: str) -> list[str]:
    return [found.strip() for found in _PAIRS[name].findall(text)]


def _cleaned(answer: str) -> str:
    return _UNSTORABLE.sub("", _THOUGHT.sub(" ", answer)[:_LONGEST_READ])


def _bounded(found: dict[str, Any]) -> dict[str, Any]:
    try:
        filled = cast("dict[str, Any]", _filled(found, _DEEPEST))
    except RecursionError:
        raise Unusable(f"<activity> 里的 JSON 嵌套太深，不能超过 {_DEEPEST} 层") from None
    if len(json.dumps(filled, ensure_ascii=False)) > LONGEST_ACTIVITY:
        raise Unusable(f"<activity> 里的 JSON 太长，不能超过 {LONGEST_ACTIVITY} 个字符")
    return filled


def _filled(value: Any, levels: int) -> Any:
    """Return a JSON value that can be stored: empty texts become "无"; numbers that JSON cannot write become null."""
    if isinstance(value, dict | list) and not levels:
        raise RecursionError
    match value:
        case str():
            return _UNSTORABLE.sub("", value).strip() or NOTHING
        case float() if value in (float("inf"), float("-inf")):
            return None
        case list():
            return [_filled(item, levels - 1) for item in value]
        case dict():
            return {_UNSTORABLE.sub("", key): _filled(item, levels - 1) for key, item in value.items()}
    return value
