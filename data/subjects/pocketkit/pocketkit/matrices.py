"""Matrices as lists of rows, with exact arithmetic on integers and fractions."""

from fractions import Fraction


def shape(matrix):
    """(rows, columns), after checking that all rows are equally long."""
    rows = len(matrix)
    columns = len(matrix[0]) if rows else 0
    for row in matrix:
        if len(row) != columns:
            raise ValueError("rows differ in length")
    return rows, columns


def identity(size):
    """Ones on the diagonal, zeros elsewhere."""
    return [[1 if row == column else 0 for column in range(size)] for row in range(size)]


def transpose(matrix):
    """Rows become columns."""
    rows, columns = shape(matrix)
    return [[matrix[row][column] for row in range(rows)] for column in range(columns)]


def add(left, right, scale=1):
    """The left matrix plus a multiple of the right one."""
    if shape(left) != shape(right):
        raise ValueError("shapes differ")
    return [[a + scale * b for a, b in zip(x, y)] for x, y in zip(left, right)]


def multiply(left, right):
    """Matrix product."""
    rows, inner = shape(left)
    height, columns = shape(right)
    if inner != height:
        raise ValueError("shapes do not fit")
    product = []
    for row in range(rows):
        line = []
        for column in range(columns):
            total = 0
            for k in range(inner):
                total += left[row][k] * right[k][column]
            line.append(total)
        product.append(line)
    return product


def power(matrix, exponent):
    """A square matrix to a non-negative power, by squaring."""
    rows, columns = shape(matrix)
    if rows != columns:
        raise ValueError("only square matrices have powers")
    if exponent < 0:
        raise ValueError("the exponent cannot be negative")
    result = identity(rows)
    base = matrix
    while exponent:
        if exponent % 2 == 1:
            result = multiply(result, base)
        base = multiply(base, base)
        exponent //= 2
    return result


def determinant(matrix):
    """Determinant by elimination with fractions."""
    rows, columns = shape(matrix)
    if rows != columns:
        raise ValueError("only square matrices have a determinant")
    work = [[Fraction(value) for value in row] for row in matrix]
    result = Fraction(1)
    for column in range(columns):
        pivot = None
        for row in range(column, rows):
            if work[row][column] != 0:
                pivot = row
                break
        if pivot is None:
            return Fraction(0)
        if pivot != column:
            work[pivot], work[column] = work[column], work[pivot]
            result = -result
        result *= work[column][column]
        for row in range(column + 1, rows):
            factor = work[row][column] / work[column][column]
            for k in range(column, columns):
                work[row][k] -= factor * work[column][k]
    return result


def solve(matrix, vector):
    """The x with matrix * x = vector, or None if the matrix is singular."""
    rows, columns = shape(matrix)
    if rows != columns or rows != len(vector):
        raise ValueError("shapes do not fit")
    work = [[Fraction(value) for value in row] + [Fraction(b)] for row, b in zip(matrix, vector)]
    for column in range(columns):
        pivot = next((row for row in range(column, rows) if work[row][column] != 0), None)
        if pivot is None:
            return None
        work[column], work[pivot] = work[pivot], work[column]
        lead = work[column][column]
        work[column] = [value / lead for value in work[column]]
        for row in range(rows):
            if row == column:
                continue
            factor = work[row][column]
            work[row] = [a - factor * b for a, b in zip(work[row], work[column])]
    return [row[-1] for row in work]


def trace(matrix):
    """Sum of the diagonal."""
    rows, columns = shape(matrix)
    return sum(matrix[index][index] for index in range(min(rows, columns)))


def is_symmetric(matrix):
    """Whether the matrix equals its transpose."""
    rows, columns = shape(matrix)
    if rows != columns:
        return False
    for row in range(rows):
        for column in range(row):
            if matrix[row][column] != matrix[column][row]:
                return False
    return True


def rotate_clockwise(matrix, times=1):
    """The matrix turned by quarter turns."""
    shape(matrix)
    for _ in range(times % 4):
        matrix = [list(row) for row in zip(*matrix[::-1])]
    return matrix


def spiral(matrix):
    """Values from the outside in, clockwise from the top left."""
    out = []
    rest = [list(row) for row in matrix]
    while rest:
        out.extend(rest.pop(0))
        rest = [list(row) for row in zip(*rest)][::-1]
    return out
