"""Paper of the packing desk: labels, pick lists, manifests. Turns values into PDF and CSV; it cannot query."""
