"""What a repair template is: a name, where it comes from, and what it proposes at a suspicious statement.

The works that templates cite:

- GenProg: Le Goues, Nguyen, Forrest and Weimer, "GenProg: a generic method for automatic software repair", TSE 2012.
- PAR: Kim, Nam, Song and Kim, "Automatic patch generation learned from human-written patches", ICSE 2013.
- Plastic surgery: Barr, Brun, Devanbu, Harman and Sarro, "The plastic surgery hypothesis", FSE 2014.
- SPR: Long and Rinard, "Staged program repair with condition synthesis", ESEC/FSE 2015.
- Kali: Qi, Long, Achour and Rinard, "An analysis of patch plausibility and correctness", ISSTA 2015.
- ELIXIR: Saha, Lyu, Yoshida and Prasad, "ELIXIR: effective object-oriented program repair", ASE 2017.
- Nopol: Xuan, Martinez, DeMarco, Clement, Lamelas Marcote, Durieux, Le Berre and Monperrus, "Nopol: automatic repair of
  conditional statement bugs in Java programs", TSE 2017.
- CapGen: Wen, Chen, Wu, Hao and Cheung, "Context-aware patch generation for better automated program repair",
  ICSE 2018.
- SketchFix: Hua, Zhang, Wang and Khurshid, "Towards practical program repair with on-demand candidate generation",
  ICSE 2018.
- TBar: Liu, Koyuncu, Kim and Bissyande, "TBar: revisiting template-based automated program repair", ISSTA 2019
  (FP1 to FP15 are its fix patterns).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from autodev_lab.solvers.repair.site import Proposal, Site

__all__ = ["Template", "alternated", "interleaved", "less_promising", "template"]

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Template:
    """A way of changing a statement.

    Parameters
    ----------
    name
        Short and stable: patterns are remembered under it.
    citation
        The work on program repair that describes the kind of change.
    propose
        Proposals at a site, the most promising first. Proposals that do not compile are dropped by the caller. The
        place of a proposal says how promising it is beside those of other sites; empty ones take places (see
        `less_promising`).
    """

    name: str
    citation: str
    propose: Callable[[Site], Iterator[Proposal]]


def template(name: str, citation: str) -> Callable[[Callable[[Site], Iterator[Proposal]]], Template]:
    """Turn a generator of proposals into a template."""

    def wrap(propose: Callable[[Site], Iterator[Proposal]]) -> Template:
        return Template(name, citation, propose)

    return wrap


def less_promising(by: int) -> Iterator[Proposal]:
    """So many empty proposals: what a template proposes after them is that much less likely to be right.

    Parameters
    ----------
    by
        Places to leave empty.
    """
    yield from ((),) * by


def interleaved(*sources: Iterator[Proposal]) -> Iterator[Proposal]:
    """The first proposal of every source, then the second of every source, and so on."""
    yield from alternated(*sources)


def alternated(*sources: Iterator[_Item]) -> Iterator[_Item]:
    """The first item of every source, then the second of every source, and so on.

    Examples
    --------
    >>> list(alternated(iter("abc"), iter("x")))
    ['a', 'x', 'b', 'c']
    """
    alive = list(sources)
    while alive:
        for source in tuple(alive):
            try:
                yield next(source)
            except StopIteration:
                alive.remove(source)
