import pytest

from pocketkit.graphs import CycleError, Graph


@pytest.fixture
def roads():
    graph = Graph([("a", "b", 4), ("a", "c", 1), ("c", "b", 2), ("b", "d", 5)])
    graph.add_node("z")
    return graph


def test_nodes_in_order(roads):
    assert roads.nodes() == ["a", "b", "c", "d", "z"]


def test_length_and_membership(roads):
    assert len(roads) == 5
    assert "a" in roads and "q" not in roads


def test_edges(roads):
    assert roads.edges() == [("a", "b", 4), ("a", "c", 1), ("b", "d", 5), ("c", "b", 2)]


def test_add_edge_default_weight():
    graph = Graph([("a", "b")])
    assert graph.weight("a", "b") == 1
    assert graph.weight("b", "a") is None


def test_add_edge_both():
    graph = Graph()
    graph.add_edge("a", "b", 3, both=True)
    assert graph.weight("a", "b") == graph.weight("b", "a") == 3


def test_add_edge_replaces():
    graph = Graph([("a", "b", 1), ("a", "b", 7)])
    assert graph.edges() == [("a", "b", 7)]


def test_add_edge_rejects_negative():
    graph = Graph()
    with pytest.raises(ValueError):
        graph.add_edge("a", "b", -1)
    graph.add_edge("a", "b", 0)
    assert graph.weight("a", "b") == 0


def test_add_node_twice_keeps_edges(roads):
    roads.add_node("a")
    assert roads.neighbours("a") == ["b", "c"]


def test_remove_edge(roads):
    assert roads.remove_edge("a", "b") is True
    assert roads.neighbours("a") == ["c"]


def test_remove_edge_missing(roads):
    assert roads.remove_edge("b", "a") is False
    assert roads.remove_edge("nobody", "a") is False


def test_remove_node(roads):
    roads.remove_node("b")
    assert roads.edges() == [("a", "c", 1)]
    assert "b" not in roads


def test_remove_node_missing(roads):
    with pytest.raises(KeyError):
        roads.remove_node("q")


def test_neighbours(roads):
    assert roads.neighbours("a") == ["b", "c"]
    assert roads.neighbours("z") == []


def test_weight_default(roads):
    assert roads.weight("a", "d", default=99) == 99
    assert roads.weight("q", "d", 3) == 3
    assert roads.weight("c", "b", 99) == 2


def test_in_degree(roads):
    assert roads.in_degree("b") == 2
    assert roads.in_degree("a") == 0


def test_reverse(roads):
    turned = roads.reverse()
    assert turned.weight("b", "a") == 4
    assert turned.weight("a", "b") is None
    assert len(turned) == 5


def test_reverse_twice(roads):
    assert sorted(roads.reverse().reverse().edges()) == sorted(roads.edges())


def test_reachable(roads):
    assert roads.reachable("a") == ["a", "b", "c", "d"]
    assert roads.reachable("z") == ["z"]


def test_reachable_limit(roads):
    assert roads.reachable("a", limit=1) == ["a", "b", "c"]
    assert roads.reachable("a", limit=0) == ["a"]


def test_reachable_in_cycle():
    graph = Graph([(1, 2), (2, 3), (3, 1)])
    assert graph.reachable(2) == [2, 3, 1]


def test_shortest_path(roads):
    assert roads.shortest_path("a", "b") == (3, ["a", "c", "b"])


def test_shortest_path_longer(roads):
    assert roads.shortest_path("a", "d") == (8, ["a", "c", "b", "d"])


def test_shortest_path_none(roads):
    assert roads.shortest_path("d", "a") is None
    assert roads.shortest_path("a", "z") is None


def test_shortest_path_to_itself(roads):
    assert roads.shortest_path("a", "a") == (0, ["a"])


def test_shortest_path_in_cycle():
    graph = Graph([(1, 2, 1), (2, 1, 1), (2, 3, 1), (1, 3, 5)])
    assert graph.shortest_path(1, 3) == (2, [1, 2, 3])


def test_shortest_path_prefers_direct():
    graph = Graph([("s", "t", 2), ("s", "m", 1), ("m", "t", 3)])
    assert graph.shortest_path("s", "t") == (2, ["s", "t"])


def test_topological_order(roads):
    assert roads.topological_order() == ["a", "z", "c", "b", "d"]


def test_topological_order_respects_edges():
    graph = Graph([(5, 2), (5, 0), (4, 0), (4, 1), (2, 3), (3, 1)])
    order = graph.topological_order()
    assert all(order.index(source) < order.index(target) for source, target, _ in graph.edges())


def test_topological_order_rejects_cycle():
    with pytest.raises(CycleError):
        Graph([(1, 2), (2, 1)]).topological_order()


def test_topological_order_empty():
    assert Graph().topological_order() == []


def test_has_cycle():
    assert Graph([(1, 2), (2, 3), (3, 1)]).has_cycle() is True
    assert Graph([(1, 2), (2, 3)]).has_cycle() is False


def test_has_cycle_self_loop():
    assert Graph([(1, 1)]).has_cycle()


def test_has_cycle_beside_tree():
    assert Graph([(0, 9), (1, 2), (2, 1)]).has_cycle()


def test_components(roads):
    assert roads.components() == [["a", "b", "c", "d"], ["z"]]


def test_components_ignore_direction():
    assert Graph([(2, 1), (3, 1), (5, 4)]).components() == [[1, 2, 3], [4, 5]]


def test_components_empty():
    assert Graph().components() == []
