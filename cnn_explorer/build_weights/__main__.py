"""`python -m cnn_explorer.build_weights [lecture | presets | shared] …`: train weights that come with the package."""

import sys
from collections.abc import Sequence

from cnn_explorer.build_weights.lecture import main as lecture
from cnn_explorer.build_weights.lecture import options_of
from cnn_explorer.build_weights.presets import run as presets
from cnn_explorer.build_weights.shared import run as shared

OTHERS = {"presets": presets, "shared": shared}


def main(arguments: Sequence[str]) -> None:
    """The first word names the weights to train; the default is the lecture's network."""
    if arguments and arguments[0] in OTHERS:
        OTHERS[arguments[0]](options_of(arguments[1:], arguments[0]))
    else:
        lecture(arguments[1:] if arguments[:1] == ["lecture"] else arguments)


main(sys.argv[1:])
