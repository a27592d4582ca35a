"""Leads the tests that adlfs brings along to the server of LEASEHOLD_TEST_ADDRESS.

They start an emulator in a container, and know only its address. As a plugin of pytest this
module is loaded before them: the container is none, and the address is the server's.
"""

import os
import sys
from unittest import mock

from adlfs.tests import constants

sys.modules["docker"] = mock.MagicMock(name="docker")

for name, value in list(vars(constants).items()):
    if isinstance(value, str):
        setattr(constants, name, value.replace("127.0.0.1:10000", os.environ["LEASEHOLD_TEST_ADDRESS"]))
