"""Group ``products``: what the heads are worth, as a table of all attributes and as a page."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from fashion_assets.defs.faults import asset
from fashion_assets.defs.metadata import escaped, picture, preview
from fashion_assets.defs.product_models import product_predictions
from fashion_assets.defs.resources import product_model_path
from fashion_assets.settings import Settings


@asset(deps=[product_predictions], group_name="products", kinds={"parquet"})
def product_evaluation(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    products: pd.DataFrame,
    product_split: pd.DataFrame,
) -> dg.MaterializeResult:
    """All attributes of the test products judged at once, as ``products evaluate`` does: figures with intervals, how
    often all are right, how sure the heads are and how often that is right.

    Judged is what the heads said before they learned from these products.
    """
    from fashion_assets.products.cards import label_columns_of
    from fashion_assets.products.model_folder import TEST_PREDICTIONS
    from fashion_assets.products.prediction_files import evaluate_files
    from fashion_assets.products.schemas import PRODUCT_EVALUATION
    from fashion_assets.reports.charts import bar_chart_png

    root = product_model_path(settings)
    judged = product_split.loc[product_split["split"] == "test", ["id", "family"]]
    truth = judged.merge(products[["id", *label_columns_of(products)]], on="id")
    if missing := _nothing_to_judge(root, truth):
        # That must not stop what follows; a table without a row says so.
        context.log.warning("nothing is judged: %s", missing)
        return dg.MaterializeResult(value=PRODUCT_EVALUATION.empty_table(), metadata={"note": missing})
    found = evaluate_files(root / TEST_PREDICTIONS, truth, seed=settings.random_seed)
    table, share = found.table(), found.all_right
    means = {f"mean_{name}": value for name, value in found.means().items() if np.isfinite(value)}
    together: dict[str, Any] = {
        "all_right": share.value,
        "all_right_interval": f"{share.low:.3f} to {share.high:.3f}",
    }
    return dg.MaterializeResult(
        value=found.arrow(),
        metadata={
            "figures": preview(table.round(4), rows=50),
            **means,
            **(together if found.n_all_right else {}),
            "products_with_every_label": found.n_all_right,
            "judged": found.n_judged,
            "decided": found.decided,
            "notes": dg.MetadataValue.md("\n".join(f"- {escaped(note)}" for note in found.notes)),
            **picture(
                bar_chart_png(
                    table["attribute"].tolist(),
                    table["macro_f1"].tolist(),
                    title="macro-F1 on unseen families",
                )
            ),
        },
    )


def _nothing_to_judge(root: Path, truth: pd.DataFrame) -> str:
    """Why the model in ``root`` cannot be judged on the test products; empty where it can."""
    from fashion_assets.products.head_record import HeadRecord
    from fashion_assets.products.model_folder import MANIFEST, ModelFolder, head_folder

    if not (root / MANIFEST).is_file():
        return "no attribute has a head"
    if truth.empty:
        return "the products are too few to judge anything on some of them"
    attributes = ModelFolder.open(root).attributes
    if not any(HeadRecord.load(head_folder(root, name)).test for name in attributes):
        return "no test product has a label of any attribute that has a head"
    return ""


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
