"""What the sample's shops sell: kinds of product with their labels and cuts, colours, wording. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ProductKind:
    """A sub-category: `shape` is a cut of `garments` or of `product_drawing.OBJECTS`."""

    category: str
    sub_category: str
    names: tuple[str, ...]
    shape: str
    sleeve: str
    sexes: tuple[str, ...]
    seasons: tuple[str, ...]
    materials: tuple[str, ...]


def _kind(
    category: str,
    sub_category: str,
    names: str,
    shape: str,
    sleeve: str,
    sexes: str,
    seasons: str,
    materials: str,
) -> ProductKind:
    return ProductKind(
        category,
        sub_category,
        tuple(names.split()),
        shape,
        sleeve,
        tuple(sexes.split()),
        tuple(seasons.split()),
        tuple(materials.split()),
    )


KINDS: Final[tuple[ProductKind, ...]] = (
    _kind("上衣", "T恤", "T恤 短袖 Tee 打底衫", "tee", "short", "女 男 中性", "夏 春", "纯棉 莫代尔 棉"),
    _kind("上衣", "衬衫", "衬衫 衬衣 Shirt", "shirt", "long", "女 男", "春 秋", "棉 亚麻 雪纺"),
    _kind("上衣", "毛衣", "毛衣 针织衫 Sweater", "knit", "long", "女 男", "冬 秋", "羊毛 马海毛 羊绒"),
    _kind("上衣", "卫衣", "卫衣 连帽卫衣 Hoodie", "hoodie", "long", "中性 男 女", "秋 春", "毛圈 纯棉"),
    _kind("上衣", "吊带", "吊带 背心 Camisole", "crop_top", "none", "女", "夏", "莫代尔 缎面 棉"),
    _kind(
        "裤装", "阔腿裤", "阔腿裤 西裤 Trousers", "trousers_wide", "none", "女 男", "春 秋", "醋酸 羊毛 涤纶"
    ),
    _kind("裤装", "牛仔裤", "牛仔裤 微喇裤 Jeans", "trousers_flare", "none", "女 男", "秋 春", "牛仔"),
    _kind("裤装", "工装裤", "工装裤 多袋裤 Cargo", "cargo", "none", "男 中性 女", "秋 冬", "尼龙 帆布"),
    _kind("裤装", "短裤", "短裤 热裤 Shorts", "shorts", "none", "女 男", "夏", "棉 亚麻"),
    _kind("裙装", "百褶裙", "百褶裙 短裙 Skirt", "pleated_mini", "none", "女", "春 秋", "涤纶 呢料"),
    _kind("裙装", "半身裙", "半身裙 A字裙 伞裙", "a_skirt", "none", "女", "春 夏", "棉 雪纺 缎面"),
    _kind("裙装", "马面裙", "马面裙 织金马面裙", "pleated_long", "none", "女", "春 秋", "提花 缎面"),
    _kind("连衣裙", "茶歇裙", "茶歇裙 法式连衣裙 Dress", "tea_dress", "short", "女", "夏 春", "雪纺 真丝"),
    _kind("连衣裙", "旗袍", "旗袍 改良旗袍 Qipao", "qipao", "short", "女", "春 夏", "香云纱 真丝 缎面"),
    _kind("连衣裙", "洛丽塔裙", "lo裙 洋装 Lolita", "lolita_dress", "puff", "女", "春 秋", "蕾丝 欧根纱"),
    _kind("外套", "大衣", "大衣 呢大衣 Coat", "coat_long", "long", "女 男", "冬", "羊毛 羊绒 呢料"),
    _kind("外套", "西装", "西装外套 西服 Blazer", "blazer", "long", "女 男", "秋 春", "羊毛 涤纶"),
    _kind("外套", "冲锋衣", "冲锋衣 防水外套 Shell", "shell", "long", "中性 男 女", "秋 冬", "尼龙 防水面料"),
    _kind("鞋履", "靴子", "靴子 切尔西靴 Boots", "boot", "none", "女 男", "冬 秋", "皮革 麂皮"),
    _kind("鞋履", "运动鞋", "运动鞋 老爹鞋 Sneakers", "sneaker", "none", "中性 女 男", "春 夏", "网面 皮革"),
    _kind("鞋履", "高跟鞋", "高跟鞋 尖头鞋 Heels", "heel", "none", "女", "夏 春", "漆皮 缎面 皮革"),
    _kind("包袋", "托特包", "托特包 手提包 Tote", "tote", "none", "女 中性", "四季", "帆布 皮革"),
    _kind("包袋", "双肩包", "双肩包 书包 Backpack", "backpack", "none", "中性 女 男", "四季", "尼龙 帆布"),
    _kind("配饰", "帽子", "渔夫帽 棒球帽 Hat", "hat", "none", "中性 女", "夏 四季", "棉 草编"),
    _kind("配饰", "围巾", "围巾 披肩 Scarf", "scarf", "none", "女 中性", "冬", "羊绒 羊毛"),
)

COLOURS: Final[dict[str, tuple[str, ...]]] = {
    "黑色": ("26262a", "34343a"),
    "白色": ("f4f3ef", "fafaf8"),
    "灰色": ("8d9096", "b4b6ba"),
    "棕色": ("74482a", "a9713f"),
    "米色": ("e4d6bd", "d8c6a4"),
    "红色": ("a9232b", "c8343a"),
    "粉色": ("f2a9bd", "f7c9d2"),
    "蓝色": ("2f5fa8", "7fb0dc"),
    "藏青": ("1f2a4d", "2a3a66"),
    "绿色": ("3f6b4a", "8db48e"),
    "紫色": ("8f74b8", "c4b0e0"),
    "黄色": ("eac23c", "f3dc7c"),
}
COLOUR_ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "棕色": ("咖色", "焦糖色"),
    "米色": ("杏色", "米白"),
    "红色": ("酒红", "正红"),
    "粉色": ("裸粉",),
    "蓝色": ("雾蓝", "天蓝"),
    "绿色": ("墨绿", "草绿"),
    "紫色": ("香芋紫",),
    "黄色": ("柠檬黄",),
    "灰色": ("深灰", "浅灰"),
}

SHOPS: Final = (
    "木棉衣橱",
    "小鹿家",
    "YUNI原创",
    "南枝手作",
    "北纬31度",
    "白日梦店",
    "Maison Lin",
    "拾光成衣",
    "山止川行",
    "半糖女孩",
    "松间男装",
    "Studio Q",
    "云上锦",
    "橘子汽水屋",
)
ADJECTIVES: Final = (
    "法式",
    "韩版",
    "新中式",
    "复古",
    "简约",
    "小众",
    "设计感",
    "气质",
    "慵懒",
    "通勤",
    "甜美",
    "美式",
    "高级感",
)
FITS: Final = ("宽松", "修身", "直筒", "高腰", "短款", "中长款", "oversize")
PATTERN_WORDS: Final[dict[str, str]] = {
    "plain": "纯色",
    "stripes": "条纹",
    "plaid": "格纹",
    "dots": "波点",
    "floral": "碎花",
}
SELLING: Final = ("显瘦", "百搭", "遮肉", "减龄", "洋气", "不挑人", "ins风", "小个子")
DESCRIPTIONS: Final = (
    "<p>{material}面料，<b>{fit}</b>版型，{season}季必备。</p><ul><li>可机洗</li><li>不起球</li></ul>",
    "<div>店主自留款！{name}，{pattern}，{selling}。<br/>建议搭配小白鞋。</div>",
    '{material}{name}，上身{selling}，<span style="color:red">限时8折</span>&nbsp;售完不补。',
    "<p>Designed in Shanghai &amp; made with care. {fit} fit, {material}.</p>",
    "{fit}的{name}，{selling}，适合日常通勤和约会。",
)
