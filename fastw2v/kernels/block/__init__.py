"""Kernel `block`: T consecutive centres share S weighted noise draws."""
