"""A small directed graph with weights."""

import heapq


class CycleError(ValueError):
    """The graph has a cycle where none is allowed."""


class Graph:
    """Nodes and weighted, directed edges, in order of insertion."""

    def __init__(self, edges=()):
        self._next = {}
        for edge in edges:
            self.add_edge(*edge)

    def __contains__(self, node):
        return node in self._next

    def __len__(self):
        return len(self._next)

    def add_node(self, node):
        """Add a node, if it is not there yet."""
        self._next.setdefault(node, {})

    def add_edge(self, source, target, weight=1, both=False):
        """Add or replace an edge, in both directions if asked."""
        if weight < 0:
            raise ValueError("weights cannot be negative")
        self.add_node(source)
        self.add_node(target)
        self._next[source][target] = weight
        if both:
            self._next[target][source] = weight

    def remove_edge(self, source, target):
        """Remove an edge; True if there was one."""
        if source not in self._next or target not in self._next[source]:
            return False
        del self._next[source][target]
        return True

    def remove_node(self, node):
        """Remove a node and all its edges."""
        if node not in self._next:
            raise KeyError(node)
        del self._next[node]
        for targets in self._next.values():
            targets.pop(node, None)

    def nodes(self):
        """All nodes."""
        return list(self._next)

    def edges(self):
        """All edges as (source, target, weight)."""
        return [
            (source, target, weight)
            for source, targets in self._next.items()
            for target, weight in targets.items()
        ]

    def neighbours(self, node):
        """Nodes an edge leads to."""
        return list(self._next[node])

    def weight(self, source, target, default=None):
        """Weight of an edge, or the default."""
        return self._next.get(source, {}).get(target, default)

    def in_degree(self, node):
        """Number of edges that lead to a node."""
        return sum(1 for targets in self._next.values() if node in targets)

    def reverse(self):
        """The graph with every edge turned round."""
        turned = Graph()
        for node in self._next:
            turned.add_node(node)
        for source, target, weight in self.edges():
            turned.add_edge(target, source, weight)
        return turned

    def reachable(self, start, limit=None):
        """Nodes within `limit` steps of a node (itself included), nearest first."""
        seen = {start: 0}
        queue = [start]
        for node in queue:
            if limit is not None and seen[node] >= limit:
                continue
            for target in self._next.get(node, {}):
                if target not in seen:
                    seen[target] = seen[node] + 1
                    queue.append(target)
        return queue

    def shortest_path(self, start, goal):
        """(cost, nodes) of the cheapest path, or None if there is no path."""
        queue = [(0, 0, start, (start,))]
        done = set()
        pushed = 0
        while queue:
            cost, _, node, path = heapq.heappop(queue)
            if node == goal:
                return cost, list(path)
            if node in done:
                continue
            done.add(node)
            for target, weight in self._next.get(node, {}).items():
                if target not in done:
                    pushed += 1
                    heapq.heappush(queue, (cost + weight, pushed, target, (*path, target)))
        return None

    def topological_order(self):
        """Nodes so that every edge leads forward; earlier inserted nodes come first."""
        waiting = {node: self.in_degree(node) for node in self._next}
        ready = [node for node, count in waiting.items() if count == 0]
        order = []
        while ready:
            node = ready.pop(0)
            order.append(node)
            for target in self._next[node]:
                waiting[target] -= 1
                if waiting[target] == 0:
                    ready.append(target)
        if len(order) < len(self._next):
            raise CycleError("the graph has a cycle")
        return order

    def has_cycle(self):
        """Whether some path leads back to where it started."""
        try:
            self.topological_order()
        except CycleError:
            return True
        return False

    def components(self):
        """Groups of nodes that hang together when directions are ignored."""
        turned = self.reverse()
        seen = set()
        groups = []
        for start in self._next:
            if start in seen:
                continue
            group = []
            stack = [start]
            seen.add(start)
            while stack:
                node = stack.pop()
                group.append(node)
                for target in self.neighbours(node) + turned.neighbours(node):
                    if target not in seen:
                        seen.add(target)
                        stack.append(target)
            groups.append(sorted(group))
        return groups
