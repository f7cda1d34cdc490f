"""Working with strings: slugs, wrapping, cases, distances and simple templates."""

import unicodedata

VOWELS = "aeiou"


def slugify(value, separator="-", max_length=0):
    """Turn a title into a lower-case, ASCII identifier for an address."""
    folded = unicodedata.normalize("NFKD", value)
    pieces = []
    current = ""
    for character in folded.lower():
        if character.isascii() and character.isalnum():
            current += character
        elif unicodedata.combining(character):
            continue
        elif current:
            pieces.append(current)
            current = ""
    if current:
        pieces.append(current)
    if max_length <= 0:
        return separator.join(pieces)
    result = ""
    for piece in pieces:
        candidate = piece if not result else result + separator + piece
        if len(candidate) > max_length:
            break
        result = candidate
    if not result and pieces:
        return pieces[0][:max_length]
    return result


def truncate(value, length, suffix="...", whole_words=False):
    """Shorten a text to at most `length` characters, the suffix included."""
    if length < len(suffix):
        raise ValueError("length is shorter than the suffix")
    if len(value) <= length:
        return value
    kept = value[: length - len(suffix)]
    if whole_words and value[len(kept)] != " ":
        space = kept.rfind(" ")
        if space > 0:
            kept = kept[:space]
    return kept.rstrip() + suffix


def wrap(value, width=72, indent=""):
    """Break a paragraph into lines of at most `width` characters; longer words stand alone."""
    if width < 1:
        raise ValueError("width must be positive")
    lines = []
    line = indent
    empty = True
    for word in value.split():
        if empty:
            line += word
            empty = False
        elif len(line) + 1 + len(word) <= width:
            line += " " + word
        else:
            lines.append(line)
            line = indent + word
    if not empty:
        lines.append(line)
    return lines


def split_words(name):
    """Split an identifier in snake, kebab, camel or Pascal case into lower-case words."""
    words = []
    current = ""
    for index, character in enumerate(name):
        if character in "_- ":
            if current:
                words.append(current.lower())
            current = ""
            continue
        if character.isupper() and current:
            previous_is_lower = not name[index - 1].isupper()
            next_is_lower = index + 1 < len(name) and name[index + 1].islower()
            if previous_is_lower or next_is_lower:
                words.append(current.lower())
                current = ""
        current += character
    if current:
        words.append(current.lower())
    return words


def camel_case(name, upper_first=False):
    """Write an identifier in camelCase (or PascalCase)."""
    words = split_words(name)
    if not words:
        return ""
    head = words[0].capitalize() if upper_first else words[0]
    return head + "".join(word.capitalize() for word in words[1:])


def snake_case(name, separator="_"):
    """Write an identifier in snake_case."""
    return separator.join(split_words(name))


def edit_distance(left, right, substitution=1):
    """Levenshtein distance with a chosen cost of substitution."""
    if left == right:
        return 0
    previous = list(range(len(right) + 1))
    for row, a in enumerate(left, start=1):
        current = [row]
        for column, b in enumerate(right, start=1):
            cost = 0 if a == b else substitution
            current.append(
                min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + cost)
            )
        previous = current
    return previous[-1]


def closest(word, choices, limit=3):
    """The choice nearest to `word` by edit distance, or None if all are farther than `limit`."""
    best = None
    best_distance = limit + 1
    for choice in choices:
        distance = edit_distance(word, choice)
        if distance < best_distance:
            best = choice
            best_distance = distance
    return best


def pluralize(noun, count=2):
    """English plural of a regular noun, unless there is exactly one."""
    if count == 1 or not noun:
        return noun
    lower = noun.lower()
    if lower.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if lower.endswith("y") and len(noun) > 1 and lower[-2] not in VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def render(template, values, default=None):
    """Fill `{name}` fields; `{{` and `}}` stand for braces; a missing name takes the default or raises."""
    out = []
    index = 0
    while index < len(template):
        character = template[index]
        if template[index : index + 2] in ("{{", "}}"):
            out.append(character)
            index += 2
            continue
        if character == "}":
            raise ValueError(f"single brace at {index}")
        if character != "{":
            out.append(character)
            index += 1
            continue
        end = template.find("}", index)
        if end < 0:
            raise ValueError(f"unclosed field at {index}")
        name = template[index + 1 : end].strip()
        if name in values:
            out.append(str(values[name]))
        elif default is not None:
            out.append(default)
        else:
            raise KeyError(name)
        index = end + 1
    return "".join(out)
