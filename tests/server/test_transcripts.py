"""Every transcript on a fresh and on a used connection, over plain TCP and TLS."""

import pytest

import transcript
from settings import PATIENT


@pytest.fixture(scope="module")
def site():
    with transcript.Site(pool=600, configure=PATIENT) as s:
        yield s


@pytest.mark.parametrize("path, how", [
    pytest.param(p, h, id=f"{p.stem}-{h}")
    for p in transcript.transcripts() for h in transcript.Transcript(p).how])
def test_transcript_is_the_same_on_a_used_connection(site, path, how):
    transcript.check(path, site, how)
