from itertools import product

from aacsfnet.seeds import seed_of


def test_a_seed_is_the_same_in_every_process_and_release():
    # Worked out once by hand from SHA-256; a change here changes every generated picture.
    import hashlib

    joined = b"".join(
        len(text).to_bytes(4, "big") + text for text in (b"1", b"'generate'", b"'s/a/0'", b"2")
    )
    expected = int.from_bytes(hashlib.sha256(joined).digest()[:8], "big") >> 1
    assert seed_of(1, "generate", "s/a/0", 2) == expected


def test_seeds_fit_a_signed_64_bit_column_and_do_not_meet():
    seeds = [seed_of(run, stage, i) for run, stage, i in product(range(5), "ab", range(500))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
