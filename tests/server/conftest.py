"""Fixtures: one running site for a module, users that nobody had before."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import Site       # noqa: E402
from settings import PATIENT   # noqa: E402


@pytest.fixture(scope="module")
def site():
    with Site(pool=200, configure=PATIENT) as s:
        yield s


@pytest.fixture
def alice(site):
    return site.new_user()


@pytest.fixture
def bob(site):
    return site.new_user()


@pytest.fixture(params=["plain", "tls"])
def how(request):
    return request.param
