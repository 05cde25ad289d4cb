"""Encoders on a cluster of more than one node: they leave room to decode in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fashion_assets.encoders import load_encoder
from fashion_assets_tests.integration.test_ray_engine import PATIENT

pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.slow]

PROJECT = Path(__file__).parents[2]
#: Starts two nodes of two CPUs and encodes the pictures of a folder on them. A process of its own, since Ray Data keeps
#: handles of the first cluster that a process has.
PROGRAM = """
import os
import sys
from pathlib import Path
import numpy as np
import ray
from ray.cluster_utils import Cluster
from fashion_assets.encoders.ray_encoder import RayEncoder
from fashion_assets.encoders.ray_session import connect
from fashion_assets.storage.errors import UserError

node = {"num_cpus": 2, "object_store_memory": 100 * 1024**2, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=node)
cluster.add_node(**node)
os.environ["RAY_ADDRESS"] = cluster.address
folder = Path(sys.argv[1])
encoder = RayEncoder("local:visual", encoders=4)
np.save(folder / "vectors.npy", encoder.encode(sorted(folder.glob("*.png"))))
print([(node.cpus, node.gpus) for node in connect()])
try:
    RayEncoder("local:visual", gpus_per_encoder=1)
except UserError as error:
    print(error)
ray.shutdown()
cluster.shutdown()
"""


def test_as_many_encoders_as_cpus_encode_on_two_nodes(tmp_path: Path) -> None:
    from PIL import Image

    generator = np.random.default_rng(0)
    for number in range(24):
        picture = Image.fromarray(generator.integers(0, 256, (40, 30, 3), dtype=np.uint8))
        picture.save(tmp_path / f"{number}.png")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=PROJECT,
        env={**environment, **PATIENT, "RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert told.returncode == 0, told.stderr
    # At 0.75 CPUs each, an even share of what one decoding task leaves, neither node kept a whole CPU: for ever.
    expected = load_encoder("local:visual").encode(sorted(tmp_path.glob("*.png")))
    np.testing.assert_allclose(np.load(tmp_path / "vectors.npy"), expected, rtol=0, atol=1e-6)
    nodes, refusal = told.stdout.strip().splitlines()[-2:]
    assert nodes == "[(2.0, 0.0), (2.0, 0.0)]"
    assert refusal.startswith("1 encoders with 1 GPUs each do not fit the nodes of the Ray cluster")
