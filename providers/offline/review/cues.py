"""Words by which the offline review tells mood, risks and topics. English cues are whole words."""

import re
from typing import Final


def _cues(chinese: str, english: str) -> re.Pattern[str]:
    return re.compile(rf"{chinese}|\b(?:{english})\b", re.IGNORECASE)


WARM: Final = _cues(
    "谢谢|感谢|辛苦了|抱歉|对不起|不好意思|没关系|理解你|放心|太好了|真好|开心|高兴|爱你|想你|加油|支持你|一起想|"
    "说得对|有道理|慢慢来|恭喜|哈哈",
    "thanks?|thank you|sorry|appreciate|glad|great|happy|love you|no problem|of course|take your time|good point|"
    "congratulations|well done",
)
COLD: Final = _cues(
    "烦|滚|闭嘴|凭什么|随便你|你总是|你从来|受够了|讨厌|失望|生气|吵|怪你|不可理喻|有病|无语|算了吧|懒得|"
    "别跟我|什么态度|推卸|骗|冷淡|来不及|延期",
    "shut up|hate|annoying|angry|furious|fed up|whatever|you always|you never|ridiculous|disappointed|unfair|"
    "blame|liar|lying|late again|stupid",
)

# Level, what is said of it in Chinese and in English, and its words.
RISKS: Final[tuple[tuple[str, str, str, re.Pattern[str]], ...]] = (
    (
        "high",
        "出现自伤或轻生的说法，需要尽快关心并寻求专业帮助",
        "Words of self-harm: care and professional help are needed soon",
        _cues("不想活|活着没意思|想死|自杀|自残|割腕|跳楼", "kill myself|suicide|end my life|hurt myself|want to die"),
    ),
    (
        "high",
        "出现威胁或暴力的说法",
        "Words of threat or violence",
        _cues(
            "打死你|弄死|杀了你|揍你|砍|动手打|信不信我打|要你好看|走着瞧|让你混不下去",
            "kill you|hit you|beat you|hurt you|make you pay|you will regret",
        ),
    ),
    (
        "high",
        "涉及转账、验证码或银行卡，可能是诈骗",
        "Money transfers, codes or cards: possibly a fraud",
        _cues(
            "验证码|安全账户|转账给|打到.{0,6}账户|银行卡密码|保证金.{0,6}先",
            "verification code|wire (?:the )?money|gift cards?|bank password|safe account",
        ),
    ),
    (
        "medium",
        "有辱骂或贬低的说法",
        "Insults or contempt",
        _cues(
            "滚|闭嘴|废物|蠢|白痴|有病|不要脸|垃圾|没用的东西|神经病|骗子",
            "idiot|stupid|shut up|useless|loser|pathetic|moron|liar",
        ),
    ),
    (
        "medium",
        "以分手、离职、投诉或报警等施压",
        "Pressure: to leave, to quit, to complain or to call the police",
        _cues(
            "分手吧|离婚吧|不干了|开除你|扣你工资|投诉你|报警|法院见|找律师|断绝关系",
            "break up|divorce|i quit|you're fired|sue you|calling the police|my lawyer",
        ),
    ),
    (
        "low",
        "指责对方一贯如此，容易引起防御",
        "Blame that something is always so, which makes people defend themselves",
        _cues(
            "你总是|你从来|你每次|你就是|凭什么|都怪你|又是你", "you always|you never|every time you|your fault|blame"
        ),
    ),
    (
        "low",
        "提到延误或来不及，约定可能落空",
        "Something is late: what was agreed may fail",
        _cues(
            "延期|来不及|拖了|还没好|赶不上|晚了", "is late|are late|delayed?|behind schedule|overdue|miss the deadline"
        ),
    ),
)

TELLING: Final = _cues(
    r"\d|[一二三四五六七八九十百千万两]+(?:元|块|点|号|天|年|月|个|次|成)|决定|约好|答应|希望|需要|要求|因为|所以|但是|问题|"
    "明天|下周|周[一二三四五六日]|怎么办",
    r"\d+|decide|agreed?|promise|need|want|because|but|problem|tomorrow|next week|monday|tuesday|wednesday|thursday|"
    "friday|how about|will",
)

# By what is named: the role that somebody with this name has, in Chinese and in English.
ROLES: Final[tuple[tuple[re.Pattern[str], tuple[str, str]], ...]] = (
    (
        re.compile(r".{0,3}(?:经理|总监|主管|组长|老板|领导)|manager|boss|supervisor", re.IGNORECASE),
        ("上级", "manager"),
    ),
    (re.compile(r"(?:老)?妈妈?|母亲|mom|mum|mother", re.IGNORECASE), ("母亲", "mother")),
    (re.compile(r"(?:老)?爸爸?|父亲|dad|father", re.IGNORECASE), ("父亲", "father")),
    (
        re.compile(r"老公|老婆|丈夫|妻子|男友|女友|男朋友|女朋友|husband|wife|boyfriend|girlfriend", re.IGNORECASE),
        ("伴侣", "partner"),
    ),
    (re.compile(r".{0,3}老师|导师|teacher|professor|tutor", re.IGNORECASE), ("老师", "teacher")),
    (re.compile(r"学生|.{0,3}同学|student", re.IGNORECASE), ("学生", "student")),
    (re.compile(r"客户|顾客|买家|customer|client|buyer", re.IGNORECASE), ("客户", "customer")),
    (re.compile(r"客服|店员|agent|clerk", re.IGNORECASE), ("客服", "agent")),
    (re.compile(r"房东|landlord", re.IGNORECASE), ("房东", "landlord")),
    (re.compile(r"租客|tenant", re.IGNORECASE), ("租客", "tenant")),
    (re.compile(r"同事|colleague|coworker", re.IGNORECASE), ("同事", "colleague")),
)

TOPICS: Final = {
    ("工作", "work"): _cues(
        "项目|开会|加班|汇报|上线|客户|绩效|排期", "manager|project|deadline|release|report|meeting"
    ),
    ("家庭", "family"): _cues("过年|回家|妈|爸|孩子|家里|老家", "mom|dad|family|kids"),
    ("感情", "love"): _cues("在乎我|爱你|想你|分手|约会|纪念日", "love you|anniversary|girlfriend|boyfriend"),
    ("学习", "school"): _cues("作业|考试|成绩|上课|论文", "homework|exam|grade|school|thesis"),
    ("价格", "price"): _cues("房租|价格|便宜|涨|降价|报价|元|万", "rent|price|offer|pay|discount"),
    ("约定", "appointment"): _cues("明天|下周|周[一二三四五六日]|约好|几点", "tomorrow|next week|monday|friday"),
    ("争执", "quarrel"): _cues("吵|凭什么|骂|投诉|闭嘴", "shut up|angry|complain|blame"),
    ("健康", "health"): _cues("医院|生病|住院|吃药|看病", "hospital|sick|doctor"),
}
