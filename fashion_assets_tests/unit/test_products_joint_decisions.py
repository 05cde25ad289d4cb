"""What is kept of each head's training for deciding together."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fashion_assets.products.joint_decisions import HELD_OUT, HeldOut, load_joint, save_held_out
from fashion_assets.storage.errors import UserError


def test_rows_without_probabilities_are_not_kept_and_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    left = SimpleNamespace(
        validation_probabilities=np.zeros((0, 2)),
        validation_rows=np.array([3, 5]),
        test_probabilities=np.full((1, 2), 0.5),
        test_rows=np.array([9]),
    )
    save_held_out(left, tmp_path)  # type: ignore[arg-type]
    found = load_file(tmp_path / HELD_OUT)
    assert found["validation_rows"].tolist() == [] and found["test_rows"].tolist() == [9]
    (tmp_path / HELD_OUT).write_bytes(b"x")
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match="missing or damaged"):
            HeldOut.load(folder)
    assert load_joint(tmp_path) is None
