"""Products and sums along axes."""
from case import Case, family
from draw import FLOATS, INTEGERS

EQUATIONS = ["ij,jk->ik", "bij,bjk->bik", "ij->ji", "ij->i", "ij->", "i,j->ij", "bij,bkj->bik", "ij,ij->", "abc,cd->abd",
             "bhqd,bhkd->bhqk", "ij,ij->ij", "abc->cab", "ij,kj,kl->il", "...ij,...jk->...ik", "i,i->", "abcd,cd->ab", "ij,j",
             "ba", "bi,bj->bij", "ii->i", "ii->", "ij,jk,kl->il"]


@family
def matmul(draw):
    batch = draw.shape(0, 2)
    shared = draw.chance(0.6)
    first, second = (batch if shared else draw.broadcast(batch) for _ in range(2))
    n, k, m = draw.shape(3, 3)
    a = {"ta": draw.chance(0.3), "tb": draw.chance(0.3)}
    dtype = draw.pick(FLOATS + FLOATS + INTEGERS)
    return Case("matmul", [draw.array(dtype, first + ([k, n] if a["ta"] else [n, k])),
                           draw.array(dtype, second + ([m, k] if a["tb"] else [k, m]))], a)


@family
def einsum(draw):
    equation = draw.pick(EQUATIONS)
    sizes = {letter: draw.integer(1, 4) for letter in "abcdhijklmq"}
    if draw.chance(0.05):
        sizes[draw.pick("ijk")] = 0
    rest = draw.shape(0, 2, empty=0)
    dtype = draw.pick(FLOATS)
    arrays = []
    for term in equation.split("->")[0].split(","):
        shape = rest if term.startswith("...") else []
        arrays.append(draw.array(dtype, shape + [sizes[letter] for letter in term.replace("...", "")]))
    return Case("einsum", arrays, {"equation": equation})


@family
def tensordot(draw):
    dtype = draw.pick(FLOATS)
    first = draw.shape(1, 4)
    count = draw.integer(0, len(first))
    rest = draw.shape(0, 2)
    if draw.chance(0.5):
        return Case("tensordot", [draw.array(dtype, first), draw.array(dtype, first[len(first) - count:] + rest)], {"axes": count})
    axes = draw.permutation(len(first))[:count]
    sizes = [first[axis] for axis in axes] + rest
    order = draw.permutation(len(sizes))
    second = [sizes[i] for i in order]
    others = [order.index(i) for i in range(count)]
    if draw.chance(0.4):
        axes, others = [i - len(first) for i in axes], [i - len(second) for i in others]
    return Case("tensordot_lists", [draw.array(dtype, first), draw.array(dtype, second)], {"axes": [axes, others]})


@family
def cumulative(draw):
    dtype = draw.pick(FLOATS + INTEGERS)
    shape = draw.shape(1)
    # Of "notable" numbers 1e18 and -1e18 would cancel, by an order that each library chooses.
    kind = draw.pick(["normal", "whole", "large"]) if dtype in FLOATS else "normal"
    return Case(draw.pick(["cumsum", "cumprod"]), [draw.array(dtype, shape, kind)], {"axis": draw.axis(len(shape))}, kind=kind)
