"""The cluster files pass Ray's own validation, and say what the job needs."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "ray_jobs").glob("synth_cluster*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_passes_rays_schema(path):
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(yaml.safe_load(path.read_text()))
    validate_config(config)
    config["no_such_field"] = 1
    with pytest.raises(Exception, match="no_such_field"):
        validate_config(config)


def test_there_are_two():
    assert [path.stem for path in FILES] == ["synth_cluster", "synth_cluster_cloud"]


def test_cloud_has_spot_gpu_workers_that_autoscale():
    config = yaml.safe_load((ROOT / "ray_jobs/synth_cluster_cloud.yaml").read_text())
    worker = config["available_node_types"]["gpu_worker"]
    assert worker["resources"]["GPU"] == 1
    assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert worker["min_workers"] == 0 < worker["max_workers"] <= config["max_workers"]
    assert config["available_node_types"][config["head_node_type"]]["resources"]["CPU"] == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_puts_the_environment_on_path_and_ships_the_package(path):
    config = yaml.safe_load(path.read_text())
    assert config["file_mounts"]["~/pixelcube"] == "."
    assert any("PATH=" in command and ".bashrc" in command for command in config["setup_commands"])
