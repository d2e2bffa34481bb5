import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
from check_text import findings

SLASH, HTTP = "/", "http" + "://"  # so that the check does not find its own test


def found(line):
    return [what for _, what in findings(line + "\n")]


class CheckText(unittest.TestCase):
    def test_plain_text_passes(self):
        for line in ["", "text", "a/tmp/b", "${TMPDIR:-x}/work", HTTP + "pypi.org/simple", HTTP + "localhost:6006"]:
            with self.subTest(line):
                self.assertEqual(found(line), [])

    def test_what_belongs_to_one_machine_is_found(self):
        for line, what in [
            (f"open {SLASH}work/main", "path of one machine"),
            (f'"{SLASH}tmp/x"', "path of one machine"),
            (f"{SLASH}home/someone/x", "path of one machine"),
            (f"{HTTP}registry/simple", "host that only one network knows"),
            (f"{HTTP}10.0.0.1:8080/", "host that only one network knows"),
            (f"{HTTP}mirror.corp/x", "host that only one network knows"),
        ]:
            with self.subTest(line):
                self.assertEqual(found(line), [what])

    def test_stray_white_space_is_found_with_its_line(self):
        self.assertEqual(list(findings("a\nb \n")), [(2, "trailing white space")])
        self.assertEqual(list(findings("a")), [(1, "no newline at the end")])
        self.assertEqual(list(findings("a\n\n")), [(2, "empty line at the end")])


if __name__ == "__main__":
    unittest.main()
