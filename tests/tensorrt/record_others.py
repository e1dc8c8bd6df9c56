"""Records graphs that other tools make: `python tests/tensorrt/record_others.py TOOL FOLDER`.

TOOL is `optimum`, `nncf`, `modelopt` or `torchao`. Each runs in an environment of its own that has this tool, and
imports nothing of edge-ptf. `optimum` comes first, because `nncf` and `modelopt` quantize its export. At last `pack`
writes `recorded.tar.xz` beside this file. The graphs in it were made with optimum 2.1.0, optimum-onnx 0.1.0,
onnxruntime 1.32.0; nncf 3.4.0; nvidia-modelopt[onnx] 0.47.0; torchao 0.18.0, torch 2.14.1, onnxscript 0.7.2.

The model is a BERT of one layer with random weights, for `torchao` a network of the same operators. What it answers is
of no interest, only the form of the graph.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

VOCABULARY, LENGTH = 40, 16
EXPORT = "Optimum, FP32"
NAMES = ("input_ids", "attention_mask", "token_type_ids")


def main() -> None:
    tool, folder = sys.argv[1], Path(sys.argv[2])
    if tool == "pack":
        return pack(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        for name, made in TOOLS[tool](folder, Path(work)):
            (folder / f"{name}.onnx").write_bytes(without_origin(made))
            print(f"{name}: {len(made)} bytes")


def without_origin(content: bytes) -> bytes:
    """The graph without notes on where in a program each node comes from."""
    import onnx

    model = onnx.load_model_from_string(content)
    for item in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.input,
        *model.graph.output,
        *model.graph.value_info,
    ):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    return bytes(model.SerializeToString())


def pack(folder: Path) -> None:
    """Writes all graphs of a folder into one file."""
    with tarfile.open(Path(__file__).with_name("recorded.tar.xz"), "w:xz", preset=9) as packed:
        for file in sorted(folder.glob("*.onnx")):
            about = tarfile.TarInfo(file.name)
            about.size = file.stat().st_size
            with file.open("rb") as stream:
                packed.addfile(about, stream)


def calls() -> Iterator[dict[str, Any]]:
    """Texts for the calibration."""
    draw = np.random.default_rng(0)
    for _ in range(8):
        ids = draw.integers(0, VOCABULARY, (1, LENGTH))
        yield dict(zip(NAMES, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True))


def optimum(folder: Path, work: Path) -> Iterator[tuple[str, bytes]]:
    """Its export, and its presets for TensorRT and other processors."""
    import torch
    from optimum.onnxruntime import ORTModelForSequenceClassification, ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig, CalibrationConfig, CalibrationMethod
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1}
    config = BertConfig(vocab_size=VOCABULARY, max_position_embeddings=LENGTH, num_labels=2, **sizes)
    BertForSequenceClassification(config).save_pretrained(work / "model")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{number}" for number in range(VOCABULARY - 5))]
    (work / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(work / "vocab.txt")).save_pretrained(work / "model")
    ORTModelForSequenceClassification.from_pretrained(work / "model", export=True).save_pretrained(work / "onnx")
    yield EXPORT, (work / "onnx" / "model.onnx").read_bytes()
    data = [{name: row[0].tolist() for name, row in call.items()} for call in calls()]
    way = CalibrationConfig("random", "", "train", len(data), CalibrationMethod.MinMax)
    presets = {
        "Optimum, preset tensorrt": AutoQuantizationConfig.tensorrt(per_channel=False),
        "Optimum, preset tensorrt, per channel": AutoQuantizationConfig.tensorrt(per_channel=True),
        "Optimum, preset avx512_vnni, static": AutoQuantizationConfig.avx512_vnni(is_static=True, per_channel=True),
        "Optimum, preset arm64, dynamic": AutoQuantizationConfig.arm64(is_static=False, per_channel=True),
    }
    for name, preset in presets.items():
        quantizer, out = ORTQuantizer.from_pretrained(work / "onnx"), work / name
        ranges = None
        if preset.is_static:
            ranges = quantizer.fit(
                data, way, work / "augmented.onnx", operators_to_quantize=preset.operators_to_quantize
            )
        quantizer.quantize(preset, save_dir=out, calibration_tensors_range=ranges)
        yield name, (out / "model_quantized.onnx").read_bytes()


def nncf(folder: Path, work: Path) -> Iterator[tuple[str, bytes]]:
    """Its post-training quantization, by preset."""
    import nncf
    import onnx

    for preset in ("performance", "mixed"):
        made = nncf.quantize(
            onnx.load(folder / f"{EXPORT}.onnx"),
            nncf.Dataset(list(calls())),
            preset=nncf.QuantizationPreset(preset),
            model_type=nncf.ModelType.TRANSFORMER,
        )
        yield f"NNCF, preset {preset}", made.SerializeToString()


def modelopt(folder: Path, work: Path) -> Iterator[tuple[str, bytes]]:
    """INT8 and FP8, the rest in FP32 and FP16."""
    from modelopt.onnx.quantization import quantize

    found = list(calls())
    data = {name: np.concatenate([call[name] for call in found]) for name in NAMES}
    for mode in ("int8", "fp8"):
        for rest in ("fp32", "fp16"):
            out = work / f"{mode}-{rest}.onnx"
            quantize(
                str(folder / f"{EXPORT}.onnx"),
                quantize_mode=mode,
                calibration_data=data,
                calibration_eps=["cpu"],
                high_precision_dtype=rest,
                output_path=str(out),
            )
            yield f"Model-Optimizer, {mode}, the rest {rest}", out.read_bytes()


def torchao(folder: Path, work: Path) -> Iterator[tuple[str, bytes]]:
    """Its quantizers for processors, as PyTorch exports what they made."""
    import torch
    import torchao.quantization.pt2e.quantizer.arm_inductor_quantizer as arm
    import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as x86
    from torch import nn
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.classifier = nn.Embedding(VOCABULARY, 16), nn.Linear(16, 2)
            self.query, self.key, self.value = (nn.Linear(16, 16) for _ in range(3))
            self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)
            self.first, self.second = nn.LayerNorm(16), nn.LayerNorm(16)

        def forward(self, ids: Any) -> Any:
            x = self.table(ids)
            weights = torch.softmax(self.query(x) @ self.key(x).transpose(1, 2) / 4, -1)
            x = self.first(x + weights @ self.value(x))
            x = self.second(x + self.down(nn.functional.gelu(self.up(x))))
            return self.classifier(x[:, 0])

    torch.manual_seed(0)
    net, found = Net().eval(), [torch.from_numpy(call["input_ids"]) for call in calls()]
    shipped = x86.get_default_x86_inductor_quantization_config()
    signed = replace(shipped.input_activation, dtype=torch.int8, quant_min=-128, quant_max=127)
    signed = replace(signed, qscheme=torch.per_tensor_symmetric)
    configs = {
        "x86": x86.X86InductorQuantizer().set_global(shipped),
        "ARM": arm.ArmInductorQuantizer().set_global(arm.get_default_arm_inductor_quantization_config()),
        "x86, symmetric": x86.X86InductorQuantizer().set_global(replace(shipped, input_activation=signed)),
    }
    for name, quantizer in configs.items():
        made = prepare_pt2e(torch.export.export(net, (found[0],)).module(), quantizer)
        for ids in found:
            made(ids)
        program = torch.onnx.export(torch.export.export(convert_pt2e(made), (found[0],)), (), dynamo=True)
        yield f"torchao, {name}", program.model_proto.SerializeToString()


TOOLS = {"optimum": optimum, "nncf": nncf, "modelopt": modelopt, "torchao": torchao}

if __name__ == "__main__":
    main()
