"""The sentences of the offline texts. They say how to go on, and claim nothing about the subject."""

from typing import Final

NOTE: Final = (
    "说明：这份内容由离线规则按模板填写，没有使用语言模型。",
    "Note: offline rules filled this template; no language model was used.",
)
AIMS: Final = (
    (
        "读完之后，读者应当知道三件事：这是什么、为什么和自己有关、下一步怎么做。",
        "没有给出的价格、日期和名称，一律留作待确认，不先写进正文。",
        "衡量方法先定下来：看到的人数、来问的人数、真正行动的人数，各记一个数。",
        "全文只讲一件事，其他想法另存一页，下次再用。",
    ),
    (
        "After reading, people should know what it is, why it concerns them and what to do next.",
        "Prices, dates and names that were not given stay open until they are confirmed.",
        "Count three things: who saw it, who asked, and who acted.",
    ),
)
POINTS: Final = (
    (
        "场景：写一个具体的时刻，谁、在哪里、遇到什么麻烦，之后有什么不同。",
        "理由：只选一条主要理由放在开头，其余的按读者关心的程度往后排。",
        "依据：每条理由后面跟一个可以核对的数字或例子，没有依据的先不写。",
        "顾虑：费用、麻烦、效果，挑读者问得多的一个先回答。",
        "语气：短句，不夸大，不用绝对化的词。",
        "标题：对象加好处，十五个字以内，写三个再挑一个。",
        "配图：用真实的照片，画面里只留一个主体。",
        "结尾：只给一个动作，例如留言、到店或报名，并写清楚怎么做。",
    ),
    (
        "Scene: one concrete moment, who it is, where, and what gets easier.",
        "Reason: lead with a single reason and put the rest in the order readers care.",
        "Evidence: follow each reason with a figure or an example that can be checked.",
        "Doubt: answer the question people ask most before they ask it.",
        "Tone: short sentences and no superlatives.",
        "Close: one action only, with how and when to do it.",
    ),
)
STEPS: Final = (
    (
        "核对：把上面的事实逐条确认，缺的补上，拿不准的删掉。",
        "成稿：按场景、理由、依据、行动的顺序写成一页，先写正文再写标题。",
        "试读：请三位读者各读一遍，记下他们停住的地方，只改这些地方。",
        "发布：先选一个主要渠道，固定时间发出，当天有人回复提问。",
        "复盘：一周后看三个数，保留有效的一条，换掉没人提起的一条。",
        "存档：把定稿、图片和数据放在一起，下一次从这里开始。",
    ),
    (
        "Check: confirm each fact above, fill the gaps and drop what is uncertain.",
        "Write: one page in the order scene, reason, evidence, action.",
        "Try: let three readers go through it and change only where they stopped.",
        "Publish: choose one channel and a fixed time, and answer questions that day.",
        "Review: after a week keep what worked and replace what nobody mentioned.",
    ),
)
