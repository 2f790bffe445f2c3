"""The commands of `fastw2v`, a module for each group of them; `fastw2v.cli` puts them together."""
