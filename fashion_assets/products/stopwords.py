"""Words that carry no product meaning, per language, and units of measure. The project's own short lists.

Kept on purpose: Russian не and для, English not, no, without and for: "для девочек", "without sleeves" tell
products apart.
"""

from __future__ import annotations

_ENGLISH_TEXT = """
a an the and or but of to in on at by with from as is are was were be been it
its this that these those you your our we they their he she his her i my me us
them has have had do does did can will would should may might than then so such
also very more most all any each other into over under up out about which who
whose what when where how if there here
"""
ENGLISH = frozenset(_ENGLISH_TEXT.split())

_RUSSIAN_TEXT = """
и в во на с со по к ко о об обо от ото до из изо у за при про над под между через
перед после ради а но или либо что чтобы чтоб как так же ж ли бы б то ну вот даже
ведь уж уже ещё еще только лишь также тоже очень более менее если когда где куда
там тут здесь тогда потом теперь сейчас всегда потому поэтому зачем разве будто
это этот эта эти этого этой этих этом этим этими эту тот та те того той тех тому
том тем теми такой такая такое такие такого таких сам сама сами само самый
его ее её их ему ей им ими него неё нее них ним ней нём нем он она оно они мы вы
я ты мне меня мной тебе тебя тобой нас нам нами вас вам вами себя себе собой
мой моя моё мое мои твой твоя твои наш наша наше наши ваш ваша ваше ваши свой
своя своё свое свои своего своей своих свою который которая которое которые
которого которой которых которым кто кого кому кем чего чему чем какой какая
какое какие весь вся всё все всего всей всех всем всеми всю быть есть был была
было были будет будут будем может могут можно
"""
RUSSIAN = frozenset(_RUSSIAN_TEXT.split())

_CHINESE_TEXT = """
的 了 着 过 和 与 及 或 而 且 但 在 是 有 也 都 就 又 还 很 更 最 把 被 对 从
到 由 于 以 为 之 其 这 那 这个 那个 这些 那些 我 你 您 他 她 它 我们 你们 他们
自己 可以 可 能 会 要 上 下 里 中 等 并 并且 如果 因为 所以 一个 一种 一款
吧 吗 呢 啊 哦 呀 们 个 件 款
"""
CHINESE = frozenset(_CHINESE_TEXT.split())

STOPWORDS = ENGLISH | RUSSIAN | CHINESE

# Units that stand for nothing else, taken out wherever they stand.
_UNITS_TEXT = """
mm cm km kg mg ml pcs pc oz lbs kgs gms ltr mtr кг гр грамм грамма мг мл см мм
шт штук штука штуки литр литра литров метр метра метров упак уп 厘米 毫米 公斤 千克 毫升
英寸
"""
UNITS = frozenset(_UNITS_TEXT.split())

# Units that are letters or sizes elsewhere (L is a size, 米 is rice), so only directly after a number.
_UNITS_AFTER_NUMBER_TEXT = """
g l m d w v k x г л м р в т in ft lb inch inches % °
克 米 升 斤 寸 件 条 双 个 只 支 包 片 色
"""
UNITS_AFTER_NUMBER = frozenset(_UNITS_AFTER_NUMBER_TEXT.split())
