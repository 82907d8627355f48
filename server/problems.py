"""What a request that breaks a rule is told: the place and the rule in a sentence, never the value."""

from typing import Any, Final

from fastapi.exceptions import RequestValidationError

# An unknown key is the client's own text, and may be of any length.
_LONGEST_PLACE: Final = 100

# Pydantic's kinds of problems; `{…}` is from the rule, never from the request.
_RULES: Final[dict[str, str]] = {
    "missing": "缺少此项",
    "extra_forbidden": "没有这一项",
    "string_type": "应为字符串",
    "string_unicode": "含有无效字符",
    "string_too_short": "至少{min_length}个字符",
    "string_too_long": "最多{max_length}个字符",
    "string_pattern_mismatch": "格式不正确",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "int_parsing_size": "数字过大",
    "int_from_float": "应为整数",
    "float_type": "应为数字",
    "float_parsing": "应为数字",
    "finite_number": "应为有限的数字",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "list_type": "应为数组",
    "dict_type": "应为对象",
    "model_type": "应为对象",
    "model_attributes_type": "应为对象",
    "too_short": "长度不能少于{min_length}",
    "too_long": "长度不能超过{max_length}",
    "greater_than": "应大于{gt}",
    "greater_than_equal": "不能小于{ge}",
    "less_than": "应小于{lt}",
    "less_than_equal": "不能大于{le}",
    "literal_error": "应为 {expected}",
    "enum": "应为 {expected}",
    "uuid_type": "应为 UUID",
    "uuid_parsing": "应为 UUID",
}
# Families of kinds, by their first word.
_KINDS: Final[dict[str, str]] = {
    "datetime": "应为带时区的时间，形如 2025-11-08T10:00:00Z",
    "timezone": "应为带时区的时间，形如 2025-11-08T10:00:00Z",
    "date": "应为形如 2025-11-08 的日期",
}
_OTHER: Final = "不符合要求"


def sentence(error: RequestValidationError) -> str:
    """Return what is wrong with the request, in the user's language: its first problem."""
    problem = error.errors()[0]
    if problem["type"] == "json_invalid":
        return "请求体不是有效的 JSON"
    if problem["loc"] == ("body",) and problem["type"] != "missing":
        return "请求体应为 JSON 对象（Content-Type: application/json）"
    place = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query", "path"))
    # Not always of valid characters, either.
    place = place.encode(errors="replace").decode()[:_LONGEST_PLACE]
    return f"参数错误：{place}：{_rule(problem)}" if place else f"参数错误：{_rule(problem)}"


def _rule(problem: dict[str, Any]) -> str:
    context = problem.get("ctx", {})
    if problem["type"] == "value_error":
        # A validator of our own, which says it itself.
        return str(context.get("error", _OTHER))
    if "expected" in context:
        # Pydantic's list of values is an English one.
        context = context | {"expected": context["expected"].replace(" or ", "、").replace(", ", "、")}
    kind = _KINDS.get(problem["type"].partition("_")[0], _OTHER)
    return _RULES.get(problem["type"], kind).format_map(context)
