"""Pictures: found, decoded, shown to a model, and mapped back. Import the modules by name; this one costs nothing."""
