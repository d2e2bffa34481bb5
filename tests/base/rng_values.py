"""Prints the numbers that tests/base/rng_test.cpp expects: std::mt19937_64 seeded with std::seed_seq{42, 0, 3, 0}, and
with the one number that 42, 3 and 5 are mixed to.

Written from the text of the C++ standard, [rand.util.seedseq] and [rand.eng.mers], and of SplitMix64.
"""

MASK32, MASK64 = (1 << 32) - 1, (1 << 64) - 1


def seed_seq(words, n):
    result = [0x8B8B8B8B] * n
    s = len(words)
    t = 11 if n >= 623 else 7 if n >= 68 else 5 if n >= 39 else 3 if n >= 7 else (n - 1) // 2
    p, m = (n - t) // 2, max(s + 1, n)
    q = p + t
    mix = lambda x: x ^ (x >> 27)
    for k in range(m):
        r1 = 1664525 * mix(result[k % n] ^ result[(k + p) % n] ^ result[(k - 1) % n]) & MASK32
        r2 = (r1 + (s if k == 0 else k % n + words[k - 1] if k <= s else k % n)) & MASK32
        result[(k + p) % n] = (result[(k + p) % n] + r1) & MASK32
        result[(k + q) % n] = (result[(k + q) % n] + r2) & MASK32
        result[k % n] = r2
    for k in range(m, m + n):
        r3 = 1566083941 * mix((result[k % n] + result[(k + p) % n] + result[(k - 1) % n]) & MASK32) & MASK32
        r4 = (r3 - k % n) & MASK32
        result[(k + p) % n] ^= r3
        result[(k + q) % n] ^= r4
        result[k % n] = r4
    return result


def state_of_words(words):
    a = seed_seq(words, 2 * 312)
    return [a[2 * i] | a[2 * i + 1] << 32 for i in range(312)]


def state_of_number(number):
    x = [number]
    for i in range(1, 312):
        x.append((6364136223846793005 * (x[-1] ^ (x[-1] >> 62)) + i) & MASK64)
    return x


def mixed(*numbers):
    state = 0
    for number in numbers:
        x = (state + number + 1) & MASK64
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK64
        state = x ^ (x >> 31)
    return state


def mt19937_64(x, count):
    n, m, lower = 312, 156, (1 << 31) - 1
    for i in range(count):
        y = (x[i] & ~lower & MASK64) | (x[i + 1] & lower)
        x.append(x[i + m] ^ (y >> 1) ^ (0xB5026F5AA96619E9 if y & 1 else 0))
        z = x[-1]
        z ^= (z >> 29) & 0x5555555555555555
        z ^= (z << 17) & 0x71D67FFFEDA60000
        z ^= (z << 37) & 0xFFF7EEE000000000 & MASK64
        yield z ^ (z >> 43)


if __name__ == "__main__":
    for state in (state_of_words([42, 0, 3, 0]), state_of_number(mixed(42, 3, 5))):
        print(", ".join(f"{value}u" for value in mt19937_64(state, 3)))
