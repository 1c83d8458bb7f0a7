"""Which network, with how large an input; the way from the lecture's network to these; all of them side by side."""

from __future__ import annotations

import streamlit as st

from cnn_explorer.classics.catalogue import FAMILIES, NETWORKS, SIZES, family_of, network_named
from cnn_explorer.classics.graph import GraphShapes
from cnn_explorer.classics.wording import compact
from cnn_explorer.ui.boundary import careful
from cnn_explorer.ui.classics import kept, state
from cnn_explorer.ui.controlled import chosen, controlled
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.widgets import NUMBER_WIDTH, show_notices

LECTURE = (
    "The lecture's network has two convolutions, two poolings and a linear layer. The networks below are made of the "
    "same parts. What each family added:"
)

HEADS = ("network", "year", "right at once", "parameters", "multiply-adds", "file")
ALIGNED = (":---", "---:", "---:", "---:", "---:", "---:")


def header() -> None:
    """Title, the choice of a network, the size of its input."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("## Classic networks", width="content")
        st.selectbox(
            "Network",
            label_visibility="collapsed",
            width=250,
            format_func=lambda name: f"{NETWORKS[name].title} · {family_of(name).year}",
            **chosen("classic_network", state.network(), list(NETWORKS), state.show),
        )
        st.number_input(
            "Input, pixels a side",
            *SIZES,
            width=NUMBER_WIDTH + 20,
            **controlled("classic_size", state.size(), state.show_size),
        )
    st.caption(plain(family_of(state.network()).added))


def totals(network: kept.Folded, shapes: GraphShapes) -> None:
    """What the whole network has and costs, whether the input is large enough, and what the address asked in vain."""
    show_notices(state.ADDRESS.notices())
    graph, name = network.graph, state.network()
    parts = [
        f"**{NETWORKS[name].title}**",
        f"{graph.parameters:,} parameters",
        f"{compact(shapes.macs)} multiply-adds for a picture of {state.size()} × {state.size()}",
    ]
    if graph.training_only:
        parts.append(f"{graph.training_only:,} of the parameters belong to a second classifier for the training only")
    st.markdown(" · ".join(parts))
    if not shapes.error:
        st.empty()
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/construction: A picture of {state.size()} × {state.size()} pixels is too small. {shapes.error} "
            f"The smallest that fits is {network.smallest} × {network.smallest}.",
            width="stretch",
        )
        usual = network_named(name).size
        for size in dict.fromkeys((network.smallest, usual)):
            st.button(f"{size} × {size}", key=f"classic_repair_{size}", on_click=careful(state.show_size), args=(size,))


def lineage() -> None:
    """What each family added to the one before, with a button that opens a block that shows it."""
    with st.expander("From the lecture's network to these"):
        st.markdown(LECTURE)
        for family in FAMILIES:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{family.year} · {family.title}.** {plain(family.added)}", width="stretch")
                st.button(
                    f"See it in {NETWORKS[family.shown].title}",
                    key=f"classic_family_{family.title}",
                    on_click=careful(state.show),
                    args=(family.shown, family.block),
                )


def comparison() -> None:
    """All networks as a chart, and as a table that can be sorted."""
    from cnn_explorer import figures

    with st.expander("All networks side by side", expanded=bool(state.sort())):
        facts = kept.facts()
        years = {name: family_of(name).year for name in NETWORKS}
        series = {f"{family.year} {family.title}": [facts[one.name] for one in family.networks] for family in FAMILIES}
        titles = {name: network.title for name, network in NETWORKS.items()}
        st.plotly_chart(figures.networks(series, titles), config=figures.CONFIG, key="classic_chart")
        _order()
        column = state.sort()
        shown = list(facts.values())
        if column:
            shown.sort(key=lambda one: float(getattr(one, column)), reverse=column == "accuracy")
        rows = [
            (
                titles[one.name],
                str(years[one.name]),
                f"{100 * one.accuracy:.1f}\N{NO-BREAK SPACE}%",
                f"{one.parameters:,}",
                f"{one.macs / 1e6:,.0f}\N{NO-BREAK SPACE}M",
                f"{one.megabytes:,.1f}\N{NO-BREAK SPACE}MB",
            )
            for one in shown
        ]
        st.markdown("\n".join(f"| {' | '.join(row)} |" for row in (HEADS, ALIGNED, *rows)))
        st.caption(
            "By torchvision, of its first weights for each network, and by the authors of EfficientNet-Lite0. “Right "
            "at once” says how often the best of 1,000 answers is right on ImageNet's 50,000 validation pictures. A "
            "multiply-add counts as one."
        )


def _order() -> None:
    """What the table is sorted by. The widget is not one of those that listen to the page above."""
    key = "classic_sort"
    if st.session_state.get(key) != state.sort():
        st.session_state[key] = state.sort()
    names = {
        "": "by year",
        "accuracy": "by accuracy, the best first",
        "parameters": "by parameters, the fewest first",
        "macs": "by multiply-adds, the fewest first",
        "megabytes": "by size of the file, the smallest first",
    }

    def change() -> None:
        state.show_sort(st.session_state[key])

    st.selectbox(
        "Order of the table",
        list(names),
        key=key,
        format_func=names.__getitem__,
        label_visibility="collapsed",
        width=320,
        on_change=careful(change),
    )
