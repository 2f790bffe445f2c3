"""Corpora whose structure is known, so that what a trainer recovers of it is a number.

Every word w has a Zipf frequency f(w) and a distribution θ(w, ·) over *kinds* of sentence. A kind s has the
probability P(s) = Σ_w f(w) θ(w,s), and its words are drawn independently from φ_s(w) = f(w) θ(w,s) / P(s).
So the truth is known exactly: P(w) = f(w), and for two tokens of one sentence, however far apart,

  P(w,c) = Σ_s P(s) φ_s(w) φ_s(c) = f(w) f(c) Σ_s θ(w,s) θ(c,s) / P(s).

The kinds are the topics and, for every pair (a_i, b_i) of a relation, one for a_i and one for b_i. Both hold
the attribute words of the entity i; all kinds of the a side hold the side words of a, and so for b. That
makes v(b_i) − v(a_i) the same for all i. Similarity is the cosine of rows of positive pointwise mutual
information, the matrix that skip-gram with negative sampling factorises (Levy & Goldberg 2014).

`--items` makes sequences of item ids instead: a session walks between categories, see `items.Catalogue`.

Uniform numbers are the only random input, because numpy keeps their stream from release to release.
"""

from __future__ import annotations

from corpora.planted.plan import EXPECTED, ITEM_PLAN, Counts, Plan
from corpora.planted.writing import generate

__all__ = ["EXPECTED", "ITEM_PLAN", "Counts", "Plan", "generate"]
