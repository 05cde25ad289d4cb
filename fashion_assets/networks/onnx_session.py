"""An ONNX file as a session of ONNX Runtime on the best device that it can use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fashion_assets.networks.cores import core_count, cpu_lanes
from fashion_assets.storage.errors import UserError


def open_session(what: str, path: Path, device: str | None, *, lanes: int = 1) -> Any:
    """An ``onnxruntime.InferenceSession``; CUDA if asked for or found, where this onnxruntime can.

    On CPUs ``lanes`` runs at a time share the cores. ``what`` names the user of the file in sentences
    (``encoder 'onnx:…'``). Raises UserError for a file that does not load, and for CUDA asked for in vain.
    """
    import onnxruntime

    available = onnxruntime.get_available_providers()
    wants_cuda = device is not None and device.startswith("cuda")
    if wants_cuda and "CUDAExecutionProvider" not in available:
        raise UserError(
            f"{what}: the device {device!r} was asked for, but this onnxruntime has only "
            f"{', '.join(available)}; leave the device out or install onnxruntime-gpu"
        )
    providers = ["CPUExecutionProvider"]
    if device != "cpu" and "CUDAExecutionProvider" in available:
        providers.insert(0, "CUDAExecutionProvider")
    options = onnxruntime.SessionOptions()
    # Batches side by side, each on its own core, wait for no other thread.
    options.intra_op_num_threads = max(1, core_count() // lanes)
    # By default the threads of a session burn their cores while they wait for one another, and pictures are read on
    # the same cores: a third of all CPU time with two threads (benchmarks/onnx_pipeline.py).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors share no base class but this
        raise UserError(f"{what}: {path} is not an ONNX file that loads ({error})") from error


def lanes_of(session: Any) -> int:
    """Runs that a session for ``cpu_lanes()`` is to be given at a time: one on a GPU, else those."""
    return 1 if "CUDAExecutionProvider" in session.get_providers() else cpu_lanes()
