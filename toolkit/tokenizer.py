"""AfriBERTa's tokenizer: from its SentencePiece file to a tokenizer.json that splits words as we do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from export.atomic import write_json_atomic
from export.runtime.encode import composing
from export.runtime.errors import UserError
from export.runtime.words import pre_tokenizer_json

SPM = "sentencepiece.bpe.model"
MAX_LENGTH = 512
SPECIAL = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}


def read_sentencepiece(path: Path) -> Any:
    """The SentencePiece model as its protobuf message.

    Raises:
        UserError: missing, not a SentencePiece model, or not a unigram one.
    """
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    try:
        model.ParseFromString(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing.",
            "A teacher needs AfriBERTa's sentencepiece.bpe.model; copy it from its source.",
        ) from error
    except DecodeError as error:
        raise UserError(f"{path} is not a SentencePiece model.", "Copy or download it again.") from error
    if model.trainer_spec.model_type != model.trainer_spec.UNIGRAM or len(model.pieces) < 4:
        raise UserError(
            f"{path} is not a unigram SentencePiece model.",
            "Only XLM-R style tokenizers (unigram, as AfriBERTa's) are supported.",
        )
    return model


def write_tokenizer(sentencepiece_model: Any, out: Path) -> int:
    """Write the tokenizer's four files to `out` and return its number of ids.

    AfriBERTa publishes no tokenizer.json and no maximum length (it reads as 1e30); both are set here. Ids
    follow XLM-R: <s> <pad> </s> <unk>, the pieces from the fourth on, <mask> last.
    """
    from transformers import XLMRobertaTokenizer
    from transformers.convert_slow_tokenizer import convert_slow_tokenizer

    out.mkdir(parents=True, exist_ok=True)
    (out / SPM).write_bytes(sentencepiece_model.SerializeToString(deterministic=True))
    slow = XLMRobertaTokenizer(str(out / SPM))
    specification = json.loads(convert_slow_tokenizer(slow).to_str())
    specification["normalizer"] = _normalizer(specification["normalizer"])
    specification["pre_tokenizer"] = pre_tokenizer_json()
    size = len(specification["model"]["vocab"])
    specification["added_tokens"] = [_added_token(i, token) for i, token in _special_ids(size)]
    (out / "tokenizer.json").write_text(
        json.dumps(specification, ensure_ascii=False, separators=(",", ":")), encoding="utf-8"
    )
    write_json_atomic(
        out / "tokenizer_config.json",
        {
            **SPECIAL,
            "tokenizer_class": "XLMRobertaTokenizer",
            "model_max_length": MAX_LENGTH,
            "clean_up_tokenization_spaces": False,
            "added_tokens_decoder": {
                str(i): {key: value for key, value in _added_token(i, token).items() if key != "id"}
                for i, token in _special_ids(size)
            },
        },
    )
    write_json_atomic(out / "special_tokens_map.json", SPECIAL)
    return size


def _normalizer(converted: dict[str, Any]) -> dict[str, Any]:
    """The converted normalizer, composing first, and with several spaces made one.

    transformers makes several spaces a ▁, which our word splitter, coming after, would take for a symbol.
    """
    steps = converted["normalizers"]
    steps = [{**step, "content": " "} if step["type"] == "Replace" else step for step in steps]
    normalizer = composing({**converted, "normalizers": steps})
    assert normalizer is not None
    return normalizer


def _special_ids(size: int) -> list[tuple[int, str]]:
    return [(0, "<s>"), (1, "<pad>"), (2, "</s>"), (3, "<unk>"), (size - 1, "<mask>")]


def _added_token(index: int, token: str) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": token == "<mask>", "rstrip": False, "normalized": False}
    return {"id": index, "content": token, **flags, "special": True}
