"""A name becomes a model, its transform and hints of its layout; one file a library, the only one to import it."""
