"""Every family of vision models that is listed, against what an observer of its attention is to expect."""

import pytest

pytest.register_assert_rewrite("conformance.checks")
