"""Words by which the offline summary tells a request, an outcome, a greeting and a goodbye."""

import re
from typing import Final

_REQUEST_ZH: Final = (
    "[?？]|想(?:要|问|咨询|了解|买|退|换|预约|改|取消|请)?|请问|需要|麻烦|帮我|能不能|可以.{0,40}吗|怎么|为什么|投诉|咨询|"
    "申请|要求|没(?:有)?收到|坏了|有问题|出错"
)
_REQUEST_EN: Final = (
    r"\b(?:want|need|would like|wanted|looking for|could you|can you|can i|may i|help|how do|how can|why|"
    r"i'm calling|i am calling|calling about|complain|refund|problem|issue|broken|not working|doesn't work)\b"
)
_OUTCOME_ZH: Final = (
    "会(?:给|在|为|尽快|安排|把|再|联系|发|处理)|已经?(?:为|帮|给|登记|安排|取消|改|提交|办|处理|开)|安排|预约(?:好|成功)|"
    "确认|考虑|再联系|回电|回复您|就这样|那就|处理好|解决了|同意|决定|明天|今天内|工作日"
)
_OUTCOME_EN: Final = (
    r"\b(?:will|we'll|i'll|you'll|have (?:scheduled|arranged|booked|cancelled|canceled|issued|updated|opened)|"
    r"scheduled|arranged|booked|confirmed|agreed|resolved|fixed|works now|call back|get back|think about it|"
    r"by (?:tomorrow|monday|tuesday|wednesday|thursday|friday)|refunded|processed)\b"
)
_GREETING: Final = (
    "(?:喂|你好|您好|早上好|下午好|晚上好|hello|hi|good (?:morning|afternoon|evening))"
    "[,，!！ ]*(?:我是.{0,12}|请问.{0,4}(?:什么|有什么).{0,12}|有什么.{0,12}|"
    ".{0,20}(?:how (?:can|may) i help).{0,20})?|"
    ".{0,40}how (?:can|may) i help(?: you)?(?: today)?|(?:请问)?有什么可以帮(?:您|你|到您|助您)的?(?:吗)?"
)
_CLOSING: Final = (
    "(?:好的|好|嗯|行|ok|okay|alright|great|sure)?[,，。 ]*"
    "(?:谢谢|多谢|感谢|再见|拜拜|不客气|不用谢|thank you|thanks|bye|goodbye|"
    "you're welcome|have a (?:nice|good|great) (?:day|one|evening|weekend)|祝您.{0,10})"
    ".{0,24}|好的|嗯嗯|没有了|没别的了"
)

REQUEST: Final = re.compile(f"{_REQUEST_ZH}|{_REQUEST_EN}", re.IGNORECASE)
OUTCOME: Final = re.compile(f"{_OUTCOME_ZH}|{_OUTCOME_EN}", re.IGNORECASE)
GREETING: Final = re.compile(_GREETING, re.IGNORECASE)
CLOSING: Final = re.compile(_CLOSING, re.IGNORECASE)
