"""What transformers.js must be told about a bundle, so that it opens the folder as it is, without options.

Its `pipeline` takes onnx/model.onnx unless it knows better; from config.json's `transformers.js_config` it learns the
precision, which gives the file's name, and whether weights lie in a file beside the graph.
Source: https://huggingface.co/docs/transformers.js/api/configs
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.atomic import write_text_atomic
from export.runtime.files import read_json

KEY = "transformers.js_config"
# As transformers.js names model files by precision.
DTYPES = {
    "model.onnx": "fp32",
    "model_fp16.onnx": "fp16",
    "model_int8.onnx": "int8",
    "model_uint8.onnx": "uint8",
    "model_quantized.onnx": "q8",
    "model_q4.onnx": "q4",
    "model_q4f16.onnx": "q4f16",
    "model_bnb4.onnx": "bnb4",
}


def tell_transformers_js(config: Path, parts: Sequence[str]) -> None:
    """Add to a config.json which model to open; one that transformers.js has no name for is left untold.

    Args:
        parts: the model's file and then its external data, relative to the folder.
    """
    model = Path(parts[0])
    if model.parent.as_posix() != "onnx" or model.name not in DTYPES:
        return
    told: dict[str, Any] = {"dtype": DTYPES[model.name]}
    if len(parts) > 1:
        told["use_external_data_format"] = {model.name: len(parts) - 1}
    values = {**read_json(config), KEY: told}
    write_text_atomic(config, json.dumps(values, sort_keys=True, indent=2) + "\n")  # as transformers writes it
