"""The long call of examples/calls: a branch counts its stock over the phone, article by article."""

WAITING_EVERY = 4

# Shelf, article, number in the system, number counted, and what is said about a difference.
STOCK = [
    (shelf, article, booked, booked + difference, remark)
    for shelf, article, booked, difference, remark in [
        ("A1", "圆珠笔蓝色", 240, 0, ""),
        ("A1", "圆珠笔黑色", 236, -4, "上周店里自己领用了四支，没有登记"),
        ("A2", "A4复印纸", 85, 0, ""),
        ("A2", "A3复印纸", 30, 2, "有两包是供应商补发的"),
        ("A3", "文件夹红色", 64, 0, ""),
        ("A3", "文件夹蓝色", 58, 0, ""),
        ("A4", "订书机", 19, -1, "有一台坏了，放在维修箱里"),
        ("A4", "订书钉", 310, 0, ""),
        ("B1", "计算器", 27, 0, ""),
        ("B1", "白板笔", 142, -12, "培训室借走了一盒，十二支"),
        ("B2", "白板擦", 33, 0, ""),
        ("B2", "便利贴黄色", 205, 0, ""),
        ("B3", "便利贴粉色", 188, 5, "有五本放错了货架，从B2找到的"),
        ("B3", "胶带透明", 97, 0, ""),
        ("B4", "双面胶", 76, 0, ""),
        ("B4", "剪刀", 41, -2, "两把生锈，准备报废"),
        ("C1", "U盘32G", 52, 0, ""),
        ("C1", "U盘64G", 38, -3, "监控还在核对，先按盘亏登记"),
        ("C2", "鼠标", 44, 0, ""),
        ("C2", "键盘", 26, 0, ""),
        ("C3", "耳机", 31, -1, "有一副是顾客退回来的，还没入库"),
        ("C3", "网线3米", 120, 0, ""),
        ("C4", "插线板", 48, 0, ""),
        ("C4", "五号电池", 560, 20, "赠品装没有扣掉"),
        ("D1", "保温杯", 36, 0, ""),
        ("D1", "马克杯", 42, -2, "搬货时打碎了两只"),
        ("D2", "抽纸", 132, 0, ""),
        ("D2", "湿巾", 95, 0, ""),
        ("D3", "垃圾袋", 210, 0, ""),
        ("D3", "洗手液", 64, 0, ""),
        ("D4", "毛巾", 58, 0, ""),
        ("D4", "雨伞", 23, -1, "有一把借给了顾客"),
        ("E1", "笔记本A5", 176, 0, ""),
        ("E1", "笔记本B5", 154, 0, ""),
        ("E2", "信封", 420, 0, ""),
        ("E2", "快递袋", 385, -35, "上个月的寄件没有及时出库"),
        ("E3", "印泥", 29, 0, ""),
        ("E3", "墨盒黑色", 22, 0, ""),
        ("E4", "墨盒彩色", 18, -1, "有一个漏墨，已经拍照"),
        ("E4", "硒鼓", 14, 0, ""),
        ("F1", "儿童水彩笔", 67, 0, ""),
        ("F1", "油画棒", 49, 0, ""),
        ("F2", "橡皮泥", 83, -3, "试玩区拆开用掉了三盒"),
        ("F2", "彩色卡纸", 115, 0, ""),
        ("F3", "胶水", 92, 0, ""),
        ("F3", "直尺", 138, 6, "补货的时候多发了一包六把"),
        ("F4", "三角板套装", 54, 0, ""),
        ("F4", "圆规", 37, -1, "包装破损，已经下架"),
        ("G1", "书包大号", 21, 0, ""),
        ("G1", "书包小号", 18, 0, ""),
        ("G2", "笔袋", 63, -2, "样品挂在门口，没有计入"),
        ("G2", "书签礼盒", 29, 0, ""),
        ("G3", "台灯", 16, 0, ""),
        ("G3", "护眼灯泡", 44, 0, ""),
        ("G4", "保鲜盒", 39, 0, ""),
        ("G4", "收纳箱", 25, 0, ""),
        ("H1", "充电宝", 20, -1, "一台借给配送员用了"),
        ("H1", "数据线", 128, 0, ""),
        ("H2", "手机支架", 57, 0, ""),
        ("H2", "蓝牙音箱", 12, 0, ""),
    ]
]
ASKED = [
    "{shelf}货架，{article}，请报一下实盘数量。",
    "接下来是{shelf}的{article}，数到多少？",
    "{article}，在{shelf}，请清点。",
]
TOLD = ["{counted}。", "数了两遍，{counted}。", "一共{counted}。", "是{counted}，没错。"]
MATCHED = ["系统也是{booked}，账实相符，进入下一项。", "{booked}，一致，已经确认。", "对得上，记为{counted}。"]
WAITED = [
    ("稍等，我换一下梯子。", "不急，注意安全。"),
    ("等一下，有顾客来结账。", "好的，我在线等您。"),
    ("这里光线有点暗，我开一下灯。", "好的。"),
    ("刚才信号断了一下，您听得到吗？", "听得到，我们继续。"),
]


def stock_check() -> str:
    """Return its script."""
    lines = [
        "A: 您好，这里是总部盘点热线，请问是哪家门店？",
        "U: 你好，我是滨江二店的店长周敏，预约了今天上午电话盘点。",
    ]
    lines += [
        "A: 周店长好，本次盘点单号是PD-20251106，共六十项，我们按货架顺序来。",
        "U: 好的，盘点枪和纸质单都准备好了。",
    ]
    lines += [
        "A: 今天盘完以后差异要在系统里说明原因，您这边清楚吗？",
        "U: 清楚，另外我想今天就把差异处理完，月底要结账。",
    ]
    for number, (shelf, article, booked, counted, remark) in enumerate(STOCK):
        known = {"shelf": shelf, "article": article, "booked": booked, "counted": counted}
        lines.append("A: " + ASKED[number % len(ASKED)].format(**known))
        if number % WAITING_EVERY == 0:
            said, answered = WAITED[number // WAITING_EVERY % len(WAITED)]
            lines += [f"U: {said}", f"A: {answered}"]
        lines.append("U: " + TOLD[number % len(TOLD)].format(**known))
        if counted == booked:
            lines.append("A: " + MATCHED[number % len(MATCHED)].format(**known))
            lines += ["U: 好。", f"A: 第{number + 1}项完成。", "U: 继续吧。"]
            continue
        kind = "盘盈" if counted > booked else "盘亏"
        lines.append(f"A: 系统是{booked}，{kind}{abs(counted - booked)}，请说明原因。")
        lines += [
            f"U: {remark}。",
            f"A: 好的，{article}按{kind}{abs(counted - booked)}登记，备注：{remark}。",
            "U: 对。",
        ]
        lines += [f"A: 第{number + 1}项完成，需要再数一遍吗？", "U: 不用，数过两遍了。"]
    short = sum(booked - counted for _, _, booked, counted, _ in STOCK if counted < booked)
    over = sum(counted - booked for _, _, booked, counted, _ in STOCK if counted > booked)
    lines += ["A: 六十项全部清点完毕，我汇总一下。", "U: 好的，您说。"]
    lines += [f"A: 盘亏合计{short}件，盘盈合计{over}件，U盘64G的三个需要等监控核对结果。", "U: 监控我今天下午就看。"]
    lines += ["A: 其余差异我现在提交审批，审批通过后库存自动调整。", "U: 大概什么时候能通过？"]
    lines += ["A: 最晚明天中午12点，结果会短信通知您。", "U: 好的，U盘的情况我明天上午10点前回复你们。"]
    lines += ["A: 好的，已经记录：周店长明天上午10点前回复U盘64G的核对结果。", "U: 谢谢，辛苦了。", "A: 不客气，再见。"]
    return "\n".join(lines)
