from hypothesis import given
from hypothesis import strategies as st

from constrictor.study.lineage import all_nodes, ancestry, parent_of, steps_of

STEPS = st.lists(st.sampled_from(["teacher", "kd", "mag40", "int8"]), min_size=1, max_size=6)
LINEAGE = STEPS.map("/".join)


@given(STEPS)
def test_steps_are_the_parts_of_the_path(steps):
    assert steps_of("/".join(steps)) == steps


@given(LINEAGE)
def test_ancestry_is_the_chain_of_parents(lineage):
    chain = [lineage]
    while (parent := parent_of(chain[-1])) is not None:
        chain.append(parent)
    assert ancestry(lineage) == chain[::-1]
    assert len(chain) == len(steps_of(lineage))


@given(st.lists(LINEAGE, max_size=6))
def test_all_nodes_are_unique_complete_and_parents_come_first(lineages):
    nodes = all_nodes(lineages)
    assert len(nodes) == len(set(nodes))
    assert set(nodes) == {node for lineage in lineages for node in ancestry(lineage)}
    for position, node in enumerate(nodes):
        parent = parent_of(node)
        assert parent is None or parent in nodes[:position]
