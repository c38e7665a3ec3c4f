"""Where a survey's images come from: what there is, by stable ids, and how each is read."""
