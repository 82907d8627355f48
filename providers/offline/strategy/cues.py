"""Words and phrases by which the offline scene rule tells what a conversation is about (G02).

Strong cues weigh three, the others one; a cue counts once however often it is said. English cues are whole words.
"""

import re
from typing import Final

_STRONG: Final = {
    "workplace": (
        "加班|绩效|考核|汇报|排期|上线|跨部门|领导|总监|述职|转正|离职|工位|同事|需求文档|测试环境|季度|年终|"
        "项目组|客户那边|周会|周报|出差|升职|组长|主管|交接|值班|调休|开会|"
        r"\b(?:manager|my boss|stakeholders?|promotion|performance|status report|sprint|release|coworkers?|"
        r"colleagues?|team lead|overtime|deadline|standup)\b"
    ),
    "family": (
        "婆婆|岳母|岳父|公公|奶奶|爷爷|外婆|姥姥|嫂子|二哥|大姐|弟妹|表妹|表哥|亲戚|过年|催婚|相亲|老家|养老|"
        "陪床|护工|带孩子|养你|你爸|你妈|我妈|我爸|红包|腊肉|家务|赡养|"
        r"\b(?:mom|mum|dad|grandma|grandpa|my sister|my brother|your father|your mother|raised you|in-laws|"
        r"thanksgiving|nursing home)\b"
    ),
    "intimate": (
        "在乎我|爱我|爱你|想你|想我|纪念日|前任|分手|复合|异地|谈恋爱|男朋友|女朋友|亲爱的|宝贝|我们俩|安全感|"
        "结婚纪念|吃醋|抱抱|心里没有我|冷淡|陪我|离婚|求婚|约会|冷战|在一起.{0,3}年|"
        r"\b(?:babe|honey|love you|love me|miss you|girlfriend|boyfriend|anniversary|my wife|my husband|break up|"
        r"dating|jealous)\b"
    ),
    "education": (
        "作业|考试|月考|成绩|班主任|卷子|补习|中考|高考|论文|导师|答辩|开题|上课|学校|教室|同学|志愿|选科|逃课|"
        "辅导|课堂|期末|期中|家长会|老师|学期|不及格|分数|背单词|"
        r"\b(?:homework|exams?|grades?|teacher|thesis|professor|semester|school|tutor|classroom|essay|lecture|"
        r"midterm)\b"
    ),
    "social": (
        "好久不见|聚会|聚餐|改天|组局|老同学|新朋友|借我|手头紧|周转|社恐|加个微信|请你吃饭|一起吃饭|朋友|"
        "生日|份子钱|随礼|室友|群里约|介绍.{0,4}认识|你还好吗|爬山|露营|"
        r"\b(?:long time no see|catch up|party|housewarming|nice to meet|friends?|hang out|invite|invited|"
        r"drinks|birthday|potluck)\b"
    ),
    "negotiation": (
        "报价|太贵|便宜|优惠|折扣|打折|账期|押金|租金|房租|底价|预算|定金|订金|月薪|年薪|期望薪资|底薪|签字奖|合同|"
        "单价|运费|成交|交期|违约金|还价|涨租|续租|让利|"
        r"\b(?:price|asking|discount|deposit|quote|budget|salary|per unit|rent|landlord|deal|counter ?offer|"
        r"contract|in cash|lease|payment terms)\b"
    ),
    "conflict": (
        "凭什么|骗人|骗子|报警|投诉|曝光|闭嘴|有病|试试|动手|欺负人|不讲理|赔钱|嘴巴放干净|滚[，。！!]|眼瞎|骂谁|"
        "撒野|别碰|起诉|什么态度|看不起人|谁怕谁|不要脸|砸|信不信|受够|"
        r"\b(?:shut up|how dare|liar|yelling|screaming|threats?|police|sue|sick of|get out|idiot|i swear)\b"
    ),
}
_WEAK: Final = {
    "workplace": (
        "方案|客户|项目|接口|版本|报表|进度|延期|流程|部门|团队|产品|返工|会议|老大|公司|请假|"
        r"\b(?:project|client|team|shipped|quarter|rating|meeting|office|report)\b"
    ),
    "family": (
        "妈[，,]|爸[，,]|姐[，,]|哥[，,]|孩子|住院|结婚|懂事|洗碗|家里|儿子|女儿|"
        r"\b(?:family|children|kids|sister|brother|house)\b"
    ),
    "intimate": (
        "老公|老婆|回我|消息|不在乎|忘了|手机|我们俩|见面|对不起|"
        r"\b(?:i feel|we never talk|together|sorry|hug|relationship)\b"
    ),
    "education": r"孩子|学习|写完|走神|听不懂|评委|专业|数学|英语|\b(?:class|study|studying|student|math|college)\b",
    "social": r"周末|微信|请客|大家|最近怎么样|玩|兄弟|认识|陪你|\b(?:weekend|coffee|fun|neighbou?r|movie)\b",
    "negotiation": r"别家|行情|这个价|可以谈|数量|涨|元|万|签|谈吗|\b(?:thousand|hundred|pay|offer|terms|include)\b",
    "conflict": r"骂|吵|喊|怪我|赔|经理出来|[！!].{0,40}[！!]|\b(?:stop|always do this|touch|calling the)\b|!.{0,80}!",
}

STRONG: Final = {scene: re.compile(cues, re.IGNORECASE) for scene, cues in _STRONG.items()}
WEAK: Final = {scene: re.compile(cues, re.IGNORECASE) for scene, cues in _WEAK.items()}

# How people are named says who they are to each other; it weighs as much as two strong cues.
NAMED: Final = {
    "workplace": re.compile(r".{0,3}(?:经理|总监|主管|组长|老板|总)|manager|boss|supervisor", re.IGNORECASE),
    "family": re.compile(
        r"(?:老)?[爸妈]|婆婆|岳母|岳父|公公|奶奶|爷爷|外婆|[大二三小][姐哥姑姨叔]|哥哥?|姐姐?|弟弟|妹妹|"
        r"mom|mum|dad|grandma|aunt|uncle",
        re.IGNORECASE,
    ),
    "intimate": re.compile(
        r"老公|老婆|男友|女友|男朋友|女朋友|丈夫|妻子|husband|wife|boyfriend|girlfriend", re.IGNORECASE
    ),
    "education": re.compile(
        r".{0,3}老师|导师|班主任|学生|研究生|.{0,4}家长|teacher|professor|student|tutor", re.IGNORECASE
    ),
    "negotiation": re.compile(
        r"房东|租客|供应商|采购|买家|卖家|应聘者|HR|buyer|seller|landlord|tenant|recruiter|vendor", re.IGNORECASE
    ),
}
