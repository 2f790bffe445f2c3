"""What other programs call the options of this one, so that a wrong name gets the right hint.

Names are compared without case, dashes and underscores: `minCount`, `--min-count` and `min_count` are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastw2v.errors import UsageError
from fastw2v.options.checks import MAX_SHOWN

CLOSE = 0.6  # of difflib: a letter or two that are wrong, left out or too many

# word2vec.c, gensim, fastText, GloVe, scikit-learn, PyTorch; and the command's names and Python's for each
# other's. Of several the first that is known is meant.
MEANT: dict[str, str] = {
    "dim": "size vector_size embedding_dim embedding_size emb_size dimension dimensions dims "
    "n_components n_dim ndim layer1_size",
    "window": "ws window_size context context_size context_window radius",
    "negatives": "negative neg k num_negatives n_negatives num_neg num_sampled negative_samples "
    "negative_sampling",
    "epochs": "iter iters iterations epoch max_iter n_iter n_epochs num_epochs passes",
    "minutes": "time time_limit max_time duration budget",
    "lr": "alpha start_alpha learning_rate step_size eta",
    "min_lr": "min_alpha end_alpha min_learning_rate",
    "sample": "t subsample subsampling sampling_threshold downsample",
    "ns_exponent": "exponent power noise_exponent",
    "dynamic_window": "shrink_windows shrink_window fixed_window random_window",
    "threads": "workers thread n_threads num_threads num_workers n_workers n_jobs jobs cores cpus "
    "processes n_proc",
    "seed": "random_state random_seed rng",
    "subwords": "subword ngrams n_grams char_ngrams",
    "buckets": "bucket n_buckets num_buckets",
    "min_count": "min_freq min_frequency min_df vocab_min_count min_word_count mincount",
    "max_vocab": "max_final_vocab max_vocab_size vocab_size max_words max_features max_tokens top_words",
    "lowercase": "lower do_lower_case to_lower uncased",
    "kmers": "kmer k_mer k_mers kmer_size kmer_length",
    "reverse_complement": "canonical rc revcomp both_strands",
    "tokenize": "tokenizer preprocess simple_preprocess",
    "encoding": "charset codec file_encoding",
    "errors": "unicode_errors decode_errors encoding_errors",
    "stop_words": "stopwords stop_list",
    "stop_list": "stopwords stop_words",
    "keep_words": "keep_list whitelist",
    "keep_list": "keep_words whitelist",
    "scoring": "scorer",
    "delimiter": "glue",
    "phrase_scoring": "scoring",
    "phrase_threshold": "threshold",
    "phrase_delimiter": "delimiter",
    "connector_words": "common_terms common_words",
    "column": "text_column text_field field col",
    "group_by": "groupby session session_column by",
    "global_context": "target_column booked booked_item outcome_column",
    "order_by": "sort_by sort timestamp_column",
    "graph": "edges edge_list edgelist network",
    "pairs": "pairs_file word_context contexts_file",
    "outside_min_count": "context_min_count cvocab_min_count",
    "walks": "num_walks n_walks number_walks walks_per_node walk_number",
    "walk_length": "walk_len path_length",
    "return_parameter": "p return_param",
    "in_out_parameter": "q inout_parameter in_out_param",
    "directed": "is_directed",
    "patience": "early_stopping early_stopping_rounds",
    "holdout": "validation_split validation_fraction test_size valid",
    "vocabulary": "read_vocab vocab vocab_file load_vocab",
    "read_vocab": "vocabulary vocab_file load_vocab",
    "save_vocab": "output_vocab",
    "init": "init_vectors pretrained_vectors pretrained initial_vectors weights",
    "init_vectors": "init pretrained_vectors pretrained initial_vectors",
    "init_outside": "pretrained_outside",
    "continue_from": "continue update update_model continue_training retrain incremental previous_model",
    "continue": "continue_from update update_model continue_training retrain incremental previous_model",
    "save_model": "output_model model_path save_full_model",
    "save_outside": "save_output output_context context_vectors",
    "corpus": "sentences corpus_file corpus_iterable source input train train_file data texts text "
    "documents file path",
    "source": "corpus sentences corpus_file input train train_file data file",
    "output": "out output_file save_file destination",
    "on_epoch": "callback callbacks on_epoch_end",
    "on_chunk": "on_batch on_batch_end",
    "memory_limit": "memory max_memory",
    "verbose": "debug progress show_progress log_level",
    "format": "binary file_format type",
    "n": "topn top_n top_k number",
}
LENGTHS = "use subwords 3-6 for n-grams of 3 to 6 characters"
CBOW = "skip-gram is the default; CBOW is architecture cbow"
ABSENT = {
    "sg": f"leave it out: {CBOW}",
    "cbow": f"leave it out: {CBOW}",
    "cbow_mean": f"leave it out: contexts are averaged always; {CBOW}",
    "skipgram": f"leave it out: {CBOW}",
    "model": f"leave it out: {CBOW}",
    "hs": "use loss hierarchical-softmax",
    "hierarchical_softmax": "use loss hierarchical-softmax",
    "minn": LENGTHS,
    "maxn": LENGTHS,
    "min_n": LENGTHS,
    "max_n": LENGTHS,
    "word_ngrams": "leave it out: it is of classifiers",
    "lr_update_rate": "leave it out: the step size falls with every step",
    "batch_words": "leave it out: words are handed out as threads become free",
    "batch_size": "leave it out: words are trained one after the other, not in batches",
    "sorted_vocab": "leave it out: words are always sorted by count",
    "trim_rule": "give min_count, max_vocab, or the words to keep and to stop",
    "null_word": "leave it out: there is no such word",
    "hashfxn": "leave it out: a seed gives the same vectors everywhere",
    "compute_loss": "leave it out: the mean loss is always computed",
    "classes": "leave it out: give the vectors to a program that clusters",
    "x_max": "leave it out: this is word2vec, not GloVe",
    "device": "leave it out: training runs on the processor's cores",
    "use_gpu": "leave it out: training runs on the processor's cores",
    "gpu": "leave it out: training runs on the processor's cores",
}


def bare(name: str) -> str:
    """A name as it is compared: without case, dashes and underscores."""
    return name.lower().replace("-", "").replace("_", "")


def likely(name: str, known: Iterable[str]) -> str | None:
    """The known name that is likely meant, spelt as it is there; None where none is.

    In turn: the same but for case and dashes, another program's name for it, one spelt nearly so.
    """
    names = {bare(one): one for one in reversed(list(known))}
    others = {
        bare(other): names[bare(own)]
        for own, all_others in MEANT.items()
        if bare(own) in names
        for other in all_others.split()
    }
    meant = others | names
    if bare(name) in meant:
        return meant[bare(name)]
    if absent(name):
        return None
    import difflib

    near = difflib.get_close_matches(bare(name), meant, n=1, cutoff=CLOSE)
    return meant[near[0]] if near else None


def absent(name: str) -> str | None:
    """What to do instead of an option of other programs that has no counterpart; None for any other name."""
    return {bare(one): cure for one, cure in ABSENT.items()}.get(bare(name))


def hint(name: str, known: Iterable[str], otherwise: str) -> str:
    """The end of a message about an unknown name: what is likely meant, or what to do instead, or else."""
    meant = likely(name, known)
    return f"did you mean {meant}?" if meant else absent(name) or otherwise


def require_known(given: Iterable[str], known: Sequence[str], function: str) -> None:
    """Raise UsageError for a name that is no option of a function, saying which is likely meant."""
    for name in given:
        if name not in known:
            cure = hint(name, known, f"use {', '.join(known)}")
            raise UsageError(f"{name[:MAX_SHOWN]} is no option of {function}; {cure}", [name])
