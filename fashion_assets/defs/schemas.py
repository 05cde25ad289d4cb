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

#: What a column holds, wherever it stands; shown in the UI's column tables.
COLUMNS: dict[str, str] = {
    "post_id": "The post, as the platform names it",
    "month": "Month of the post, 2024-01 (Asia/Shanghai)",
    "author": "Keyed hash of the author id; the id itself is nowhere",
    "post_date": "Day of the post; in raw_posts the text as it came",
    "resolved_date": "Day that the date text, or the id, means",
    "date_source": "Where the date comes from: text, relative, edited, id",
    "fetched_at": "When the post was crawled (Asia/Shanghai wall time)",
    "lineage": "Older crawls of the post: file:row@fetch time",
    "superseded": "How many older crawls of the post there are",
    "source_file": "Crawl file that the row comes from",
    "source_row": "Line where the record starts; the header is line 1",
    "column": "Column that was refused; empty if the whole record was",
    "reason": "Why it was refused, and what was expected",
    "raw": "The refused row as JSON, author hashed",
    "extra": "Columns of the crawl that we do not know, as JSON",
    "text": "Title, body and hashtags, cleaned and simplified",
    "tags": "Hashtags without the mark, in order, without repeats",
    "likes": "Likes at the newest crawl; empty means unknown",
    "collects": "Collects at the newest crawl; empty means unknown",
    "comments": "Comments at the newest crawl; empty means unknown",
    "n_media": "Pictures and videos that came with the post",
    "content_hash": "SHA-256 of the cleaned text",
    "keywords": "Fashion keywords, most characteristic or in reading order",
    "facets": "Facet of each keyword, parallel to keywords",
    "sources": "Where each keyword first stands: title, body, tag",
    "scores": "Score of each keyword, parallel to keywords",
    "phrases": "RAKE phrases",
    "tokens": "Content words without stopwords and single characters",
    "image_id": "<post_id>/<file name>, with #fraction for a video frame",
    "digest": "SHA-256 of the file",
    "phash": "64-bit perceptual hash, 16 hex digits",
    "duplicate_group": "image_id of the picture that represents its near-duplicates",
    "is_representative": "Whether the picture stands for its near-duplicates",
    "garment_share": "Garment pixels over all pixels",
    "kept": "Whether the share is large enough for the style branch",
    "crop_path": "Garment without background, below lake/crops",
    "segmenter": "What found the garment",
    "style_id": "Stable style id; -1 without a style",
    "distance": "Cosine distance to the style's centroid",
    "runner_up": "The next nearest style",
    "margin": "Distance to the runner-up less the own",
    "modality": "What the assignment rests on: multimodal, text, image",
    "model_month": "Month of the style model that assigned it",
    "share": "Share of the month's posts",
    "share_low": "Lower end of the 95 % Wilson interval",
    "share_high": "Upper end of the 95 % Wilson interval",
    "name": "Most telling words of the style",
    "stage": "Life-cycle stage",
    "evidence": "The figures behind the stage",
}

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
