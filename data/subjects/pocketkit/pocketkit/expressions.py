"""A tokenizer, a parser and an evaluator for arithmetic expressions with variables and functions."""

OPERATORS = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 4}
FUNCTIONS = {"abs": (abs, 1), "min": (min, 2), "max": (max, 2), "round": (round, 1)}
UNARY = 3


class ExpressionError(ValueError):
    """The text is not an expression, or it cannot be evaluated."""

    def __init__(self, message, position=-1):
        super().__init__(message if position < 0 else f"{message} at {position}")
        self.position = position


def tokenize(text):
    """(kind, value, position) of each token; kinds are number, name, operator and punctuation."""
    tokens = []
    index = 0
    while index < len(text):
        character = text[index]
        if character.isspace():
            index += 1
            continue
        start = index
        if character.isdigit() or character == ".":
            while index < len(text) and (text[index].isdigit() or text[index] == "."):
                index += 1
            word = text[start:index]
            if word.count(".") > 1 or word == ".":
                raise ExpressionError(f"bad number {word}", start)
            tokens.append(("number", float(word) if "." in word else int(word), start))
        elif character.isalpha() or character == "_":
            while index < len(text) and (text[index].isalnum() or text[index] == "_"):
                index += 1
            tokens.append(("name", text[start:index], start))
        elif character in OPERATORS:
            tokens.append(("operator", character, start))
            index += 1
        elif character in "(),":
            tokens.append(("punctuation", character, start))
            index += 1
        else:
            raise ExpressionError(f"unexpected {character!r}", index)
    return tokens


class Parser:
    """Precedence climbing over a list of tokens."""

    def __init__(self, tokens):
        self.tokens = tokens
        self.index = 0

    def peek(self):
        """The next token, or an end marker."""
        if self.index < len(self.tokens):
            return self.tokens[self.index]
        return ("end", None, -1)

    def take(self, value=None):
        """Consume the next token, which must have a value if one is given."""
        token = self.peek()
        if token[0] == "end":
            raise ExpressionError("unexpected end")
        if value is not None and token[1] != value:
            raise ExpressionError(f"expected {value!r}", token[2])
        self.index += 1
        return token

    def parse(self):
        """The whole text as one tree."""
        tree = self.expression(0)
        kind, value, position = self.peek()
        if kind != "end":
            raise ExpressionError(f"unexpected {value!r}", position)
        return tree

    def expression(self, minimum):
        """An operand followed by operators that bind at least as strongly as `minimum`."""
        left = self.operand()
        while True:
            kind, operator, _ = self.peek()
            if kind != "operator" or OPERATORS[operator] < minimum:
                return left
            self.take()
            strength = OPERATORS[operator]
            right = self.expression(strength if operator == "^" else strength + 1)
            left = ("binary", operator, left, right)

    def operand(self):
        """A number, a name, a call, a parenthesis or a sign."""
        kind, value, position = self.take()
        if kind == "number":
            return ("number", value)
        if kind == "name":
            if self.peek()[1] == "(":
                return ("call", value, self.arguments())
            return ("name", value)
        if value == "(":
            tree = self.expression(0)
            self.take(")")
            return tree
        if value in ("-", "+"):
            return ("unary", value, self.expression(UNARY))
        raise ExpressionError(f"unexpected {value!r}", position)

    def arguments(self):
        """What stands between the parentheses of a call."""
        self.take("(")
        arguments = []
        if self.peek()[1] == ")":
            self.take()
            return arguments
        arguments.append(self.expression(0))
        while self.peek()[1] == ",":
            self.take()
            arguments.append(self.expression(0))
        self.take(")")
        return arguments


def evaluate_tree(tree, names):
    """Value of a parsed tree."""
    kind = tree[0]
    if kind == "number":
        return tree[1]
    if kind == "name":
        if tree[1] not in names:
            raise ExpressionError(f"unknown name {tree[1]}")
        return names[tree[1]]
    if kind == "unary":
        value = evaluate_tree(tree[2], names)
        return -value if tree[1] == "-" else value
    if kind == "call":
        if tree[1] not in FUNCTIONS:
            raise ExpressionError(f"unknown function {tree[1]}")
        function, least = FUNCTIONS[tree[1]]
        values = [evaluate_tree(argument, names) for argument in tree[2]]
        if len(values) < least:
            raise ExpressionError(f"{tree[1]} needs {least} arguments")
        return function(*values)
    left = evaluate_tree(tree[2], names)
    right = evaluate_tree(tree[3], names)
    operator = tree[1]
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if operator == "^":
        return left**right
    if right == 0:
        raise ExpressionError("division by zero")
    if operator == "/":
        return left / right
    return left % right


def evaluate(text, names=None, digits=None):
    """Value of an expression, rounded if a number of digits is given."""
    value = evaluate_tree(Parser(tokenize(text)).parse(), names or {})
    if digits is not None:
        return round(value, digits)
    return value


def free_names(text):
    """Names that an expression needs, sorted."""
    tokens = tokenize(text)
    found = set()
    for index, (kind, value, _) in enumerate(tokens):
        if kind != "name":
            continue
        called = index + 1 < len(tokens) and tokens[index + 1][1] == "("
        if not called:
            found.add(value)
    return sorted(found)
