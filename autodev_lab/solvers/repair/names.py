"""Names as words: how alike two identifiers are, and code with one word of them exchanged for another."""

from __future__ import annotations

import re

__all__ = ["common_ends", "exchanged", "likeness", "shared", "words_of"]

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def words_of(name: str) -> tuple[str, ...]:
    """Words of an identifier, in lower case and in order.

    Examples
    --------
    >>> words_of("_isHTTPError2")
    ('is', 'http', 'error', '2')
    """
    return tuple(word.lower() for word in _WORD.findall(name))


def shared(one: frozenset[str], other: frozenset[str]) -> float:
    """Share of two sets' members that both have (Jaccard's index); 0 for two empty sets."""
    union = one | other
    return len(one & other) / len(union) if union else 0.0


def common_ends(one: str, other: str) -> tuple[int, int]:
    """Characters that two texts have in common at the beginning, and at the end.

    Examples
    --------
    >>> common_ends("left_key", "left_hand_key")
    (5, 4)
    """
    shorter = min(len(one), len(other))
    lead = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    tail = next((i for i in range(shorter) if one[-1 - i] != other[-1 - i]), shorter)
    return lead, tail


def likeness(one: str, other: str) -> float:
    """How alike two names are: shared words, then a shared beginning or end.

    Examples
    --------
    >>> likeness("left_key", "right_key") > likeness("left_key", "value")
    True
    """
    lead, tail = common_ends(one, other)
    return shared(frozenset(words_of(one)), frozenset(words_of(other))) + 0.5 * max(lead, tail) / max(
        len(one), len(other)
    )


def exchanged(text: str, there: str, here: str) -> str:
    """Code of a function called `there` with the word in which it differs from `here`, in every identifier, exchanged.

    Examples
    --------
    >>> exchanged("self.schemes.add(normal_scheme(scheme))", "allow_schemes", "allow_hosts")
    'self.hosts.add(normal_host(host))'
    >>> exchanged("return hex_to_rgb(x)", "hex_to_percent", "name_to_percent")
    'return name_to_rgb(x)'
    """
    theirs = [word for word in words_of(there) if word not in words_of(here)]
    ours = [word for word in words_of(here) if word not in words_of(there)]
    if len(theirs) != 1 or len(ours) != 1:
        return text
    old, new = theirs[0], ours[0]
    pairs = {old: new}
    if old.endswith("s") and new.endswith("s"):
        pairs[old[:-1]] = new[:-1]
    else:
        pairs[f"{old}s"] = f"{new}s"
    return _IDENTIFIER.sub(lambda found: _with_words(found.group(), pairs), text)


def _with_words(identifier: str, pairs: dict[str, str]) -> str:
    def word(found: re.Match[str]) -> str:
        own = found.group()
        new = pairs.get(own.lower())
        if new is None:
            return own
        return new.upper() if own.isupper() and len(own) > 1 else new.capitalize() if own[0].isupper() else new

    return _WORD.sub(word, identifier)
