"""Sentence templates and chatter that posts of every style share. Data only; `post_text` fills the slots.

[a|b|c] stands for one of a, b and c. Slots are facet names in braces, plus {season}, {shape} (a body type),
{number}, {height}, {size}, {wow} (praise) and {city}.
"""

from __future__ import annotations

from typing import Final

TITLES: Final = (
    "{season}[穿搭|look|出门]｜{colour}{garment}[真的绝了|太可了|好美]",
    "{shape}[闭眼入|必看|放心冲]的{garment}",
    "{style}｜[今天也是|又是|迟来的]{colour}[的一天|日记|系]",
    "被[问|夸|催]了{number}[遍|次]的{garment}",
    "{occasion}[穿什么|怎么穿]？{garment}+{garment2}",
    "{colour}+{colour2}[谁懂啊|配一脸|也太搭了]",
    "[一周|七天|三套]{style}[不重样|合集|灵感]",
    "[这件|一件]{material}{garment}[穿|陪我]一整个{season}",
    "{garment}这样[搭|穿][很高级|不出错|才好看]",
    "{height}[穿搭|实穿|日常]｜{cut}{garment}",
    "[救命|啊啊啊|天呐]！{garment}[也太好看了|美到我了|可以封神]",
    "{season}[第一件|最后一件|必备]{garment}",
    "[不费力气|毫不费力|偷懒]的{occasion}{style}",
    "{style}[入门|速成|公式]：{garment}和{footwear}",
    "[今天|昨天|周末]的[ootd|outfit|小日常]",
    "[开箱|拆箱|试穿]！{brand}{garment}",
    "{pattern}{garment}[永远的神|我的心头好|百看不厌]",
    "{city}[今日|街头|随手拍]｜{style}",
    "[衣柜里|最近|每次][最常穿|离不开|都穿]的{garment}",
    "{garment}[测评|合集|对比]｜{material}[还是|和]{colour}",
    "{footwear}配{garment}[yyds|好好看|试过就懂]",
    "[普通人|打工人|学生党]的{season}{style}",
    "{bag}[配|搭]{garment}",
    "{accessory}[点睛|好绝]｜{style}",
    "",
)

SENTENCES: Final = (
    "[这件|这条|这款]{garment}[是|用的是|选了]{material}，{cut}[的版型|的设计|]{wow}",
    "{colour}[的|]{garment}[搭|配|叠]{colour2}{garment2}，[层次感就出来了|刚刚好|温柔到不行|特别耐看]",
    "[最近|今年|突然][爱上|迷上|入坑]了{style}，{garment}[和|跟|配]{footwear}[简直绝配|好搭|缺一不可]",
    "{shape}[的姐妹|女生|的朋友]可以[试试|冲|看看]{cut}[的|]{garment}[，遮肉显高|，比例很好|，真的友好|]",
    "{pattern}[的|]{garment}[一定要|最好|可以]配{bag}[才好看|才完整|]",
    "{season}[就是要穿|怎么能没有|最适合]{colour}[呀|嘛|啦]",
    "[去|约好]{occasion}[穿这一身|穿它|这么穿][没问题|刚好|很合适]",
    "[鞋子|脚上|搭]{footwear}[，走一天也不累|，很舒服|，比例好|]",
    "{accessory}[是点睛之笔|让整身精致了不少|不能少]",
    "[妆发|头发|造型]是{hair}，[很有|满满的]{style}[的感觉|那味儿|氛围]",
    "{material}[摸起来|上身]{wow}，{season}[穿刚好|穿不闷|很实用]",
    "上身：{garment}｜下身：{garment2}｜鞋子：{footwear}｜包包：{bag}",
    "{brand}[家|]的{garment}[质感没话说|版型很正|性价比高|回购很多次]",
    "{height}，{garment}[拿的|穿]{size}码[，刚好|，偏大|]",
    "{colour}[特别显白|黄皮也能冲|不挑人|有点挑皮]",
    "[加|配|系]一[条|个|只]{accessory}，{style}[味道|感]就[有了|对了|浓了]",
    "[背了|换了|入了][新的|]{bag}，[容量大|轻|百搭|颜值高]",
    "{cut}[的设计|]对{shape}[很友好|太友好了|很照顾]",
    "想要{style}[的感觉|]，{material}和{pattern}[缺一不可|是关键|少不了]",
    "里面[是|穿]{garment}，外面[套|披|加]{garment2}",
    "{pattern}[看久了不会腻|好有味道|很提气色|复古又好看]",
    "{garment}[我买了|收了|一口气入了]{number}个颜色，最[喜欢|爱|推荐]{colour}",
    "{footwear}[踩起来软|真好穿|有点磨脚]，配{garment}[好看|显高|利落]",
    "{occasion}[的话|那天|时]我[会选|穿了|一般穿]{colour}{garment}",
)

WOW: Final = (
    "很显瘦",
    "好舒服",
    "超级软",
    "有质感",
    "不挑身材",
    "巨温柔",
    "很利落",
    "又轻又薄",
    "挺括",
    "垂坠",
    "显高",
    "不起球",
    "遮肉",
)

CHATTER: Final = (
    "[今天|这两天|早上][天气|阳光|心情][好好|不错|一般般|很棒]",
    "[周末|下班|假期][和|约][朋友|闺蜜|妈妈]去{city}[逛|玩|吃|走走]",
    "[拍照|出门]时[风好大|下雨了|人好多|光线绝了]",
    "[不是我夸张|真心话|悄悄说]，[谁穿谁好看|我也没想到|太值了]",
    "[姐妹们|大家|宝子们][觉得怎么样|打几分|喜欢哪套|有同款吗]",
    "[最近|这周|上个月][太忙|偷懒|生病]了，[更新慢|见谅|抱歉]",
    "[喜欢|有用]的话[点个赞|收藏一下|告诉我]",
    "[链接|同款|店铺]在[评论区|置顶|主页]",
    "[没洗头|素颜|水肿|困]，[将就看|别介意|随便拍拍]",
    "[咖啡|蛋糕|火锅|奶茶][真好喝|好吃|踩雷|排了好久]",
    "[早八|加班|地铁|堵车][真的累|日常|治好了我的精神内耗]",
    "[减肥|打卡|早睡]第{number}天[，加油|，失败|，继续]",
    "[想看什么|有问题|要尺码]评论[告诉我|见|问我]",
    "[抄作业|照着穿|闭眼买]就[行|对了|好]",
    "[摄影师|照片|拍照][是我妈|是路人|用手机|技术进步了]",
    "[降温|升温|下雨|起风]了[注意保暖|记得带伞|别感冒|多喝水]",
    "[已经|又|忍不住][回购|下单|加购|退货]了",
    "主打[一个|的就是][舒服|自在|随性|开心|省钱]",
    "[生活|日子|人生][要有仪式感|慢慢来|值得|很可爱]",
    "[绝绝子|真的会谢|笑死|谁懂啊|无语]",
    "[快递|包裹][到了|丢了|终于来了][好开心|好气|]",
    "[希望|祝][大家|你们|自己][天天开心|暴富|都美美的|早点下班]",
)

TRADITIONAL_CHATTER: Final = (
    "這件真的太好看了，忍不住再買一件",
    "今天的穿搭請打分數",
    "顏色跟圖片一樣，質感很好",
    "週末去逛街，順便拍幾張照",
)

MATHEMATICAL_OPENINGS: Final = ("𝑁𝑒𝑤 𝑖𝑛", "𝒐𝒐𝒕𝒅", "𝑇𝑜𝑑𝑎𝑦’𝑠 𝑙𝑜𝑜𝑘", "𝐃𝐚𝐢𝐥𝐲", "𝘷𝘪𝘯𝘵𝘢𝘨𝘦")
EMOJI: Final = tuple("✨🌷🍂🧥👗👜🎀🌿☀️🫧💕🔥🍓🤎🖤🩷🌸😯🥹😭🙌".replace("\ufe0f", ""))
PLATFORM_EMOTICONS: Final = (
    "[哭惹R]",
    "[害羞R]",
    "[偷笑R]",
    "[萌萌哒R]",
    "[派对R]",
    "[赞R]",
    "[自拍R]",
    "[笑哭R]",
)
MENTIONS: Final = ("@时尚薯", "@穿搭薯", "@薯队长", "@小Z的衣橱", "@momo")
LINKS: Final = ("http://xhslink.com/a8Kd2", "https://www.xiaohongshu.com/goods/65f1", "xhslink.com/Qw72e")

COMMON_TAGS: Final = (
    "穿搭",
    "每日穿搭",
    "ootd每日穿搭",
    "日常穿搭",
    "OOTD",
    "今天穿什么",
    "笔记灵感",
    "我的日常",
    "穿搭分享",
    "时尚穿搭",
    "不费力气的穿搭",
    "一衣多穿",
    "显瘦穿搭",
    "时髦单品",
    "购物分享",
    "生活碎片",
    "氛围感穿搭",
    "我的穿搭日记",
)

TAG_FORMS: Final = (
    "{garment}",
    "{style}",
    "{style}",
    "{colour}穿搭",
    "{garment}穿搭",
    "{season}穿搭",
    "{footwear}",
    "{occasion}穿搭",
    "{pattern}",
    "{shape}穿搭",
    "{brand}",
    "{bag}",
)

CITIES: Final = ("上海", "杭州", "成都", "广州", "北京", "重庆", "苏州", "长沙", "厦门", "西安")
PROVINCES: Final = (
    "江苏",
    "浙江",
    "广东",
    "四川",
    "上海",
    "北京",
    "湖北",
    "湖南",
    "福建",
    "河北",
    "陕西",
    "重庆",
)
