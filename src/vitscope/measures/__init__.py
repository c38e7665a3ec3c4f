"""One file a measure: its formula and source, a function on dense arrays, and the same on a look."""
