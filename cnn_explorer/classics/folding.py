"""A graph folded for a drawing: stages of blocks of layers, with branches and joins. Equal blocks are drawn once.

torchvision's modules say what belongs together. Where they do not, as in VGG's one long list, the stages follow the
resolution: a pooling ends a stage, and a block that strides begins one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import groupby

from cnn_explorer.classics.graph import Graph, Node
from cnn_explorer.text import quoted

CONVOLUTIONS = ("BasicConv2d", "Conv2dNormActivation")  # modules of a convolution, its norm and its activation
STAGES = ("Sequential", "_DenseBlock", "_Transition")  # modules at the top that are stages of their own
SOURCE = -1  # stands for all that lies outside of a group


@dataclass(frozen=True)
class Step:
    """A layer, or a group of layers with its parts `inside`. `nodes` are places in the graph.

    `id` is the path in the drawing, `title` its last part, `kind` the class in torch or torchvision, or Stage. A step
    with a `count` stands for so many equal ones in a row: `nodes` are of all of them, `inside` is the first one.
    """

    id: str
    title: str
    kind: str
    nodes: tuple[int, ...]
    inside: tuple[Part, ...] = ()
    count: int = 1


@dataclass(frozen=True)
class Fork:
    """Branches that read the same input. An empty one hands the input on unchanged. The next step joins them."""

    branches: tuple[tuple[Part, ...], ...]


@dataclass(frozen=True)
class Dense:
    """Steps that each read the input and the outputs of all steps before. The next step joins them all."""

    steps: tuple[Step, ...]


Part = Step | Fork | Dense


@dataclass
class _Group:
    """A module, or a layer without `members`, at one place of the hierarchy."""

    name: str
    kind: str
    nodes: list[int]
    members: list[_Group] = field(default_factory=list)


def fold(graph: Graph) -> tuple[Part, ...]:
    """The whole network, stage by stage."""
    groups = _modules(graph, range(len(graph.nodes)), 0)
    return _parts(graph, _stages(graph, groups), "")


def find(parts: Sequence[Part], id: str) -> list[Step]:
    """The steps from the top down to the one with this `id`; none for "". Raises `ValueError` if there is none."""
    found: list[Step] = []
    while id and not (found and found[-1].id == id):
        inside: Sequence[Part] = found[-1].inside if found else parts
        step = next((one for one in steps_of(inside) if one.id == id or id.startswith(f"{one.id}.")), None)
        if step is None:
            raise ValueError(f"this network has no part named {quoted(id)}")
        found.append(step)
    return found


def steps_of(parts: Sequence[Part]) -> Iterator[Step]:
    """The steps of one level, those in branches included, in the order of the computation."""
    for part in parts:
        if isinstance(part, Step):
            yield part
        elif isinstance(part, Dense):
            yield from part.steps
        else:
            for branch in part.branches:
                yield from steps_of(branch)


def layers(parts: Sequence[Part]) -> Iterator[Step]:
    """All layers that are drawn, in the order of the computation; of equal blocks those of the first."""
    for step in steps_of(parts):
        if step.inside:
            yield from layers(step.inside)
        else:
            yield step


# --- what belongs together ---


def _modules(graph: Graph, nodes: Sequence[int], depth: int) -> list[_Group]:
    """The modules at one depth. Plain lists of modules (`Sequential`) inside of blocks are not drawn."""
    groups: list[_Group] = []
    for _, members in groupby(nodes, lambda place: graph.nodes[place].path[: depth + 1]):
        places = list(members)
        node = graph.nodes[places[0]]
        if len(node.path) == depth + 1:
            groups.append(_Group(".".join(node.path[_named_from(node, depth) :]), node.kind, places))
            continue
        inside = _modules(graph, places, depth + 1)
        if _is_drawn(node, depth):
            groups.append(
                _Group(".".join(node.path[_named_from(node, depth) : depth + 1]), node.types[depth], places, inside)
            )
        else:
            groups += inside
    return groups


def _is_drawn(node: Node, depth: int) -> bool:
    if node.types[depth] != "Sequential":
        return True
    return depth == 0 and node.path[0] not in ("features", "classifier")


def _named_from(node: Node, depth: int) -> int:
    """Where in its path a part's name begins: behind the nearest module that is drawn."""
    above = [level for level in range(depth) if _is_drawn(node, level)]
    start = above[-1] + 1 if above else 0
    return start + 1 if not above and node.path[0] == "features" and depth > 0 else start


def _stages(graph: Graph, groups: list[_Group]) -> list[_Group]:
    """The groups at the top, put together as input, stem, stages and head."""
    entry, *body = groups
    blocks = [place for place, group in enumerate(body) if _is_block(group)]
    end = next(
        place for place, group in enumerate(body) if group.kind == "AdaptiveAvgPool2d" or _is_classifier(graph, group)
    )
    start = 0
    if blocks:
        start, end = blocks[0], min(end, _end_of_blocks(body, blocks[-1]))
    head = _Group("head", "Stage", _all_nodes(body[end:]), body[end:])
    stem = [_Group("stem", "Stage", _all_nodes(body[:start]), body[:start])] if start else []
    return [entry, *stem, *_numbered(_by_resolution(graph, body[start:end])), head]


def _is_block(group: _Group) -> bool:
    return bool(group.members) and group.kind not in CONVOLUTIONS


def _is_classifier(graph: Graph, group: _Group) -> bool:
    return graph.nodes[group.nodes[0]].path[0] == "classifier"


def _end_of_blocks(body: Sequence[_Group], last: int) -> int:
    """Behind the last block, and behind a pooling right after it."""
    after = last + 1
    return after + 1 if after < len(body) and body[after].kind == "MaxPool2d" else after


def _by_resolution(graph: Graph, groups: Sequence[_Group]) -> Iterator[list[_Group]]:
    stage: list[_Group] = []
    for group in groups:
        alone = group.kind in STAGES
        if stage and (alone or (group.members and _strides(graph, group))):
            yield stage
            stage = []
        stage.append(group)
        if alone or group.kind == "MaxPool2d":
            yield stage
            stage = []
    if stage:
        yield stage


def _strides(graph: Graph, group: _Group) -> bool:
    windows = [graph.nodes[place].window for place in group.nodes]
    return any(window is not None and window.stride != (1, 1) for window in windows)


def _numbered(stages: Iterator[list[_Group]]) -> Iterator[_Group]:
    for number, stage in enumerate(stages, start=1):
        if len(stage) == 1 and stage[0].kind in STAGES:
            yield stage[0]
        else:
            yield _Group(f"stage{number}", "Stage", _all_nodes(stage), stage)


def _all_nodes(groups: Sequence[_Group]) -> list[int]:
    return [place for group in groups for place in group.nodes]


# --- branches and joins ---


def _parts(graph: Graph, groups: Sequence[_Group], above: str) -> tuple[Part, ...]:
    """The groups of one level in the order of the computation, with their branches."""
    owner = {place: number for number, group in enumerate(groups) for place in group.nodes}
    reads = [
        {owner.get(source, SOURCE) for place in group.nodes for source in graph.nodes[place].inputs} - {number}
        for number, group in enumerate(groups)
    ]
    steps = [_step(graph, group, above) for group in groups]
    return _arrange(graph, steps, range(len(groups)), reads)


def _step(graph: Graph, group: _Group, above: str) -> Step:
    id = f"{above}.{group.name}" if above else group.name
    return Step(id, group.name, group.kind, tuple(group.nodes), _parts(graph, group.members, id))


def _arrange(graph: Graph, steps: Sequence[Step], chosen: Sequence[int], reads: Sequence[Set[int]]) -> tuple[Part, ...]:
    """Some steps of a level in a row. Whatever lies between two steps that all data passes is a fork."""
    parts: list[Part] = []
    before, start = SOURCE, 0
    for at, number in enumerate(chosen):
        inner = {SOURCE, *chosen[:at]}
        if any(reads[later] & inner for later in chosen[at + 1 :]):
            continue  # something passes by this step
        between = chosen[start:at]
        parts += _between(graph, steps, between, reads, shortcut=not between or _reads(reads[number], before, chosen))
        parts.append(steps[number])
        before, start = number, at + 1
    return tuple(_merged(graph, parts))


def _reads(sources: Set[int], before: int, chosen: Sequence[int]) -> bool:
    return before in sources if before != SOURCE else any(source not in chosen for source in sources)


def _between(
    graph: Graph, steps: Sequence[Step], between: Sequence[int], reads: Sequence[Set[int]], shortcut: bool
) -> list[Part]:
    if not between:
        return []
    branches = _connected(between, reads)
    if len(branches) == 1 and _is_dense(branches[0], reads):
        first, *others = [steps[number] for number in branches[0]]
        return [Dense((first, *_alike(graph, others)))]
    arranged = [_arrange(graph, steps, branch, reads) for branch in branches]
    return [Fork((*arranged, *([()] if shortcut else [])))]


def _connected(chosen: Sequence[int], reads: Sequence[Set[int]]) -> list[list[int]]:
    """The steps, apart where no data passes between them."""
    branches: list[list[int]] = []
    for number in chosen:
        joined = [branch for branch in branches if reads[number] & set(branch)]
        for branch in joined:
            branches.remove(branch)
        branches.append(sorted([*(one for branch in joined for one in branch), number]))
    return sorted(branches)


def _is_dense(chosen: Sequence[int], reads: Sequence[Set[int]]) -> bool:
    return len(chosen) > 2 and all(set(chosen[:at]) <= reads[number] for at, number in enumerate(chosen))


# --- equal blocks ---


def _merged(graph: Graph, parts: Sequence[Part]) -> Iterator[Part]:
    """Equal blocks in a row as one step with their count."""
    for key, group in groupby(parts, lambda part: _signature(graph, part)):
        members = list(group)
        if key is None:
            yield from members
        else:
            yield _together([part for part in members if isinstance(part, Step)])


def _signature(graph: Graph, part: Part) -> object:
    """Equal for blocks with equal layers, equally connected; None for what is never merged."""
    if not isinstance(part, Step) or not part.inside:
        return None
    first = part.nodes[0]
    return tuple(
        (node.kind, node.window, node.channels, node.groups, [max(source - first, SOURCE) for source in node.inputs])
        for node in (graph.nodes[place] for place in part.nodes)
    )


def _alike(graph: Graph, steps: Sequence[Step]) -> Iterator[Step]:
    """The steps of a dense block: equal but for the number of channels that come in."""

    def made(step: Step) -> object:
        nodes = [graph.nodes[place] for place in step.nodes]
        return [(node.kind, node.window, node.channels[1] if node.channels else 0) for node in nodes]

    for _, group in groupby(steps, made):
        yield _together(list(group))


def _together(steps: Sequence[Step]) -> Step:
    nodes = tuple(place for step in steps for place in step.nodes)
    title = steps[0].title if len(steps) == 1 else f"{steps[0].title} … {steps[-1].title}"
    return replace(steps[0], title=title, nodes=nodes, count=len(steps))
