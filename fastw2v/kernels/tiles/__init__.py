"""Small matrix products and row operations in the registers of the machine."""
