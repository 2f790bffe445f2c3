"""The mathematics, slowly and obviously, in NumPy: what every kernel must agree with.

losses holds the formulas and gradients of Stanford CS224n; the other files have the names of those of
`fastw2v.kernels`, and the same functions in the same order.
"""
