"""What words of a request say about the tool that is meant: Chinese ones too, though tools are named in English."""

import re
from typing import Final

# A Chinese expression, and the English words by which tools call the same.
_MEANINGS: Final[dict[str, str]] = {
    "加起来|相加|求和|之和|加上": "add sum",
    "减去|相减|之差": "subtract",
    "相乘|乘以|乘积": "multiply",
    "除以|相除": "divide",
    "几点|时间|时刻": "time",
    "现在|当前|此刻": "current now get",
    "换算|转换|折合": "convert",
    "记下|记录|写下|写入|记一": "append write",
    "追加|添加": "append add",
    "笔记|便签|备忘|记事": "note notes",
    "列出|列一下|有哪些|有什么|清单": "list",
    "读取|读一下|读出|打开|看看|查看|显示": "read show get open",
    "搜索|查找|查询|找一下|找出": "search find query",
    "删除|删掉|移除|清除": "delete remove clear",
    "清空": "clear",
    "创建|新建|建立": "create",
    "移动|重命名|改名": "move rename",
    "修改|更新|编辑": "edit update",
    "目录|文件夹": "directory folder",
    "文件": "file",
    "状态": "status",
    "日志|历史": "log history",
    "差异|不同|区别|改动": "diff",
    "提交": "commit",
    "分支": "branch",
    "仓库": "repo git",
    "回显|重复|复述": "echo",
    "实体": "entity entities",
    "关系": "relation relations",
    "图谱": "graph",
    "图片|图像": "image",
    "信息|详情": "info",
    "天气": "weather",
    "发送|发给": "send",
    "翻译": "translate",
    "计算|算一下|算出": "calculate compute",
}
_ENGLISH: Final[dict[str, str]] = {
    "plus": "add sum",
    "total": "sum add",
    "minus": "subtract",
    "times": "multiply",
    "o'clock": "time",
    "jot": "append add write note",
    "note": "notes append",
    "save": "write append",
    "put": "write append add",
    "erase": "delete remove",
    "folder": "directory",
    "repository": "repo git",
    "show": "list read get",
    "look": "read get search",
    "repeat": "echo",
    "say": "echo",
    "changes": "diff status",
}
_EXPRESSIONS: Final = [(re.compile(expression), words.split()) for expression, words in _MEANINGS.items()]
_WORD: Final = re.compile(r"[a-z']+")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Words that say nothing about a tool.
_EMPTY: Final = frozenset(
    {"a", "an", "the", "of", "to", "in", "on", "at", "for", "and", "or", "is", "are", "be", "it", "its", "this", "that"}
    | {
        "with",
        "from",
        "by",
        "as",
        "into",
        "me",
        "my",
        "you",
        "your",
        "please",
        "can",
        "could",
        "would",
        "what",
        "which",
    }
    | {"how", "do", "does", "i", "we", "us", "tool", "given", "returns", "return", "whether", "all", "any", "if"}
)


def meanings(text: str) -> set[str]:
    """Return the English words that a request in Chinese or English means."""
    lowered = text.lower()
    found = {stem(word) for word in _WORD.findall(lowered)} - _EMPTY
    for word in _WORD.findall(lowered):
        found |= {stem(meant) for meant in _ENGLISH.get(word, "").split()}
    for expression, words in _EXPRESSIONS:
        if expression.search(text):
            found |= {stem(word) for word in words}
    return found


def words_of_name(name: str) -> set[str]:
    """Return the words of a tool's name: `git_status`, `read-file` and `getTime` have two each."""
    parts = _WORD.findall(_CAMEL.sub(" ", name.rpartition(".")[2]).replace("_", " ").lower())
    return {stem(part) for part in parts} - _EMPTY


def words_of_text(text: str) -> set[str]:
    """Return the words of a description that may say what a tool is for."""
    return {stem(word) for word in _WORD.findall(text.lower())} - _EMPTY


def stem(word: str) -> str:
    """Return a word without the endings of its plural and its other forms."""
    for ending, shortest in (("ies", 3), ("ing", 3), ("s", 2)):
        if word.endswith(ending) and len(word) - len(ending) > shortest and not word.endswith("ss"):
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word
