"""Names that lead elsewhere: in archives, media manifests, card folders and model folders; and bombs."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path

import pytest

from fashion_assets.media.errors import MediaError
from fashion_assets.media.locations import resolve_inside
from fashion_assets.networks.hub import load_folder_or_hub
from fashion_assets.networks.onnx_session import open_session
from fashion_assets.posts.archives import open_zip, read_member, zip_members
from fashion_assets.posts.crawl_files import read_crawl_file
from fashion_assets.products.card_files import read_card_file
from fashion_assets.products.cards import read_product_cards
from fashion_assets.products.model_folder import FORMAT, FORMAT_NUMBER, ModelFolder, head_folder
from fashion_assets.products.pictures import ProductImages
from fashion_assets.storage.errors import UserError

WAYS_OUT = [
    "../evil.csv",
    "a/../../evil.csv",
    "/etc/evil.csv",
    "//host/share/evil.csv",
    "C:\\evil.csv",
    "C:evil.csv",
    "..\\evil.csv",
    "a\\..\\..\\evil.csv",
    "\\\\host\\share\\evil.csv",
    "file.csv:stream",
]


def made_zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize("name", WAYS_OUT)
def test_no_member_leads_out_of_an_archive(tmp_path: Path, name: str) -> None:
    path = made_zip(tmp_path / "crawl.zip", (name, b"a,b\n1,2\n"))
    with open_zip(path) as archive:
        (member,) = zip_members(archive)
    assert member.reason and "not a plain relative name" in member.reason
    read = read_crawl_file(path)
    assert read.refused and "way out of the archive" in read.refused
    assert sorted(tmp_path.iterdir()) == [path]


def test_links_repeats_and_nested_archives_are_left_alone(tmp_path: Path) -> None:
    inner = made_zip(tmp_path / "inner.zip", ("x.csv", b"a,b\n1,2\n")).read_bytes()
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = made_zip(
            tmp_path / "crawl.zip",
            (link("passwd.csv"), b"/etc/passwd"),
            ("a.csv", b"first"),
            ("a.csv", b"second"),
            ("b.zip", inner),
        )
    with open_zip(path) as archive:
        found = {(member.name, member.reason): member for member in zip_members(archive)}
        (kept,) = [member for member in found.values() if member.name == "a.csv" and not member.reason]
        assert read_member(archive, kept) == b"first"
    reasons = " ".join(reason or "" for _, reason in found)
    assert "passwd.csv is a link" in reasons and "a.csv is in the archive twice" in reasons
    assert "b.zip is no CSV" in str(read_crawl_file(path).refused)


def test_a_bomb_is_refused_whatever_its_header_says(tmp_path: Path) -> None:
    path = made_zip(tmp_path / "crawl.zip", ("a.csv", bytes(2_000_000)))
    with open_zip(path) as archive:
        (told,) = zip_members(archive, 1_000_000)
        assert told.reason and "more than the 1,000,000" in told.reason
    data = path.read_bytes()
    lying = data.replace((2_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != data and len(lying) < 10_000
    path.write_bytes(lying)
    with open_zip(path) as archive:
        (member,) = zip_members(archive, 1_000_000)
        try:
            content = read_member(archive, member, 1_000_000)
        except UserError as error:
            assert "damaged" in str(error)
        else:
            assert len(content) <= 10


def test_a_gzip_bomb_of_cards_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    monkeypatch.setattr("fashion_assets.products.card_files.MAX_UNPACKED_BYTES", 1_000_000)
    with pytest.raises(UserError, match="unpacks to more than 1,000,000 bytes"):
        read_card_file("cards.csv.gz", gzip.compress(b"id,title\n" + b"1" * 5_000_000))


@pytest.mark.parametrize("damage", ["bomb", "locked", "cut"])
def test_a_zip_inside_a_zip_of_cards_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("1.jpg", b"\xff\xd8" * 1000)
    path = made_zip(
        tmp_path / "shop.zip", ("cards.csv", b"id,title\n1,coat\n"), ("images.zip", inner.getvalue())
    )
    if damage == "bomb":
        monkeypatch.setattr("fashion_assets.products.pictures.MAX_INNER_ZIP_BYTES", 100)
    else:
        data = bytearray(path.read_bytes())
        start = data.index(b"images.zip") + len(b"images.zip")
        if damage == "cut":
            data[start : start + 20] = bytes(20)
        else:
            entry = data.rindex(b"PK\x01\x02")
            data[entry + 8] |= 1
            data[data.rindex(b"PK\x03\x04", 0, start) + 6] |= 1
        path.write_bytes(bytes(data))
    assert len(read_product_cards(path)) == 1
    with pytest.raises(UserError, match=r"images\.zip"):
        ProductImages(path)


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd", "a/../../secret.jpg"])
def test_pictures_of_cards_are_read_inside_their_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "shop").mkdir()
    with ProductImages(tmp_path / "shop") as images, pytest.raises(UserError, match="leaves"):
        images.read(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../x.jpg",
        "a/../../x.jpg",
        "/etc/passwd",
        "C:\\x.jpg",
        "\\\\host\\x.jpg",
        "..\\x.jpg",
        "a\0.jpg",
        "link.jpg",
        "folder/x.jpg",
        "loop/x.jpg",
    ],
)
def test_media_paths_of_manifests_stay_under_their_root(tmp_path: Path, name: str) -> None:
    root = tmp_path / "media"
    root.mkdir()
    (tmp_path / "x.jpg").write_bytes(b"secret")
    (root / "link.jpg").symlink_to(tmp_path / "x.jpg")
    (root / "folder").symlink_to(tmp_path)
    (root / "loop").symlink_to("loop")
    with pytest.raises(MediaError, match="media path"):
        resolve_inside(root, name)
    (root / "ab").mkdir()
    assert resolve_inside(root, "ab/1.jpg") == (root / "ab" / "1.jpg").resolve()


def manifest(root: Path, files: dict[str, str], spec: str = "local:visual", inside: bool = False) -> None:
    entry = {"purpose": "image", "spec": spec, "model_id": "m", "inside": inside}
    content = {
        "format": FORMAT,
        "format_number": FORMAT_NUMBER,
        "attributes": [],
        "encoders": [entry],
        "vectors_model_id": "m",
        "files": files,
        "made": "now",
        "seed": 1,
        "n_products": 1,
        "about": {},
    }
    root.mkdir(exist_ok=True)
    (root / "model.json").write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["../secret.json", "/etc/passwd", "..\\secret.json", "C:\\x"])
def test_a_product_model_names_no_file_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.json").write_text("{}")
    for files, spec, inside in (({name: "0" * 64}, "local:visual", False), ({}, f"onnx:{name}", True)):
        manifest(tmp_path / "model", files, spec, inside)
        with pytest.raises(UserError, match="outside of"):
            ModelFolder.open(tmp_path / "model")


@pytest.mark.parametrize("name", ["..", "../../evil", "/etc", "a/b", "a\\b", "a\0b", ".hidden", "C:x"])
def test_an_attribute_of_any_name_has_its_head_inside_the_model(tmp_path: Path, name: str) -> None:
    folder = head_folder(tmp_path, name)
    assert folder.parent == tmp_path / "heads" and folder.name not in ("", ".", "..")
    assert not set(folder.name) & set("/\\\0:")


@pytest.mark.parametrize("name", ["../nowhere", "/nowhere/at/all", "./x", "~nobody/x", "weights.pt"])
def test_a_path_that_is_not_there_is_never_asked_of_the_hub(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "fashion_assets.networks.hub.load_from_hub", lambda *given: pytest.fail("the hub was asked")
    )
    with pytest.raises(UserError, match="no file or folder"):
        load_folder_or_hub("encoder", name, tmp_path, lambda folder, short, revision: None)


@pytest.mark.parametrize("place", ["../secret.bin", "link.bin", "{folder}/secret.bin"])
def test_weights_outside_of_an_onnx_folder_are_not_read(tmp_path: Path, place: str) -> None:
    """A network may keep its weights in files beside it; ONNX Runtime says which files those are."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "weights.bin").write_bytes(bytes(16))
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    (tmp_path / "network" / "link.bin").symlink_to(tmp_path / "secret.bin")

    def network(location: str) -> Path:
        weights = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=1)
        for key, value in (("location", location), ("offset", "0"), ("length", "16")):
            weights.external_data.add(key=key, value=value)
        ends = [onnx.helper.make_tensor_value_info(name, 1, [4]) for name in "xy"]
        add = onnx.helper.make_node("Add", ["x", "w"], ["y"])
        graph = onnx.helper.make_graph([add], "g", ends[:1], ends[1:], [weights])
        versions = {"opset_imports": [onnx.helper.make_opsetid("", 17)], "ir_version": 8}
        path = tmp_path / "network" / "model.onnx"
        path.write_bytes(onnx.helper.make_model(graph, **versions).SerializeToString())
        return path

    assert open_session("a network", network("weights.bin"), "cpu")
    with pytest.raises(UserError, match="is not an ONNX file that loads"):
        open_session("a network", network(place.format(folder=tmp_path)), "cpu")
