"""The script of a run is run as it is, in a process of its own and away from the package; the truth
is the run itself.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from full_data import mnist_folder
from hypothesis import given
from programs import Program, start
from strategies import networks
from torch import nn

from cnn_explorer.digits.data import FOLDER_VARIABLE, bundled_digits, more_digits
from cnn_explorer.spec.network import LECTURE, NetworkSpec, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.training import script
from cnn_explorer.training.files import read_weights
from cnn_explorer.training.recipe import RunRecipe, digits_for, recipes_for
from cnn_explorer.training.run import Run
from cnn_explorer.training.script import training_script
from cnn_explorer.weights.builder import Normalize

EVERYTHING = parse("conv4k5s3-bn-relu-drop20-fc16-tanh-drop30-fc10")
RUNS = {
    "everything": (
        EVERYTHING,
        RunRecipe("bundled", "adam", 0.01, schedule="onecycle", augment=True, batch_size=128, epochs=2, seed=3),
    ),
    "the lecture": (LECTURE, RunRecipe("bundled", "sgd", 0.05, 0.5, batch_size=64, epochs=1)),
    "full MNIST": (parse("fc10"), RunRecipe("mnist", "sgd", 0.01, batch_size=500, epochs=1, seed=7)),
}


# Runs the script in each folder beside the others. All of them import torchvision, which takes a second.
PROGRAM = """
import gc, os, signal, sys
import torchvision
gc.freeze()
folders = {}
for folder in sys.argv[1:]:
    child = os.fork()
    if not child:
        signal.alarm(100)
        os.chdir(folder)
        for number, name in enumerate(("stdout", "stderr"), start=1):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
        with open("script.py") as file:
            program = compile(file.read(), "script.py", "exec")
        exec(program, {"__name__": "__main__"})
        break  # and shut down
    folders[child] = folder
else:
    for _ in folders:
        child, status = os.wait()
        with open(os.path.join(folders[child], "status"), "w") as file:
            file.write(str(os.waitstatus_to_exitcode(status)))
    os._exit(0)
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Path], Program]:
    """All scripts, each in a folder of its own, and what runs them beside the tests."""
    folders = {}
    for name, (spec, recipe) in RUNS.items():
        folders[name] = tmp_path_factory.mktemp("script")
        (folders[name] / "script.py").write_text(training_script(spec, recipe))
    environment = {FOLDER_VARIABLE: str(mnist_folder()), "PYTHONPATH": ""}
    return folders, start(PROGRAM, *folders.values(), environment=environment, seconds=120, shutdown=True)


@pytest.mark.full_mnist
@pytest.mark.parametrize("name", RUNS)
def test_the_script_runs_as_it_is_and_is_the_same_run(
    name: str, programs: tuple[dict[str, Path], Program], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(FOLDER_VARIABLE, str(mnist_folder()))
    spec, recipe = RUNS[name]
    run = Run(spec, recipe)
    while not run.finished:
        run.advance()
    folders, program = programs
    program.wait()
    status, stdout, stderr = ((folders[name] / part).read_text() for part in ("status", "stdout", "stderr"))
    assert (status, stderr) == ("0", "")
    ends = [point for point in run.points if point.batch and point.batch % run.batches_per_epoch == 0]
    assert re.findall(
        r"epoch (\d+) of (\d+): loss \d\.\d{4}, right on ([\d.]+) % of ([\d,]+) test digits\n", stdout
    ) == [
        (f"{number}", f"{recipe.epochs}", f"{100 * point.accuracy:.2f}", f"{point.measured:,}")
        for number, point in enumerate(ends, start=1)
    ]
    assert len(stdout.splitlines()) == recipe.epochs
    read = read_weights((folders[name] / "weights.safetensors").read_bytes(), run.shapes).module
    ours = run.network()[1].state_dict()
    assert [*read.state_dict()] == [*ours]
    assert all(torch.equal(tensor, ours[name]) for name, tensor in read.state_dict().items())


def test_the_numbers_of_digits_are_true():
    assert script.COUNTS["bundled"] == (len(more_digits()), len(bundled_digits()))


@pytest.mark.full_mnist
def test_the_numbers_of_digits_of_full_mnist_are_true(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(mnist_folder()))
    assert script.COUNTS["mnist"] == tuple(map(len, digits_for("mnist")))


def test_a_script_holds_what_its_run_needs_and_no_more():
    whole = training_script(*RUNS["everything"])
    assert all(part in whole for part in ("def slant(", "def schedule(", "class SeededDropout(", "torch.optim.Adam("))
    lecture = training_script(LECTURE, recipes_for("mnist")["the lecture's recipe"])
    assert not any(part in lecture for part in ("slant", "schedule", "Dropout", "\nSIZE =", "Adam"))
    assert "momentum" not in training_script(LECTURE, RunRecipe("mnist", "sgd", 0.01))
    assert "lr=LEARNING_RATE, momentum=0.5)" in lecture
    assert str(LECTURE) in lecture
    assert "mnist-sgd0.01m0.5-b64-e10-s0" in lecture
    assert all("cnn_explorer" not in text for text in (whole, lecture))


@pytest.mark.parametrize(
    ("spec", "recipe"),
    [
        *RUNS.values(),
        *((LECTURE, recipe) for data in ("bundled", "mnist") for recipe in recipes_for(data).values()),
        (
            parse("conv64k5p2-relu-conv64k5p2-relu-fc10"),
            RunRecipe("mnist", batch_size=8),
        ),  # tested on some of the digits only
    ],
    ids=str,
)
def test_a_script_is_as_tidy_as_this_project(spec: NetworkSpec, recipe: RunRecipe):
    text = training_script(spec, recipe)
    ruff = [sys.executable, "-m", "ruff"]
    options = ["--line-length=140", "--isolated", "-"]
    checked = subprocess.run(
        [*ruff, "check", "--select=E,F,W,I,UP,B,SIM", *options], input=text, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
    formatted = subprocess.run(
        [*ruff, "format", *options], input=text, capture_output=True, text=True, check=True
    ).stdout
    assert formatted == text


def test_a_costly_network_is_tested_on_as_many_digits_as_in_the_run():
    spec, recipe = parse("conv64k5p2-relu-conv64k5p2-relu-fc10"), RunRecipe("bundled", batch_size=8)
    cut = re.search(r"test_images\[:(\d+)\], test_labels\[:(\d+)\]", training_script(spec, recipe))
    assert cut
    assert cut[1] == cut[2]
    assert 100 <= int(cut[1]) < 1000


@given(networks())
def test_every_layer_is_written_as_it_is_built(spec: NetworkSpec):
    for layer in infer_shapes(spec).layers:
        with torch.device("meta"):
            module = layer.spec.build(layer.input_shape)
            made = eval(
                script._call(module),
                {"nn": nn, "SeededDropout": lambda p, generator: nn.Dropout(p), "dropout_generator": None},
            )
        assert repr(made) == repr(module)
    assert script._call(Normalize()) == "Normalize()"


@pytest.mark.parametrize("architecture", ["conv10k5-relu", "relu", "conv4k9-conv4k9-conv4k9-conv4k9-fc10", "fc11"])
def test_a_network_that_cannot_be_trained_has_no_script(architecture: str):
    with pytest.raises(ValueError, match=r"^This network .*\.$"):
        training_script(parse(architecture), RunRecipe())
