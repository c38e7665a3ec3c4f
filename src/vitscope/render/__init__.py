"""A Look as pictures and files, made with matplotlib and good enough for a paper as they come out."""
