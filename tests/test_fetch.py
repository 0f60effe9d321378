"""Fetching with a hub that is a folder; nothing here uses the network."""

import fnmatch
import json
import shutil
from types import SimpleNamespace

import pytest

from aacsfnet.augmentation.diffusion import model_files
from aacsfnet.augmentation.diffusion.model_files import bundled_model
from aacsfnet.config import Generate
from aacsfnet.errors import InputError, ModelFileError, WorkError
from aacsfnet.fetch import fetch
from aacsfnet.files import LOCK


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one repository, `owner/model`, whose branch main is commit abc123."""
    import huggingface_hub

    folder = tmp_path / "hub"
    shutil.copytree(bundled_model(), folder)
    for extra in ("everything.ckpt", "unet/diffusion_pytorch_model.bin", "unet/x.fp16.safetensors"):
        (folder / extra).write_bytes(b"not wanted")
    calls = []

    def information(self, repository, revision):
        if repository != "owner/model":
            response = SimpleNamespace(headers={}, request=None, status_code=404)
            raise huggingface_hub.errors.RepositoryNotFoundError("404", response=response)
        files = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
        return SimpleNamespace(sha="abc123", siblings=[SimpleNamespace(rfilename=f) for f in files])

    def download(repository, revision, local_dir, allow_patterns, ignore_patterns):
        calls.append(revision)
        for path in folder.rglob("*"):
            name = path.relative_to(folder).as_posix()
            wanted = any(fnmatch.fnmatch(name, pattern) for pattern in allow_patterns)
            if path.is_file() and wanted:
                if any(fnmatch.fnmatch(name, pattern) for pattern in ignore_patterns):
                    continue
                (local_dir / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, local_dir / name)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", information)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return SimpleNamespace(folder=folder, calls=calls)


def test_a_commit_is_fetched_and_locked(hub, tmp_path):
    model = tmp_path / "model"
    lock = fetch("owner/model", model)
    assert hub.calls == ["abc123"]  # never a branch, which may move meanwhile
    assert json.loads((model / LOCK).read_text()) == lock
    assert (lock["repository"], lock["commit"]) == ("owner/model", "abc123")
    assert model_files.find_model(Generate(model=str(model))).folder == model
    suffixes = {path.suffix for path in model.rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".txt", ".safetensors"}
    assert not list(model.rglob("*fp16*"))


def test_an_altered_file_is_refused_by_name(hub, tmp_path):
    model = tmp_path / "model"
    fetch("owner/model", model)
    files = model_files.find_model(Generate(model=str(model)))
    assert model_files.describe(files)["sha256"]
    weights = model / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    model_files.describe.cache_clear()
    with pytest.raises(ModelFileError, match=r"vae/diffusion_pytorch_model.* has SHA-256"):
        model_files.describe(files)
    weights.unlink()
    with pytest.raises(ModelFileError, match=r"vae/diffusion_pytorch_model.* is missing"):
        model_files.describe(files)


def test_an_unknown_repository_is_named(hub, tmp_path):
    with pytest.raises(InputError, match="owner/other at main: not on the hub"):
        fetch("owner/other", tmp_path / "model")


def test_a_repository_of_pickles_is_refused(hub, tmp_path):
    for path in hub.folder.rglob("*.safetensors"):
        path.unlink()
    with pytest.raises(WorkError, match="no safetensors weights"):
        fetch("owner/model", tmp_path / "model")


def test_a_lora_is_fetched_and_an_altered_one_refused(hub, tmp_path):
    shutil.rmtree(hub.folder)
    hub.folder.mkdir()
    (hub.folder / "pytorch_lora_weights.safetensors").write_bytes(b"weights")
    folder = tmp_path / "lora"
    fetch("owner/model", folder)
    files = model_files.find_model(Generate(lora=str(folder)))
    assert files.lora == folder / "pytorch_lora_weights.safetensors"
    model_files.describe.cache_clear()
    assert model_files.describe(files)["lora"]["name"] == files.lora.name
    files.lora.write_bytes(b"others!")
    model_files.describe.cache_clear()
    with pytest.raises(ModelFileError, match=r"pytorch_lora_weights\.safetensors has SHA-256"):
        model_files.describe(files)


def test_one_of_several_networks_of_a_repository_is_verified_too(hub, tmp_path):
    (hub.folder / "model_index.json").unlink()
    hub.folder.joinpath("controlnet").rename(hub.folder / "for_sd15")
    folder = tmp_path / "nets"
    fetch("owner/model", folder)
    files = model_files.find_model(Generate(landmarks_controlnet=str(folder / "for_sd15")))
    model_files.describe.cache_clear()
    assert model_files.describe(files)["name"].endswith("+ for_sd15")
    weights = next((folder / "for_sd15").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    model_files.describe.cache_clear()
    with pytest.raises(ModelFileError, match=r"for_sd15/.* has SHA-256"):
        model_files.describe(files)
