"""How good vectors are, by whatever judges lie beside the corpus."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fastw2v.vectors import evaluation, formats

# Short names of the usual sets; any other file goes by its own name.
SHORT = {"wordsim353": "WS-353", "men3000": "MEN", "simlex999": "SimLex", "questions-words": "analogy %"}


class Judges(NamedTuple):
    """Sets of word pairs and of analogy questions, by name."""

    similarity: dict[str, list[evaluation.SimilarityPair]]
    analogy: dict[str, list[evaluation.AnalogyQuestion]]

    def scores(self, vectors: Path, unescape: bool) -> dict[str, float]:
        """Spearman's ρ, and analogies answered in per cent (3CosAdd, top 30,000), of a vectors file."""
        if not (self.similarity or self.analogy):
            return {}
        embeddings = formats.load(vectors, unescape=unescape)
        scores = {
            name: evaluation.evaluate_similarity(embeddings, pairs).rho
            for name, pairs in self.similarity.items()
        }
        for name, questions in self.analogy.items():
            scores[name] = 100 * evaluation.evaluate_analogies(embeddings, questions).accuracy
        return scores


def find_judges(corpus: Path, folder: Path | None) -> Judges:
    """The files of a folder: `--eval`, else those that begin with the corpus's name, else a folder `eval`.

    A file whose first line begins with a colon holds analogies, any other word pairs.
    """
    files = sorted(folder.glob("*.txt")) if folder else sorted(corpus.parent.glob(f"{corpus.stem}.*.txt"))
    for near in (corpus.parent / "eval", corpus.parent.parent / "eval"):
        files = files or sorted(near.glob("*.txt"))
    judges = Judges({}, {})
    for file in files:
        with file.open(encoding="utf-8") as lines:
            is_analogy = lines.readline().startswith(":")
        name = SHORT.get(file.stem, file.stem.removeprefix(f"{corpus.stem}."))
        if is_analogy:
            judges.analogy[name if name.endswith("%") else f"{name} %"] = evaluation.read_analogies(file)
        else:
            judges.similarity[name] = evaluation.read_similarity(file)
    return judges
