"""Profiles: they set defaults alone, what is set by hand wins, and every name in them is one that loads."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from fashion_assets.cli import app
from fashion_assets.defs import doctor
from fashion_assets.defs.versions import code_version
from fashion_assets.encoders.profiles import DEFAULT_PROFILE, PROFILE_SETTINGS, PROFILES, profile_named
from fashion_assets.encoders.registry import encoder_specs
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROFILE", *map(str.upper, PROFILE_SETTINGS)):
        monkeypatch.delenv(f"FASHION_{name}", raising=False)


def test_the_default_needs_no_download() -> None:
    settings = Settings()
    assert settings.profile == DEFAULT_PROFILE == "local"
    assert (settings.text_encoder, settings.image_encoder) == ("local:cbow", "local:visual")
    assert settings.precision == "float32"


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_sets_the_defaults(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASHION_PROFILE", name)
    settings = Settings()
    for field in PROFILE_SETTINGS:
        assert getattr(settings, field) == getattr(PROFILES[name], field)


def test_what_is_set_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASHION_PROFILE", "gpu")
    # Also where it is what another profile would give.
    monkeypatch.setenv("FASHION_TEXT_ENCODER", "local:cbow")
    settings = Settings(image_encoder="local:visual")
    assert (settings.text_encoder, settings.image_encoder) == ("local:cbow", "local:visual")
    assert Settings().image_encoder == PROFILES["gpu"].image_encoder


def test_a_profile_changes_the_versions_of_what_depends_on_it() -> None:
    local, gpu = Settings(), Settings(profile="gpu")
    for asset in ("text_embeddings", "image_embeddings", "multimodal_embeddings", "tfashion_model"):
        assert code_version(asset, local) != code_version(asset, gpu)
    # A name of the same encoders is no change.
    same = {name: getattr(PROFILES["local"], name) for name in PROFILE_SETTINGS}
    assert code_version("image_embeddings", local) == code_version(
        "image_embeddings", Settings(profile="gpu", **same)
    )


def test_16_bits_are_for_the_gpu_alone() -> None:
    assert {name: profile.precision for name, profile in PROFILES.items()} == {
        "local": "float32",
        "cpu": "float32",
        "gpu": "bfloat16",
    }


def test_an_unknown_profile_is_a_sentence() -> None:
    sentence = r"FASHION_PROFILE='tpu': .* local \(no download, any machine\), cpu \(.*\), gpu \("
    with pytest.raises(UserError, match=sentence):
        profile_named("tpu")
    with pytest.raises(UserError, match=sentence):
        Settings(profile="tpu")


def test_the_kinds_that_profiles_name_exist() -> None:
    kinds = {kind.kind for kind in encoder_specs()}
    for profile in PROFILES.values():
        for spec in (profile.text_encoder, profile.image_encoder):
            assert spec in kinds or spec.partition(":")[0] in kinds


def test_the_picture_networks_that_profiles_name_exist() -> None:
    timm = pytest.importorskip("timm")
    assert PROFILES["cpu"].image_encoder.removeprefix("timm:") in timm.list_pretrained()


def test_doctor_shows_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_has_gpu", lambda: False)
    shown = CliRunner().invoke(
        app, ["doctor", "--data-dir", str(tmp_path)], env={"FASHION_PROFILE": "gpu", "COLUMNS": "400"}
    )
    lines = [" ".join(line.split()) for line in shown.output.splitlines()]
    (profile,) = (line for line in lines if " profile " in line)
    assert profile.startswith("look profile gpu: large networks from the hub, a GPU")
    assert "no GPU here" in profile
    assert any("Qwen/Qwen3-Embedding-0.6B" in line for line in lines)


def test_doctor_names_what_departs_from_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_has_gpu", lambda: True)
    assert doctor._profile(Settings(profile="gpu")).ok
    finding = doctor._profile(Settings(profile="gpu", text_encoder="local:cbow"))
    assert finding.found.endswith("; but FASHION_TEXT_ENCODER set")
