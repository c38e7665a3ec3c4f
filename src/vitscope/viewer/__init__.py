"""The page: a Look as one HTML file, or a notebook's widget, that answers to the pointer."""
