"""What a refused request must look like to a program."""

from contextlib import contextmanager

import pytest
from azure.core.exceptions import HttpResponseError


@contextmanager
def refused(status, code):
    """Expects the block to end in an error with this status and this error code."""
    with pytest.raises(HttpResponseError) as caught:
        yield caught
    assert (caught.value.status_code, caught.value.error_code) == (status, code)
