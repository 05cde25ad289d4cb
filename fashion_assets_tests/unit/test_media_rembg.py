"""``rembg:`` on a tiny file with the inputs and outputs of u2net_cloth_seg."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fashion_assets.media import rembg
from fashion_assets.media.segmentation import GARMENT, Segmenter, load_segmenter
from fashion_assets.storage.errors import UserError

onnx = pytest.importorskip("onnx")


def save_network(path: Path, *, side: int | None = 64, outputs: int = 4) -> Path:
    """Scores (background, upper, lower, full body) = (0, r, g, b) - 0.5: cloth where a channel is above 3/4.

    The input is (rgb / 255 - .5) / .5, so that a value of .5 there is a channel at 191. Seven outputs are not
    needed: the first is the answer.
    """
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.zeros((outputs, 3, 1, 1), dtype=np.float32)
    for channel in range(min(3, outputs - 1)):
        kernel[channel + 1, channel] = 1
    bias = np.full(outputs, -0.5, dtype=np.float32)
    bias[0] = 0
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "kernel", "bias"], ["d0"])],
        "cloth",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side or "h", side or "w"])],
        [helper.make_tensor_value_info("d0", TensorProto.FLOAT, [1, outputs, side or "h", side or "w"])],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(bias, "bias")],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_network(tmp_path_factory.mktemp("rembg") / "tiny.onnx")


@pytest.fixture(scope="module")
def segmenter(path: Path) -> Segmenter:
    return load_segmenter(f"rembg:{path}", device="cpu")


def dressed(height: int = 160, width: int = 120) -> npt.NDArray[np.uint8]:
    """Grey ground with three pieces: red above, green below, blue beside, each at 250 in its channel."""
    picture = np.full((height, width, 3), 150, dtype=np.uint8)
    picture[: height // 4, : width // 2] = (250, 60, 60)
    picture[height // 2 : 3 * height // 4, : width // 2] = (60, 250, 60)
    picture[:, 3 * width // 4 :] = (60, 60, 250)
    return picture


def test_clothes_of_every_kind_are_garment(segmenter: Segmenter) -> None:
    assert isinstance(segmenter, Segmenter)
    rgb = dressed()
    result = segmenter.segment(rgb)
    expected = rgb.max(axis=2) == 250
    assert (result.garment == expected).mean() > 0.97
    assert set(np.unique(result.mask)) == {0, GARMENT}
    assert result.garment_share == pytest.approx(expected.mean(), abs=0.03)
    assert not segmenter.finds_person


def test_pixels_are_scaled_as_in_training(segmenter: Segmenter) -> None:
    """(value / 255 - .5) / .5 > .5 from 192 on, whatever else the picture holds."""
    for value, share in ((189, 0.0), (194, 1.0)):
        assert segmenter.segment(np.full((20, 20, 3), value, np.uint8)).garment_share == share


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (67, 31), (512, 384)])
def test_masks_have_the_pictures_size(segmenter: Segmenter, shape: tuple[int, int]) -> None:
    assert segmenter.segment(dressed(*shape)).mask.shape == shape


def test_a_graph_that_leaves_its_side_open_gets_the_training_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_side = load_segmenter(f"rembg:{save_network(tmp_path / 'open.onnx', side=None)}", device="cpu")
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(open_side, "_session", Recording(open_side._session, seen))  # type: ignore[attr-defined]
    assert open_side.segment(dressed(40, 30)).mask.shape == (40, 30)
    assert seen == [(1, 3, 768, 768)]


class Recording:
    """A session that notes the shapes of what it is given."""

    def __init__(self, session: object, seen: list[tuple[int, ...]]) -> None:
        self._session, self._seen = session, seen

    def run(self, outputs: list[str], feed: dict[str, npt.NDArray[np.float32]]) -> object:
        self._seen.extend(array.shape for array in feed.values())
        return self._session.run(outputs, feed)  # type: ignore[attr-defined]


def test_names_follow_the_content(path: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(path, tmp_path / "copy.onnx"))
    other = save_network(tmp_path / "other.onnx", side=32)
    names = [load_segmenter(f"rembg:{file}", device="cpu").name for file in (path, copy, other)]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("rembg-") and name.replace("-", "").isalnum() for name in names)


def test_the_known_network_is_looked_for_in_two_places(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    models = tmp_path / "models"
    with pytest.raises(UserError) as error:
        load_segmenter("rembg:u2net_cloth_seg", models_dir=models)
    sentence = str(error.value)
    assert str(models / "rembg" / "u2net_cloth_seg.onnx") in sentence
    assert str(home / ".u2net" / "u2net_cloth_seg.onnx") in sentence
    assert rembg.DOWNLOAD in sentence
    for place in (home / ".u2net", models / "rembg"):
        place.mkdir(parents=True)
        shutil.copy(path, place / "u2net_cloth_seg.onnx")
        assert load_segmenter("rembg:u2net_cloth_seg", models_dir=models).name.startswith("rembg-")
        (place / "u2net_cloth_seg.onnx").unlink()


def test_bad_paths_and_files_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'u2net_human_seg' is neither an ONNX file nor u2net_cloth_seg"):
        load_segmenter("rembg:u2net_human_seg")
    with pytest.raises(
        UserError, match=r"rembg:missing\.onnx': no file or folder at missing\.onnx and .*models"
    ):
        load_segmenter("rembg:missing.onnx", models_dir=tmp_path / "models")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(UserError, match="is not an ONNX file that loads"):
        load_segmenter(f"rembg:{tmp_path / 'bad.onnx'}")
    with pytest.raises(UserError, match=r"gives .*expected float .*4, height, width"):
        load_segmenter(f"rembg:{save_network(tmp_path / 'one.onnx', outputs=1)}")


def test_a_graph_that_hides_its_shape_is_looked_at_when_it_runs(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TwoClasses:
        def run(self, outputs: list[str], feed: object) -> list[npt.NDArray[np.float32]]:
            return [np.zeros((1, 2, 64, 64), dtype=np.float32)]

    monkeypatch.setattr(segmenter, "_session", TwoClasses())
    with pytest.raises(UserError, match=r"gives \(1, 2, 64, 64\); expected \(1, 4, height, width\)"):
        segmenter.segment(dressed())


def test_what_is_no_picture_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(UserError, match="expected uint8"):
        segmenter.segment(np.zeros((4, 4), np.uint8))


def test_threads_get_the_masks_that_one_alone_gets(segmenter: Segmenter) -> None:
    pictures = [np.roll(dressed(), 7 * i, axis=1) for i in range(8)]
    alone = [segmenter.segment(rgb).mask for rgb in pictures]
    with ThreadPoolExecutor(max_workers=4) as pool:
        together = [result.mask for result in pool.map(segmenter.segment, pictures)]
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_array_equal(first, second)
