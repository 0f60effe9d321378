from itertools import product

from aacsfnet.seeds import seed_of


def test_a_seed_is_the_same_in_every_process_and_release():
    # From sha256sum of each part's length in four bytes and its text; a change here changes every
    # generated picture.
    assert seed_of(1, "generate", "s/a/0", 2) == 0x57E641C8AC9DB03A >> 1


def test_seeds_fit_a_signed_64_bit_column_and_do_not_meet():
    seeds = [seed_of(run, stage, i) for run, stage, i in product(range(5), "ab", range(500))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
