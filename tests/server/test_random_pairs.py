"""Proof 1, second half: MAILSTILE_PAIRS random pairs (2,000), a new seed each run."""

import os
import time

import random_pairs


def test_random_scripts_answer_the_same_on_a_used_connection():
    pairs = int(os.environ.get("MAILSTILE_PAIRS", "2000"))
    seed = int(os.environ.get("MAILSTILE_SEED", str(int(time.time()))))
    print(f"seed {seed}")
    with random_pairs.make_site(pairs) as site:
        failures = random_pairs.compare(pairs, seed, 8, site)
    assert not failures, "\n\n".join(failures)
