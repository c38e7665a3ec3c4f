"""Summaries of surveys as figures, tables and one page: all from the numbers, without the model."""
