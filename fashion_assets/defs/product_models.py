"""Group ``products``, second half: one head per attribute, predictions, their report, and other shops' categories.

The heads lie in ``models/products``, the folder that ``fashion-assets products predict`` takes by default.
"""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from fashion_assets.defs.compute import compute
from fashion_assets.defs.faults import asset, multi_asset
from fashion_assets.defs.metadata import escaped, picture, preview
from fashion_assets.defs.partitions import ATTRIBUTES
from fashion_assets.defs.products import files_version
from fashion_assets.defs.resources import (
    Encoders,
    product_model_path,
    product_word_encoder,
    word_vectors_path,
)
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from fashion_assets.products.head_record import HeadRecord
    from fashion_assets.products.heads import AttributeHead, HeadConfig
    from fashion_assets.products.intake import ProductIntake
    from fashion_assets.products.model_encoders import EncoderEntry

#: Names of target categories, one a line, beside the other shop's cards; without it their own categories are taken.
CATEGORY_NAMES = "categories.txt"


def head_config(settings: Settings) -> "HeadConfig":
    """The options of the heads, as the settings have them."""
    from fashion_assets.products.heads import HeadConfig

    kinds = tuple(name.strip() for name in settings.product_head_kinds.split(",") if name.strip())
    return HeadConfig(
        kinds=kinds or HeadConfig.kinds,
        n_trials=settings.product_trials,
        abstain_below=settings.product_abstain_below,
        seed=settings.random_seed,
    )


@asset(partitions_def=ATTRIBUTES, group_name="products", kinds={"scikitlearn"})
def attribute_classifiers(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    products: pd.DataFrame,
    product_embeddings: pa.Table,
    product_split: pd.DataFrame,
) -> dg.MaterializeResult:
    """One head per attribute, judged on product families that it has not seen; the random split stands beside it."""
    from fashion_assets.products.features import product_features
    from fashion_assets.products.model_folder import MANIFEST, head_folder
    from fashion_assets.products.model_training import nothing_labelled, train_or_reuse
    from fashion_assets.products.vectors import ProductVectors

    attribute, root = context.partition_key, product_model_path(settings)
    missing = nothing_labelled(attribute, products)
    if missing:
        # A configured attribute that these cards do not have must not stop what the others have.
        context.log.warning("%s is skipped: %s", attribute, missing)
        if head_folder(root, attribute).is_dir():
            # A model that was sealed with this head is none without it.
            (root / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(head_folder(root, attribute))
        skipped = pd.DataFrame([{"attribute": attribute, "split": "none", "note": missing}])
        return dg.MaterializeResult(value=_figures_table(skipped), metadata={"skipped": missing})
    features = product_features(products, ProductVectors.from_table(product_embeddings))
    split = product_split.set_index("id")["split"].reindex(products["id"].astype(str))
    record, _ = train_or_reuse(
        root, attribute, products, features, split.to_numpy(dtype=object), head_config(settings)
    )
    return dg.MaterializeResult(
        value=_figures_table(_figure_rows(record)),
        metadata={**_figures(record), "path": dg.MetadataValue.path(head_folder(root, attribute))},
    )


def _figure_rows(record: "HeadRecord") -> pd.DataFrame:
    rows = record.splits or [{"split": "families", **record.metrics}]
    return pd.DataFrame(rows).assign(attribute=record.attribute, kind=record.kind, note=record.note)


def _figures_table(rows: pd.DataFrame) -> pa.Table:
    from fashion_assets.products.schemas import ATTRIBUTE_FIGURES

    frame = rows.reindex(columns=ATTRIBUTE_FIGURES.names)
    for name in ("n_train", "n_test", "n_classes", "n_frequent"):
        frame[name] = frame[name].astype("Int64")
    return pa.Table.from_pandas(frame, schema=ATTRIBUTE_FIGURES, preserve_index=False)


def _figures(record: "HeadRecord") -> dict[str, Any]:
    """Figures and plots of one head for the UI."""
    from fashion_assets.products.experiment_plots import confusion_png
    from fashion_assets.products.reliability import expected_calibration_error
    from fashion_assets.reports.charts import bar_chart_png

    found: dict[str, Any] = {"kind": record.kind, "classes": len(record.classes), "note": record.note}
    for name in ("accuracy", "macro_f1", "macro_f1_frequent", "weighted_f1"):
        if record.metrics.get(name) is not None:
            low, high = record.metrics[f"{name}_low"], record.metrics[f"{name}_high"]
            found |= {name: record.metrics[name], f"{name}_interval": f"{low:.3f} to {high:.3f}"}
    if record.calibration_after:
        found["calibration_error"] = expected_calibration_error(pd.DataFrame(record.calibration_after))
    for name, rows in (("splits", record.splits), ("tried", record.candidates)):
        if rows:
            found[name] = preview(pd.DataFrame(rows).round(4), rows=20)
    if record.per_class:
        classes = pd.DataFrame(record.per_class).head(20)
        labels = record.confusion["labels"]
        table = pd.DataFrame(record.confusion["counts"], labels, labels)
        bars = bar_chart_png(
            classes["label"].tolist(), classes["f1"].tolist(), title="F1 by class, unseen families"
        )
        found |= {
            "test_products": record.metrics["n_items"],
            **picture(bars),
            **picture(confusion_png(table, title=record.attribute), "confusion"),
        }
    return found


def trained_heads(settings: Settings) -> list["AttributeHead"]:
    """The heads of the configured attributes that have been trained, in order."""
    from fashion_assets.products.heads import AttributeHead
    from fashion_assets.products.model_folder import RECORD, head_folder

    folders = [head_folder(product_model_path(settings), name) for name in settings.attributes]
    return [AttributeHead.load(folder) for folder in folders if (folder / RECORD).is_file()]


@asset(deps=[attribute_classifiers], group_name="products", kinds={"parquet"})
def product_predictions(
    settings: dg.ResourceParam[Settings],
    encoders: dg.ResourceParam[Encoders],
    products: pd.DataFrame,
    product_embeddings: pa.Table,
    product_split: pd.DataFrame,
) -> dg.MaterializeResult:
    """Each attribute of each product with confidence; below the threshold the head abstains.

    Seals ``models/products``: from then on it is a model that other products can be given to.
    """
    from fashion_assets.products.features import product_features
    from fashion_assets.products.joint_decisions import load_joint
    from fashion_assets.products.predict import predict_products
    from fashion_assets.products.vectors import ProductVectors

    heads = trained_heads(settings)
    vectors = ProductVectors.from_table(product_embeddings)
    if heads:
        _seal(settings, encoders, products, product_split, vectors.model_id, [one.attribute for one in heads])
    decoder = load_joint(product_model_path(settings)) if heads else None
    predictions = predict_products(heads, product_features(products, vectors), decoder)
    return dg.MaterializeResult(
        value=predictions,
        metadata={
            "products": len(products),
            "attributes": ", ".join(head.attribute for head in heads) or "none has a head",
            "share_abstained": float(predictions["abstained"].mean()) if len(predictions) else 0.0,
            "model": dg.MetadataValue.path(product_model_path(settings)),
            "preview": preview(predictions, rows=10),
        },
    )


def _seal(
    settings: Settings,
    encoders: Encoders,
    products: pd.DataFrame,
    split: pd.DataFrame,
    model_id: str,
    attributes: list[str],
) -> None:
    from fashion_assets.products.head_record import HeadRecord
    from fashion_assets.products.model_folder import head_folder
    from fashion_assets.products.model_training import finish_model, join_heads, write_products

    root = product_model_path(settings)
    write_products(root, products, split)
    records = {name: HeadRecord.load(head_folder(root, name)) for name in attributes}
    parts = split.set_index("id").reindex(products["id"].astype(str)).reset_index()
    joint = join_heads(root, attributes, products, parts, seed=settings.random_seed)
    entries = _encoder_entries(settings, encoders)
    finish_model(root, records, entries, model_id, len(products), settings.random_seed, joint)


def _encoder_entries(settings: Settings, encoders: Encoders) -> list["EncoderEntry"]:
    """The files of the configured encoders copied into the model, so that it is complete by itself."""
    from fashion_assets.products.model_encoders import copy_encoder, entry_of
    from fashion_assets.products.model_folder import ENCODERS

    words = product_word_encoder(settings, encoders)
    wanted = [
        ("text", settings.text_encoder, encoders.text),
        ("image", settings.image_encoder, encoders.image),
    ]
    wanted += [("words", settings.product_word_vectors, words)] if words is not None else []
    entries = []
    for purpose, spec, encoder in wanted:
        own = spec == "local:cbow"
        spec = f"local:cbow:{word_vectors_path(settings)}" if own else spec
        folder = f"{ENCODERS}/{'own_words' if own else purpose}"
        copied = copy_encoder(product_model_path(settings), folder, spec, settings.models)
        entries.append(entry_of(purpose, spec, copied, encoder.model_id, settings.models))
    return entries


@asset(deps=[product_predictions], group_name="products", kinds={"html"})
def product_report(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """A page on the heads: figures with intervals, classes, confusions, calibration, and what was tried."""
    from fashion_assets.products.model_folder import MANIFEST, ModelFolder
    from fashion_assets.reports.product_heads import write_empty_report, write_heads_report

    root, path = product_model_path(settings), settings.reports / "product_heads.html"
    if not (root / MANIFEST).is_file():
        write_empty_report(path)
        return dg.MaterializeResult(metadata={"report": dg.MetadataValue.path(path), "heads": 0})
    model = ModelFolder.open(root)
    write_heads_report(root, path)
    return dg.MaterializeResult(
        metadata={"report": dg.MetadataValue.path(path), "heads": len(model.attributes)}
    )


@multi_asset(
    outs={
        "category_projection": dg.AssetOut(
            description="Our label nearest to each category of another shop, and why.", kinds={"parquet"}
        ),
        "projected_products": dg.AssetOut(
            description="One of the other shop's categories for each of its products, without a label of it.",
            kinds={"parquet"},
        ),
    },
    deps=[attribute_classifiers],
    group_name="products",
    **compute(Settings(), "text_encoder", "image_encoder"),
)
def project_taxonomy(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    encoders: dg.ResourceParam[Encoders],
    products: pd.DataFrame,
    product_embeddings: pa.Table,
) -> Iterator[dg.Output[pd.DataFrame]]:
    """Products in ``incoming/taxonomy`` onto the categories named there, through the labels that were learned here."""
    from fashion_assets.products.cards import label_column
    from fashion_assets.products.features import product_features
    from fashion_assets.products.projecting import project_products
    from fashion_assets.products.projection import project_categories
    from fashion_assets.products.schemas import CATEGORY_PROJECTION, PROJECTED_PRODUCTS
    from fashion_assets.products.vectors import ProductVectors

    version = dg.DataVersion(files_version(settings.taxonomy_files))
    heads = trained_heads(settings)
    intake, features, names = _taxonomy(settings, encoders)
    for sentence in intake.sentences():
        context.log.info(sentence)
    foreign = intake.products
    aggregate = pd.DataFrame(columns=CATEGORY_PROJECTION.names)
    items, said = pd.DataFrame(columns=PROJECTED_PRODUCTS.names), {"note": "no attribute has a head"}
    if heads and len(foreign):
        head = max(heads, key=lambda one: len(one.classes_))
        labels = products[label_column(head.attribute)]
        found = project_products(
            head, products["text"].tolist(), labels.tolist(), features, names, seed=settings.random_seed
        )
        items, said = found.items, {"through": head.attribute}
        named = foreign["label_category"].notna().to_numpy() if "label_category" in foreign else None
        known = labels.notna().to_numpy()
        if named is not None and named.any() and known.any():
            own = product_features(products, ProductVectors.from_table(product_embeddings)).take(known)
            aggregate = project_categories(
                head.predict_proba(own),
                labels[known].tolist(),
                head.predict_proba(features.take(named)),
                foreign.loc[named, "label_category"].tolist(),
                found.labels,
            )
            right = items.loc[named, "target_category"].to_numpy() == foreign.loc[named, "label_category"]
            said["accuracy_where_known"] = f"{right.mean():.3f} of {int(named.sum())}"
    yield dg.Output(
        aggregate,
        output_name="category_projection",
        data_version=version,
        metadata={"categories": len(aggregate), "preview": preview(aggregate, rows=20)},
    )
    yield dg.Output(
        items,
        output_name="projected_products",
        data_version=version,
        metadata={
            "products": len(items),
            "refused": len(intake.quarantined),
            "cards": dg.MetadataValue.md("\n".join(f"- {escaped(one)}" for one in intake.sentences())),
            **said,
            "preview": preview(items, rows=20),
        },
    )


def _taxonomy(settings: Settings, encoders: Encoders) -> tuple["ProductIntake", Any, list[str]]:
    """(the other shop's products, kept and refused; features of the kept; the names of its categories)."""
    from fashion_assets.encoders.cache import EmbeddingCache
    from fashion_assets.products.embedding import embed_products
    from fashion_assets.products.features import product_features
    from fashion_assets.products.intake import take_in_products
    from fashion_assets.products.projection_names import read_category_names

    folder = settings.taxonomy_files
    if not folder.is_dir():
        raise UserError(
            f"there is no other taxonomy: put cards with id and title into {folder}, and its categories into "
            f"{CATEGORY_NAMES} there, or into a column category"
        )
    intake = take_in_products(folder, purpose="prediction")
    foreign = intake.products
    if (folder / CATEGORY_NAMES).is_file():
        names = read_category_names(folder / CATEGORY_NAMES)
    else:
        names = sorted(set(foreign["label_category"].dropna())) if "label_category" in foreign else []
    if not names:
        raise UserError(
            f"{folder} names no category: write them into {CATEGORY_NAMES} there, one a line, or into a column category"
        )
    vectors = embed_products(
        foreign,
        folder,
        text_encoder=encoders.text,
        image_encoders=[encoders.image],
        word_encoder=product_word_encoder(settings, encoders),
        cache=EmbeddingCache(settings.embedding_cache),
    ).vectors
    return intake, product_features(foreign, vectors), names
