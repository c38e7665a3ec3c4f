"""A measure over a data set: many images, one run on disk, resumable. Needs the extra `survey`."""

from vitscope.errors import MissingLibraryError

try:
    import pyarrow as pyarrow  # all of this package holds its tables in it
except ModuleNotFoundError as error:
    raise MissingLibraryError('surveys need pyarrow: pip install "vitscope[survey]"') from error
