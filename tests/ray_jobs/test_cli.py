"""The command line: what it teaches, how it fails, and that it starts without the heavy libraries."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from ray_jobs.cli import validate
from ray_jobs.cli.main import main

COMMANDS = (["doctor"], ["render"], ["inspect"], ["validate"], ["export"], ["assets"], ["assets", "list"],
            ["assets", "fetch"], ["assets", "verify"], ["relight"], ["app"], ["evaluate"], ["showcase"], ["train"])
HEAVY = ("av", "bpy", "drjit", "jinja2", "mitsuba", "OpenEXR", "OpenImageIO", "PIL", "pyarrow", "ray", "scipy", "smplx",
         "torch")


def help_text(arguments: list[str], capsys: pytest.CaptureFixture) -> str:
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_no_arguments_teach_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        main([])
    text = capsys.readouterr().out
    assert end.value.code == 0
    assert all(name in text for name in ("doctor", "render", "inspect", "validate", "assets", "--debug", "demo.yaml"))


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_help_explains_every_option(arguments, capsys):
    text = re.sub("[│─╭╮╰╯]", " ", help_text(arguments, capsys))
    description = text.partition("\n\n")[2].partition("positional arguments")[0].partition("options")[0]
    assert len(description.split()) >= 5, "a sentence that says what the command does"
    options = re.split(r"\n {1,3}(?=--?[a-z])", text)[1:]
    assert options
    for option in options:
        words = option.partition("(default")[0].split()
        assert len([word for word in words if re.fullmatch("[a-zA-Z',.;:()]{2,}", word)]) >= 2, f"unexplained: {option}"


def fails(arguments: list[str], capsys: pytest.CaptureFixture) -> str:
    """Run a command that must end with 2 and one line on stderr; returns the line."""
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("pixelcube: "), lines
    return lines[0]


@pytest.mark.parametrize(("text", "expected"), [
    ("clipz: 3", "unknown field 'clipz'; known fields: output, seed, clips"),
    ("clips: many", "field 'clips' is 'many'"),
    ("clips: 0", "field 'clips' is 0"),
    ("head: {family: alien}", "field 'head.family' is 'alien'"),
    ("- clips", "got list, expected a mapping"),
    ("clips: [1", "not valid YAML at line"),
    ("output: !!python/object/apply:os.system ['true']", "not valid YAML"),
])
def test_bad_job_is_one_line(tmp_path, capsys, text, expected):
    job = tmp_path / "job.yaml"
    job.write_text(text)
    assert f"{job}: {expected}" in fails(["render", str(job)], capsys)


@pytest.mark.parametrize("option", ["--workers", "--cpus-per-worker"])
def test_bad_option_is_one_line(option, capsys):
    assert "is 0, expected a number of at least 1" in fails(["render", option, "0"], capsys)


def test_missing_files_are_one_line(tmp_path, capsys):
    assert "no such job file" in fails(["render", str(tmp_path / "none.yaml")], capsys)
    assert "index.parquet" in fails(["inspect", str(tmp_path)], capsys)


def test_debug_adds_the_traceback(tmp_path, capsys):
    assert main(["inspect", str(tmp_path), "--debug"]) == 2
    error = capsys.readouterr().err
    assert "Traceback" in error and error.splitlines()[-1].startswith("pixelcube: ")


def test_unexpected_error_is_one_line_with_a_hint(monkeypatch, capsys):
    def broken(url):
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(validate, "main", broken)
    assert fails(["validate", "x"], capsys) == (
        "pixelcube: unexpected RuntimeError: first second (run with --debug for the traceback)")


def test_interrupt_ends_with_130(monkeypatch, capsys):
    def interrupted(url):
        raise KeyboardInterrupt

    monkeypatch.setattr(validate, "main", interrupted)
    assert main(["validate", "x"]) == 130
    assert capsys.readouterr().err == "pixelcube: interrupted\n"


@pytest.mark.parametrize("arguments", [["frobnicate"], ["assets", "list", "--split", "holdout"], ["inspect"]])
def test_wrong_command_line_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


def test_output_into_a_closed_pipe_is_quiet():
    command = f"{sys.executable} -m ray_jobs.cli.main assets list --source procedural --json | head -n 1"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert run.stdout.count("\n") == 1 and run.stderr == ""


@pytest.mark.parametrize("modules", ["synth, relight, assets", "ray_jobs.cli.main"])
def test_imports_stay_light(modules):
    """Names, not seconds: these are what makes an import slow, or fail where one of them is missing."""
    code = f"import sys, {modules}; print(*(name for name in {HEAVY} if name in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.split() == []
