"""Asset -> the pyarrow schema of its table, gathered from the domain packages.

Embedding tables are not here: their vector length is the encoder's.
"""

from __future__ import annotations

import pyarrow as pa

from fashion_assets.keywords.schemas import FASHION_KEYWORDS
from fashion_assets.media.schemas import GARMENT_IMAGES, POST_IMAGES
from fashion_assets.posts.schemas import CLEANED_POSTS, QUARANTINED_POSTS, RAW_POSTS
from fashion_assets.products.schemas import PRODUCT_PREDICTIONS, QUARANTINED_PRODUCTS
from fashion_assets.styles.schemas import STYLE_CLUSTERS, STYLE_PROFILES
from fashion_assets.trends.schemas import KEYWORD_TRENDS, STYLE_TRENDS

SCHEMAS: dict[str, pa.Schema] = {
    "raw_posts": RAW_POSTS,
    "cleaned_posts": CLEANED_POSTS,
    "quarantined_posts": QUARANTINED_POSTS,
    "fashion_keywords": FASHION_KEYWORDS,
    "post_images": POST_IMAGES,
    "garment_images": GARMENT_IMAGES,
    "style_clusters": STYLE_CLUSTERS,
    "style_profiles": STYLE_PROFILES,
    "style_trends": STYLE_TRENDS,
    "keyword_trends": KEYWORD_TRENDS,
    "quarantined_products": QUARANTINED_PRODUCTS,
    "product_predictions": PRODUCT_PREDICTIONS,
}
