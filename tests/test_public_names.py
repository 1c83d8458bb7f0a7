"""What `import cnn_explorer` promises: the names, and that nothing heavy is loaded before it is needed."""

import pkgutil
import subprocess
import sys

import pytest
from programs import run

import cnn_explorer

MODULES = [  # of the library: the pages and what draws figures are left out
    module.name
    for module in pkgutil.walk_packages(cnn_explorer.__path__, "cnn_explorer.")
    if not module.name.startswith(("cnn_explorer.ui", "cnn_explorer.figures")) and not module.name.endswith("__main__")
]


LIGHT = [
    "import cnn_explorer",
    "from cnn_explorer import LECTURE, infer_shapes, parse; infer_shapes(parse(str(LECTURE)))",
    "from cnn_explorer.spec import blocks; blocks.split(blocks.NetworkSpec((blocks.LinearSpec(10),)))",
    "from cnn_explorer.training.recipe import parse_recipe; parse_recipe('mnist-sgd0.01m0.5-b64-e10-s0')",
    "import cnn_explorer.spec.cost",
    "from cnn_explorer.digits.drawing import parse_drawing; parse_drawing('d3').preprocess().pixels; "
    "parse_drawing('sAgQE').preprocess()",
    "from PIL import Image; from cnn_explorer.digits.preprocessing import preprocess_picture; "
    "preprocess_picture(Image.new('L', (9, 9)))",
]


@pytest.mark.parametrize("name", cnn_explorer.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(cnn_explorer, name)
    assert name in dir(cnn_explorer)
    assert (value if callable(value) else type(value)).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'cnn_explorer' has no attribute 'nothing'"):
        cnn_explorer.nothing  # noqa: B018


def test_pytorch_is_not_loaded_for_specs_shapes_and_drawings() -> None:
    """In one interpreter: after each of the lines."""
    program = ["import sys", *(f"{code}\nprint(*{{'torch', 'streamlit'}} & sys.modules.keys(), '.')" for code in LIGHT)]
    done = subprocess.run([sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["."] * len(LIGHT)


def test_the_library_does_not_load_streamlit() -> None:
    loaded = run(
        "; ".join(["import sys", *(f"import {module}" for module in MODULES)])
        + "\nprint(*{'streamlit', 'plotly', 'matplotlib'} & sys.modules.keys(), '.')"
    )
    assert loaded.stdout == ".\n"


def test_the_example_of_the_docstring_runs() -> None:
    code = [line.strip() for line in (cnn_explorer.__doc__ or "").splitlines() if line.startswith("    ")]
    assert code
    run("\n".join(code))


def test_pandas_is_there_before_any_figure_is_made() -> None:
    """While Streamlit imported it in one visitor's thread, Plotly failed in another's."""
    ended = run("import sys, cnn_explorer.ui.train.live; print(hasattr(sys.modules['pandas'], 'Series'))")
    assert ended.stdout == "True\n"
