"""A model's own weights in the sandbox: a tiny BART with random weights, made here."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import wallaroo
from wallaroo.framework import Framework

from dashboard.sandbox.engine import weights
from tests.support.sandbox import RunningSandbox, running_sandbox
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(
        not weights.packages_are_installed(),
        reason="needs requirements-models.txt (1 GB): run `make test-models`",
    ),
    # The SDK leaves the files of its queries open, and transformers warns of its own calls.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

TEXT = "The ferry to the island leaves at nine. It carries forty cars. Bring a warm coat."
WORDS = sorted(set(TEXT.lower().replace(".", " .").split()))
INPUTS = pa.schema(
    [
        pa.field("inputs", pa.string()),
        pa.field("return_text", pa.bool_()),
        pa.field("return_tensors", pa.bool_()),
        pa.field("clean_up_tokenization_spaces", pa.bool_()),
    ]
)
OUTPUTS = pa.schema([pa.field("summary_text", pa.string())])


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory) -> Path:
    """A folder as `save_pretrained` writes it."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

    folder: Path = tmp_path_factory.mktemp("bart")
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {word: number for number, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106  a word
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",  # noqa: S106  a word of the model's, no secret
        pad_token="<pad>",  # noqa: S106  as above
        eos_token="</s>",  # noqa: S106  as above
        unk_token="<unk>",  # noqa: S106  as above
        model_max_length=64,
    ).save_pretrained(folder)
    torch.manual_seed(7)
    config = BartConfig(
        vocab_size=len(vocabulary),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=2,
    )
    model = BartForConditionalGeneration(config)
    model.generation_config.max_length = 12
    model.generation_config.num_beams = 1
    model.save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), seed="empty") as running:
        yield running


@pytest.fixture
def platform(sandbox: RunningSandbox, monkeypatch, tmp_path) -> wallaroo.Client:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("WALLAROO_USER", sandbox.username)
    monkeypatch.setenv("WALLAROO_PASSWORD", sandbox.password)
    return wallaroo.Client(api_endpoint=sandbox.url, auth_type="user_password")


def packed(folder: Path, target: Path, extra: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"bart/{file.name}")
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return target


def row() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "inputs": TEXT,
                "return_text": True,
                "return_tensors": False,
                "clean_up_tokenization_spaces": False,
            }
        ]
    )


def by_transformers(folder: Path) -> str:
    from transformers import pipeline

    summarizer = pipeline("summarization", model=str(folder), device=-1)
    return str(summarizer(TEXT, truncation=True)[0]["summary_text"])


def uploaded(platform: wallaroo.Client, file: Path, name: str) -> Any:  # the SDK has no types
    return platform.upload_model(
        name,
        str(file),
        framework=Framework.HUGGING_FACE_SUMMARIZATION,
        input_schema=INPUTS,
        output_schema=OUTPUTS,
    )


def test_uploaded_weights_answer_as_transformers_does(platform, saved_model, tmp_path):
    model = uploaded(platform, packed(saved_model, tmp_path / "bart.zip"), "tiny-bart")
    assert str(model.status()) == "ready"
    assert model.image_path().startswith("sandbox/transformers:")
    pipeline = platform.build_pipeline("tiny-bart").add_model_step(model)
    pipeline.deploy()
    try:
        answer = pipeline.infer(row(), timeout=60)
        assert answer["out.summary_text"][0] == by_transformers(saved_model)
    finally:
        pipeline.undeploy()


def test_no_code_and_no_pickle_of_an_archive_is_taken_out(saved_model, tmp_path):
    hostile = {
        "bart/modeling_evil.py": b"raise SystemExit",
        "bart/pytorch_model.bin": b"\x80\x04",
        "bart/deeper/config.json": b"{}",
    }
    artefact = packed(saved_model, tmp_path / "7", hostile)
    assert weights.lay_out(artefact)
    taken = {path.name for path in weights.folder_of(artefact).iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= taken
    assert not {"modeling_evil.py", "pytorch_model.bin", "deeper"} & taken


def test_an_archive_without_a_model_has_no_weights(tmp_path):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("model/config.json", "{}")
        archive.writestr("model/model.safetensors", b"\0" * 16)
    (tmp_path / "7").write_bytes(target.getvalue())
    assert not weights.lay_out(tmp_path / "7")
    assert not weights.folder_of(tmp_path / "7").exists()


def test_weights_that_are_no_summarizer_fail_with_a_reason(platform, saved_model, tmp_path):
    archive = packed(saved_model, tmp_path / "bad.zip")
    bad = tmp_path / "other.zip"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(bad, "w") as changed:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename.endswith("model.safetensors"):
                content = b"\0" * 64
            changed.writestr(entry.filename, content)
    model = uploaded(platform, bad, "no-bart")
    pipeline = platform.build_pipeline("no-bart").add_model_step(model)
    pipeline.deploy(wait_for_status=False)
    try:
        wait_until(
            lambda: "holds no summarization model that can be loaded" in str(pipeline.status()),
            within_s=60,
            what="the reason in the status",
        )
    finally:
        pipeline.undeploy()
