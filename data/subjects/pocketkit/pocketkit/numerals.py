"""Writing and reading numbers: roman numerals, ordinals, sizes, durations, bases, grouping."""

ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
    (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
SIZE_UNITS = ("B", "kB", "MB", "GB", "TB")
DURATION_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def to_roman(number):
    """Roman numeral of a number from 1 to 3999."""
    if not 1 <= number <= 3999:
        raise ValueError("roman numerals run from 1 to 3999")
    out = ""
    for value, letters in ROMAN:
        while number >= value:
            out += letters
            number -= value
    return out


def from_roman(numeral):
    """Number of a roman numeral in its canonical form, in either case."""
    rest = numeral.upper()
    if not rest:
        raise ValueError("empty numeral")
    total = 0
    for value, letters in ROMAN:
        while rest.startswith(letters):
            total += value
            rest = rest[len(letters):]
    if rest or to_roman(total) != numeral.upper():
        raise ValueError(f"not a roman numeral: {numeral}")
    return total


def ordinal(number):
    """English ordinal: 1st, 2nd, 3rd, 4th, 11th."""
    tail = abs(number) % 100
    if 11 <= tail <= 13:
        suffix = "th"
    else:
        suffix = {1: "st", 2: "nd", 3: "rd"}.get(tail % 10, "th")
    return f"{number}{suffix}"


def to_base(number, base=2, width=0):
    """Digits of an integer in a base from 2 to 36, padded with zeros to `width` digits."""
    if base < 2 or base > len(DIGITS):
        raise ValueError("base must be from 2 to 36")
    negative = number < 0
    number = abs(number)
    digits = ""
    while number:
        number, remainder = divmod(number, base)
        digits = DIGITS[remainder] + digits
    digits = (digits or "0").rjust(width, "0")
    return "-" + digits if negative else digits


def from_base(text, base=2):
    """Integer written in a base from 2 to 36; underscores may separate digits."""
    negative = text.startswith("-")
    body = text[1:] if negative else text
    if not body:
        raise ValueError("no digits")
    total = 0
    for character in body.lower():
        if character == "_":
            continue
        digit = DIGITS.find(character)
        if digit < 0 or digit >= base:
            raise ValueError(f"digit {character!r} is not of base {base}")
        total = total * base + digit
    return -total if negative else total


def group_digits(number, size=3, separator=","):
    """Write an integer with a separator between groups of digits."""
    sign = "-" if number < 0 else ""
    digits = str(abs(number))
    groups = []
    while len(digits) > size:
        groups.insert(0, digits[-size:])
        digits = digits[:-size]
    groups.insert(0, digits)
    return sign + separator.join(groups)


def format_size(size, precision=1):
    """Human-readable size in decimal units."""
    if size < 0:
        raise ValueError("a size cannot be negative")
    value = float(size)
    unit = 0
    while value >= 1000 and unit < len(SIZE_UNITS) - 1:
        value /= 1000
        unit += 1
    if unit == 0:
        return f"{size} B"
    return f"{value:.{precision}f} {SIZE_UNITS[unit]}"


def format_duration(seconds, parts=2):
    """The largest `parts` units of a duration, such as `1h 5m`."""
    if seconds < 0:
        return "-" + format_duration(-seconds, parts)
    rest = int(seconds)
    out = []
    for name, length in DURATION_UNITS:
        amount, rest = divmod(rest, length)
        if amount:
            out.append(f"{amount}{name}")
        if len(out) == parts:
            break
    return " ".join(out) if out else "0s"


def parse_duration(text):
    """Seconds in a text such as `1h 30m`; a bare number is seconds."""
    lengths = dict(DURATION_UNITS)
    total = 0
    digits = ""
    for character in text.strip():
        if character.isdigit():
            digits += character
        elif character in lengths:
            if not digits:
                raise ValueError(f"no amount before {character!r}")
            total += int(digits) * lengths[character]
            digits = ""
        elif not character.isspace():
            raise ValueError(f"unknown unit {character!r}")
    if digits:
        total += int(digits)
    return total


def clamp(value, low=0, high=1):
    """The nearest value within the bounds."""
    if low > high:
        raise ValueError("bounds are the wrong way round")
    if value < low:
        return low
    if value > high:
        return high
    return value


def is_prime(number):
    """Whether a number is prime, by trial division."""
    if number < 2:
        return False
    if number % 2 == 0:
        return number == 2
    divisor = 3
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 2
    return True


def factorize(number):
    """Prime factors in rising order, with repetitions."""
    if number < 1:
        raise ValueError("only positive numbers have prime factors")
    factors = []
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    if number > 1:
        factors.append(number)
    return factors
