"""The segment tree: decompositions, sensitivity, query error."""
