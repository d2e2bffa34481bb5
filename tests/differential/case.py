"""Configurations of operators: what a family draws, and what the driver and the comparer get of it."""
import dataclasses
import typing

import numpy as np


@dataclasses.dataclass
class Node:
    operator: str
    inputs: list
    attributes: dict


@dataclasses.dataclass
class Case:
    """One operator on arrays, or a graph of several."""
    operator: str
    arrays: list
    attributes: dict = dataclasses.field(default_factory=dict)
    nodes: typing.Optional[list] = None   # of a graph
    outputs: typing.Optional[list] = None
    dynamic: float = 0.3                  # how probable it is that a dimension is dynamic
    constants: typing.Optional[list] = None  # whether each array is a constant; drawn if None
    gradient: bool = True
    export: bool = True
    in_float64: bool = False              # whether TensorFlow computes in float64 what Belfry does in float32
    slack: float = 0                      # what float32 loses whatever the formula, of numbers around 1
    kind: str = ""                        # of the values


FAMILIES = {}


def family(draw):
    """Makes a function of a Draw to a Case, or to None where it drew nothing that makes sense, a family."""
    FAMILIES[draw.__name__] = draw
    return draw


def describe_inputs(case, draw):
    inputs = []
    for i, array in enumerate(case.arrays):
        constant = draw.chance(0.08) if case.constants is None else case.constants[i]
        may_be_dynamic = not constant and draw.chance(0.7)
        inputs.append({
            "constant": bool(constant),
            "dynamic": [d for d in range(array.ndim) if may_be_dynamic and draw.chance(case.dynamic)],
            "differentiated": bool(case.gradient and not constant and array.dtype.kind == "f"),
            "dtype": str(array.dtype),
            "shape": list(array.shape),
        })
    return inputs


def spec_of(case, identity, draw):
    inputs = describe_inputs(case, draw)
    return {
        "id": identity, "runner": "operators", "operator": case.operator, "inputs": inputs, "kind": case.kind,
        "nodes": [dataclasses.asdict(node) for node in nodes_of(case)],
        "outputs": case.outputs, "export": case.export, "slack": case.slack,
        "gradient": any(i["differentiated"] for i in inputs),
        "compile_gradient": draw.chance(0.15), "saved_model": draw.chance(0.06), "graph_file": draw.chance(0.1),
        "reimport": draw.chance(0.3),
    }


def nodes_of(case):
    if case.nodes is not None:
        return case.nodes
    return [Node(case.operator, list(range(len(case.arrays))), case.attributes)]


def weights_of(outputs, draw):
    """The numbers by which a scalar is made of the outputs that can be differentiated."""
    return {k: np.asarray(draw.numbers.normal(size=o.shape)).astype(o.dtype) for k, o in enumerate(outputs) if o.dtype in (np.float32, np.float64)}
