from fractions import Fraction

import pytest

from pocketkit import matrices


def test_shape():
    assert matrices.shape([[1, 2, 3], [4, 5, 6]]) == (2, 3)


def test_shape_empty():
    assert matrices.shape([]) == (0, 0)


def test_shape_rejects_ragged():
    with pytest.raises(ValueError):
        matrices.shape([[1, 2], [3]])


def test_identity():
    assert matrices.identity(2) == [[1, 0], [0, 1]]
    assert matrices.identity(0) == []


def test_transpose():
    assert matrices.transpose([[1, 2, 3], [4, 5, 6]]) == [[1, 4], [2, 5], [3, 6]]


def test_transpose_twice():
    matrix = [[1, 2], [3, 4], [5, 6]]
    assert matrices.transpose(matrices.transpose(matrix)) == matrix


def test_add():
    assert matrices.add([[1, 2]], [[3, 4]]) == [[4, 6]]


def test_add_scale():
    assert matrices.add([[5, 5]], [[1, 2]], scale=-2) == [[3, 1]]


def test_add_rejects():
    with pytest.raises(ValueError):
        matrices.add([[1, 2]], [[1], [2]])


def test_add_inverse():
    assert matrices.add([[1, 2], [3, 4]], [[1, 2], [3, 4]], -1) == [[0, 0], [0, 0]]


def test_multiply():
    assert matrices.multiply([[1, 2], [3, 4]], [[5, 6], [7, 8]]) == [[19, 22], [43, 50]]


def test_multiply_shapes():
    assert matrices.multiply([[1, 2, 3]], [[1], [2], [3]]) == [[14]]
    assert matrices.multiply([[1], [2]], [[3, 4]]) == [[3, 4], [6, 8]]


def test_multiply_identity():
    matrix = [[2, 7], [1, 8]]
    assert matrices.multiply(matrix, matrices.identity(2)) == matrix


def test_multiply_rejects():
    with pytest.raises(ValueError):
        matrices.multiply([[1, 2]], [[1, 2]])


def test_power_fibonacci():
    assert matrices.power([[1, 1], [1, 0]], 10)[0][1] == 55


def test_power_zero():
    assert matrices.power([[2, 3], [4, 5]], 0) == [[1, 0], [0, 1]]


def test_power_one():
    assert matrices.power([[2, 3], [4, 5]], 1) == [[2, 3], [4, 5]]


def test_power_three():
    assert matrices.power([[2]], 3) == [[8]]


def test_power_rejects_shape():
    with pytest.raises(ValueError, match="square"):
        matrices.power([[1, 2]], 2)


def test_power_rejects_negative():
    with pytest.raises(ValueError, match="negative"):
        matrices.power([[1]], -1)


@pytest.mark.parametrize(
    "matrix, value", [([[3]], 3), ([[1, 2], [3, 4]], -2), ([[2, 0, 0], [0, 3, 0], [0, 0, 4]], 24)]
)
def test_determinant(matrix, value):
    assert matrices.determinant(matrix) == value


def test_determinant_needs_swap():
    assert matrices.determinant([[0, 1], [1, 0]]) == -1


def test_determinant_singular():
    assert matrices.determinant([[1, 2], [2, 4]]) == 0


def test_determinant_three():
    assert matrices.determinant([[6, 1, 1], [4, -2, 5], [2, 8, 7]]) == -306


def test_determinant_rejects():
    with pytest.raises(ValueError):
        matrices.determinant([[1, 2]])


def test_determinant_of_transpose():
    matrix = [[2, 5, 1], [0, 3, 7], [4, 1, 1]]
    assert matrices.determinant(matrix) == matrices.determinant(matrices.transpose(matrix))


def test_solve():
    assert matrices.solve([[2, 1], [1, 3]], [5, 10]) == [1, 3]


def test_solve_needs_swap():
    assert matrices.solve([[0, 2], [1, 0]], [4, 3]) == [3, 2]


def test_solve_fractions():
    assert matrices.solve([[3]], [1]) == [Fraction(1, 3)]


def test_solve_singular():
    assert matrices.solve([[1, 1], [2, 2]], [1, 2]) is None


def test_solve_rejects():
    with pytest.raises(ValueError):
        matrices.solve([[1, 2]], [1])
    with pytest.raises(ValueError):
        matrices.solve([[1, 0], [0, 1]], [1])


def test_solve_checks_out():
    matrix = [[2, -1, 0], [-1, 2, -1], [0, -1, 2]]
    solution = matrices.solve(matrix, [1, 0, 1])
    assert matrices.multiply(matrix, [[value] for value in solution]) == [[1], [0], [1]]


def test_trace():
    assert matrices.trace([[1, 2], [3, 4]]) == 5


def test_trace_wide():
    assert matrices.trace([[1, 2, 3], [4, 5, 6]]) == 6
    assert matrices.trace([[1], [2]]) == 1


def test_trace_identity():
    assert matrices.trace(matrices.identity(4)) == 4


def test_is_symmetric():
    assert matrices.is_symmetric([[1, 2], [2, 3]]) is True
    assert matrices.is_symmetric([[1, 2], [3, 3]]) is False


def test_is_symmetric_shape():
    assert matrices.is_symmetric([[1, 2]]) is False


def test_is_symmetric_last_row():
    assert not matrices.is_symmetric([[1, 0, 0], [0, 1, 5], [0, 4, 1]])


def test_is_symmetric_product():
    matrix = [[1, 2, 3], [4, 5, 6]]
    assert matrices.is_symmetric(matrices.multiply(matrix, matrices.transpose(matrix)))


def test_rotate_clockwise():
    assert matrices.rotate_clockwise([[1, 2], [3, 4]]) == [[3, 1], [4, 2]]


def test_rotate_twice():
    assert matrices.rotate_clockwise([[1, 2], [3, 4]], times=2) == [[4, 3], [2, 1]]


def test_rotate_full_turn():
    assert matrices.rotate_clockwise([[1, 2, 3]], 4) == [[1, 2, 3]]


def test_rotate_back():
    assert matrices.rotate_clockwise(matrices.rotate_clockwise([[1, 2], [3, 4]]), -1) == [[1, 2], [3, 4]]


def test_spiral():
    assert matrices.spiral([[1, 2, 3], [4, 5, 6], [7, 8, 9]]) == [1, 2, 3, 6, 9, 8, 7, 4, 5]


def test_spiral_wide():
    assert matrices.spiral([[1, 2, 3], [4, 5, 6]]) == [1, 2, 3, 6, 5, 4]


def test_spiral_column():
    assert matrices.spiral([[1], [2], [3]]) == [1, 2, 3]
    assert matrices.spiral([]) == []
