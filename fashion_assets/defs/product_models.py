"""Group ``products``, second half: one head per attribute, and predictions.

The heads lie in ``models/products``, the folder that ``fashion-assets products predict`` takes by default.
"""

import shutil
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
import pyarrow as pa
from pydantic import Field

from fashion_assets.defs.faults import asset
from fashion_assets.defs.head_options import head_config, names_in
from fashion_assets.defs.metadata import picture, preview
from fashion_assets.defs.partitions import ATTRIBUTES
from fashion_assets.defs.product_encoders import encoder_entries
from fashion_assets.defs.resources import Encoders, product_model_path
from fashion_assets.settings import Settings

if TYPE_CHECKING:
    from fashion_assets.products.head_record import HeadRecord
    from fashion_assets.products.heads import AttributeHead, HeadConfig


class HeadsConfig(dg.Config):
    """How one attribute's head is made, where that is to differ from the settings of all."""

    kinds: str = Field(
        default="",
        description="Kinds of head to try, with commas; empty: FASHION_PRODUCT_HEAD_KINDS, or those that pay",
    )
    embedding_transforms: str = Field(
        default="",
        description="Metric learning to try before the kinds, with commas; empty: FASHION_PRODUCT_EMBEDDING_TRANSFORMS",
    )
    n_trials: int | None = Field(
        default=None, ge=0, description="Optuna trials; unset: FASHION_PRODUCT_TRIALS"
    )
    resampling: str = Field(
        default="",
        description="auto: compare drawing classes evenly (SMOTE too) with class weights; none: class weights; empty: "
        "FASHION_PRODUCT_RESAMPLING",
    )
    abstain_below: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Under this confidence a prediction is marked abstained; unset: FASHION_PRODUCT_ABSTAIN_BELOW",
    )

    def head_config(self, settings: Settings) -> "HeadConfig":
        return head_config(
            settings,
            kinds=names_in(self.kinds),
            embedding_transforms=names_in(self.embedding_transforms),
            n_trials=self.n_trials,
            resampling=self.resampling or None,
            abstain_below=self.abstain_below,
        )


@asset(partitions_def=ATTRIBUTES, group_name="products", kinds={"scikitlearn"})
def attribute_classifiers(
    context: dg.AssetExecutionContext,
    config: HeadsConfig,
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
        root, attribute, products, features, split.to_numpy(dtype=object), config.head_config(settings)
    )
    return dg.MaterializeResult(
        value=_figures_table(_figure_rows(record)),
        metadata={**_figures(record), "path": dg.MetadataValue.path(head_folder(root, attribute))},
    )


def _figure_rows(record: "HeadRecord") -> pd.DataFrame:
    rows = record.splits or [{"split": "families", **record.metrics}]
    return pd.DataFrame(rows).assign(attribute=record.attribute, kind=record.shown_kind, note=record.note)


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

    found: dict[str, Any] = {"kind": record.shown_kind, "classes": len(record.classes), "note": record.note}
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
    from fashion_assets.products.model_folder import REFUSED, head_folder
    from fashion_assets.products.model_training import finish_model, join_heads, write_products
    from fashion_assets.reports.product_heads import REPORT

    root = product_model_path(settings)
    records = {name: HeadRecord.load(head_folder(root, name)) for name in attributes}
    parts = split.set_index("id").reindex(products["id"].astype(str)).reset_index()
    joint = join_heads(root, attributes, products, parts, seed=settings.random_seed)
    write_products(root, products, split)
    # Of a training by the command in this folder; as assets they are quarantined_products and product_report.
    for name in (REFUSED, REPORT):
        (root / name).unlink(missing_ok=True)
    entries = encoder_entries(settings, encoders, products)
    finish_model(root, records, entries, model_id, len(products), settings.random_seed, joint)
