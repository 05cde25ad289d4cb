"""Every file of ``deploy/`` is what its reader takes it for, and they say the same where they say it twice."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths

from fashion_assets.defs.compute import compute
from fashion_assets.defs.executors import executor_of
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError

PROJECT = Path(__file__).parents[2]
DEPLOY = PROJECT / "deploy"
INSTANCES = ("dagster.yaml", "compose/dagster.yaml", "ray/dagster.yaml")
#: Everything that the files of deploy/ read from the environment; deploy/README.md explains each.
ENVIRONMENT = {
    "DAGSTER_PG_USERNAME": "dagster",
    "DAGSTER_PG_PASSWORD": "p@ss:word/of tests",
    "DAGSTER_PG_HOST": "127.0.0.1",
    "DAGSTER_PG_PORT": "5432",
    "DAGSTER_PG_DB": "dagster",
    "DAGSTER_LOGS_BUCKET": "logs",
    "DAGSTER_LOGS_DIR": "",  # a folder of the test's own
    "DAGSTER_CODE_HOST": "127.0.0.1",
    "DAGSTER_CODE_PORT": "4000",
    "RAY_JOBS_ADDRESS": "http://127.0.0.1:8265",
}
#: Keys of the chart's model of its values at 1.13 (helm/dagster/schema of Dagster's repository).
CHART = {
    "global",
    "dagsterWebserver",
    "dagster-user-deployments",
    "postgresql",
    "generatePostgresqlPasswordSecret",
    "computeLogManager",
    "runLauncher",
    "dagsterDaemon",
    "telemetry",
    "retention",
    "additionalInstanceConfig",
}
USER_DEPLOYMENT = {
    "name",
    "image",
    "port",
    "codeServerArgs",
    "includeConfigInLaunchedRuns",
    "env",
    "envSecrets",
    "podSecurityContext",
    "volumeMounts",
    "volumes",
    "resources",
}


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value or str(tmp_path))


def parsed(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def read_instance(name: str, folder: Path) -> InstanceRef:
    """The instance's parts as Dagster's own loader makes them; the storage would connect, so it is left alone."""
    shutil.copyfile(DEPLOY / name, folder / "dagster.yaml")
    return InstanceRef.from_dir(str(folder))


def environment_names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if set(node) == {"env"} and isinstance(node["env"], str):
            yield node["env"]
        for value in node.values():
            yield from environment_names(value)
    elif isinstance(node, list):
        for value in node:
            yield from environment_names(value)


def in_snake_case(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key
            if key == "applyLimitPerUniqueValue"
            else re.sub(r"[A-Z]", lambda m: "_" + m[0].lower(), key): (in_snake_case(value))
            for key, value in node.items()
        }
    return [in_snake_case(value) for value in node] if isinstance(node, list) else node


@pytest.mark.parametrize("name", INSTANCES)
def test_dagster_reads_the_instance(name: str, tmp_path: Path) -> None:
    pytest.importorskip("dagster_postgres", reason="extra [postgres]")
    pytest.importorskip("dagster_aws", reason="extra [s3]")
    if name.startswith("ray"):
        pytest.importorskip("dagster_ray", reason="extra [ray]")
    instance = read_instance(name, tmp_path)
    classes = [
        data.class_name
        for data in (
            instance.run_storage_data,
            instance.event_storage_data,
            instance.schedule_storage_data,
        )
    ]
    assert classes == ["PostgresRunStorage", "PostgresEventLogStorage", "PostgresScheduleStorage"]
    assert type(instance.run_coordinator).__name__ == "NewestReportsFirst"
    assert "runs" not in instance.settings["concurrency"], (
        "they would replace what the coordinator holds back"
    )
    launcher = "RayRunLauncher" if name.startswith("ray") else "DefaultRunLauncher"
    assert type(instance.run_launcher).__name__ == launcher
    logs = "LocalComputeLogManager" if name.startswith("compose") else "S3ComputeLogManager"
    assert type(instance.compute_log_manager).__name__ == logs
    settings = instance.settings
    assert settings["concurrency"]["pools"] == {
        "granularity": "op",
        "default_limit": 1,
        "op_granularity_run_buffer": 1,
    }
    assert settings["run_monitoring"]["enabled"] and settings["run_retries"]["enabled"]
    assert settings["telemetry"] == {"enabled": False}


@pytest.mark.parametrize(
    ("name", "block"), [("compose/dagster.yaml", "compute_logs"), ("ray/dagster.yaml", "run_launcher")]
)
def test_the_variants_differ_in_one_block(name: str, block: str) -> None:
    ours, base = parsed(name), parsed("dagster.yaml")
    assert {key for key in ours.keys() | base.keys() if ours.get(key) != base.get(key)} == {block}


def test_no_secret_stands_in_a_file_and_every_variable_is_explained() -> None:
    used = {
        variable
        for path in DEPLOY.rglob("*.yaml")
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        for variable in environment_names(document)
    }
    assert used == set(ENVIRONMENT)
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert [name for name in sorted(used) if f"`{name}`" not in readme] == []
    value = re.compile(r"(password|secret|salt|access_key)\w*\s*[:=]\s*['\"]?[\w/+]{8,}", re.I)
    found = [
        line
        for path in DEPLOY.rglob("*")
        if path.is_file() and path.name not in ("README.md", ".env")
        for line in path.read_text(encoding="utf-8").splitlines()
        if value.search(line) and not re.search(r"secretName|SecretName", line)
    ]
    assert found == []


def test_the_workspace_names_the_code_server() -> None:
    (origin,) = location_origins_from_yaml_paths([str(DEPLOY / "workspace.yaml")])
    assert isinstance(origin, GrpcServerCodeLocationOrigin)
    assert (origin.host, origin.port, origin.location_name) == ("127.0.0.1", 4000, "fashion_assets")


def image_user() -> int:
    """The uid, and gid, that the containers run as."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    user, name = re.search(r"useradd --uid (\d+) .*?(\w+) \\\n", text).groups()  # type: ignore[union-attr]
    assert f"\nUSER {name}\n" in text
    return int(user)


def test_the_user_of_the_image_owns_what_compose_mounts() -> None:
    """A new volume gets the owner of the folder of the image that it is mounted on, root where there is none."""
    assert image_user() == 10001
    (owned,) = re.findall(
        r"chown -R fashion:fashion (.+)", (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    )
    compose = parsed("compose/docker-compose.yaml")
    for name, service in compose["services"].items():
        for mount in service.get("volumes", []):
            source, target = mount.split(":")[:2]
            if name != "postgres" and source in compose["volumes"]:
                assert target in owned.split(), mount


def test_compose_publishes_on_loopback_alone() -> None:
    compose = parsed("compose/docker-compose.yaml")
    services = compose["services"]
    assert set(services) == {"postgres", "code", "daemon", "webserver", "readonly"}
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 2 and all(port.startswith("127.0.0.1:") for port in ports)
    scripts = {script.name for script in entry_points(group="console_scripts")}
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        assert set(service.get("command", ["dagster"])[:1]) <= scripts, name
        for mount in service.get("volumes", []):
            source = mount.split(":", 1)[0]
            known = source in compose["volumes"] or source.startswith("${FASHION_DATA")
            assert known or (DEPLOY / "compose" / source).exists(), mount
        provided = set(service.get("environment", {}))
        if name != "postgres":
            wanted = set(environment_names(parsed("compose/dagster.yaml")))
            wanted |= set(environment_names(parsed("workspace.yaml")))
            assert wanted <= provided, name
    assert "--read-only" in services["readonly"]["command"] and "--read-only" not in str(
        services["webserver"]
    )
    text = (DEPLOY / "compose" / "docker-compose.yaml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    example = (DEPLOY / "compose" / "example.env").read_text(encoding="utf-8")
    offered = dict(re.findall(r"^(\w+)=(.*)$", example, re.M))
    assert asked == {"DAGSTER_PG_PASSWORD", "FASHION_DATA"} and asked <= set(offered)
    assert offered["DAGSTER_PG_PASSWORD"] == ""


def test_the_runbook_works_in_containers() -> None:
    """Nothing but the data root is there to be written to, and a restored database can be named."""
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    rekey = readme.split("### Re-key authors")[1].split("###")[0]
    assert "mv lake/landing before-rekey/" in rekey and "../" not in rekey
    compose = (DEPLOY / "compose" / "docker-compose.yaml").read_text(encoding="utf-8")
    assert "DAGSTER_PG_DB=restored" in readme and "DAGSTER_PG_DB: ${DAGSTER_PG_DB:-dagster}" in compose
    assert "\nDAGSTER_PG_DB=dagster" in (DEPLOY / "compose" / "example.env").read_text(encoding="utf-8")


def test_the_image_installs_what_the_instances_load() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    for source in re.findall(r"^COPY (.+) \S+$", text, re.M):
        assert all((PROJECT / name).exists() for name in source.split()), source
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = set(re.findall(r"EXTRAS=([\w,]+)", text))
    assert "postgres,s3" in named
    assert {extra for names in named for extra in names.split(",")} <= set(extras)
    required = " ".join(extras["postgres"] + extras["s3"] + extras["ray"])
    modules = {
        module.split(".")[0]
        for name in INSTANCES
        for module in re.findall(r"module: (\w+)", str(yaml.dump(parsed(name))))
    }
    assert modules == {"dagster", "dagster_aws", "dagster_ray", "fashion_assets"}
    for module in modules - {"dagster", "fashion_assets"}:
        assert module.replace("_", "-") in required
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert allowed[1] == "*" and not {"!data", "!shared"} & set(allowed)


def test_helm_values_are_the_instance_in_the_words_of_the_chart() -> None:
    values, base = parsed("kubernetes/values.yaml"), parsed("dagster.yaml")
    assert set(values) == CHART
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    assert set(deployment) == USER_DEPLOYMENT
    assert find_spec(deployment["codeServerArgs"][1]) is not None
    daemon = values["dagsterDaemon"]
    assert daemon["runCoordinator"]["type"] == "CustomRunCoordinator"
    assert daemon["runCoordinator"]["config"]["customRunCoordinator"] == base["run_coordinator"]
    assert values["additionalInstanceConfig"]["concurrency"]["pools"] == base["concurrency"]["pools"]
    assert in_snake_case(daemon["runRetries"]) == base["run_retries"]
    monitoring, ours = in_snake_case(daemon["runMonitoring"]), base["run_monitoring"]
    assert {key: monitoring[key] for key in ours.keys() & monitoring.keys()} == {
        key: ours[key] for key in ours.keys() & monitoring.keys()
    }
    assert len(ours.keys() & monitoring.keys()) >= 5
    retention = in_snake_case(values["retention"])
    assert retention.pop("enabled") and retention == base["retention"]
    logs = in_snake_case(values["computeLogManager"]["config"]["s3ComputeLogManager"])
    assert {**logs, "bucket": None} == {**base["compute_logs"]["config"], "bucket": None}
    assert values["telemetry"] == {"enabled": False}
    service = values["dagsterWebserver"]["service"]
    assert service["type"] == "ClusterIP"
    # The chart has the container listen on the service's port.
    assert service["port"] >= 1024, "the image's user may not listen there"
    assert f"3000:{service['port']}" in (DEPLOY / "README.md").read_text(encoding="utf-8")
    settings = {pair["name"]: pair["value"] for pair in deployment["env"]}
    fields = {name.removeprefix("FASHION_").lower() for name in settings}
    assert fields <= set(Settings.model_fields)
    read = Settings(**{name.removeprefix("FASHION_").lower(): value for name, value in settings.items()})
    assert (read.profile, read.executor) == ("gpu", "kubernetes")


def test_the_data_volume_is_the_one_that_everything_mounts() -> None:
    (deployment,) = parsed("kubernetes/values.yaml")["dagster-user-deployments"]["deployments"]
    volume, ray = parsed("kubernetes/data-volume.yaml"), parsed("kubernetes/raycluster.yaml")
    claim = volume["metadata"]["name"]
    assert volume["spec"]["accessModes"] == ["ReadWriteMany"]
    groups = [ray["spec"]["headGroupSpec"], *ray["spec"]["workerGroupSpecs"]]
    specs = [group["template"]["spec"] for group in groups]
    for holder in [deployment, *specs]:
        assert {"name": "data", "persistentVolumeClaim": {"claimName": claim}} in holder["volumes"]
    launcher = parsed("kubernetes/values.yaml")["runLauncher"]["config"]["k8sRunLauncher"]
    pods = [launcher["runK8sConfig"]["podSpecConfig"], *specs]
    contexts = [deployment["podSecurityContext"], *(pod["securityContext"] for pod in pods)]
    assert {context["fsGroup"] for context in contexts} == {image_user()}, "who writes to the volume"
    for spec in specs:
        (container,) = spec["containers"]
        environment = {pair["name"]: pair["value"] for pair in container["env"]}
        assert environment["RAY_AUTH_MODE"] == "token"
        assert {"name": "data", "mountPath": environment["FASHION_DATA_DIR"]} in container["volumeMounts"]
    pinned = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"][
        "ray"
    ]
    assert f"ray[data]=={ray['spec']['rayVersion']}" in pinned


def test_a_step_with_a_network_asks_kubernetes_for_its_gpu() -> None:
    tags = compute(Settings(profile="gpu"), "text_encoder")["op_tags"]["dagster-k8s/config"]
    assert tags["container_config"]["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    (toleration,) = tags["pod_spec_config"]["tolerations"]
    assert (toleration["key"], toleration["operator"]) == ("nvidia.com/gpu", "Exists")
    models = pytest.importorskip("dagster_k8s.job", reason="extra [k8s]")
    read = models.get_user_defined_k8s_config({"dagster-k8s/config": json.dumps(tags)})
    assert read.pod_spec_config["tolerations"] == [toleration]


def test_the_kubernetes_executor_gives_each_step_a_pod() -> None:
    settings = Settings(executor="kubernetes", workers=3)
    if find_spec("dagster_k8s") is None:
        with pytest.raises(UserError, match=r"needs dagster-k8s; install fashion-assets\[k8s\]"):
            executor_of(settings)
        return
    executor = executor_of(settings)
    assert isinstance(executor, dg.ExecutorDefinition) and executor.name == "k8s"


def test_make_ui_and_the_readme_stay_on_loopback() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert "dagster dev" in makefile and "-h 127.0.0.1" in makefile
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert "dagster-webserver --read-only" in readme and "-h 127.0.0.1" in readme
