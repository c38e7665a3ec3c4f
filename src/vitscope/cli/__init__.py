"""The command `vitscope`: parse, call, print. `app` holds the words, the other files the work."""
