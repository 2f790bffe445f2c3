"""From files and objects to Arrow batches, to tokens, to ids; `fastw2v.corpus` is the door."""
