import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
from extract_samples import extract


def page(*lines):
    return extract("\n".join(lines), "page.md")


class ExtractSamples(unittest.TestCase):
    def test_page_without_samples_is_an_empty_file(self):
        self.assertEqual(page("# Title", "```text", "not C++", "```"), "")

    def test_page_without_includes_gets_the_whole_library(self):
        self.assertTrue(page("```cpp", "int x;", "```").startswith('#include "belfry/belfry.h"\n'))

    def test_includes_move_out_of_the_namespace_once(self):
        text = page("```cpp", "#include <map>", "int x;", "```", "```cpp", "#include <map>", "```")
        self.assertEqual(text.count("#include <map>"), 1)
        self.assertTrue(text.startswith("#include <map>\nnamespace sample_1 {"))

    def test_inferencer_messages_point_into_the_page(self):
        self.assertIn('#line 3 "page.md"\nint x;', page("text", "```cpp", "int x;", "```"))

    def test_each_chain_has_its_own_namespace(self):
        text = page("```cpp", "int x;", "```", "```cpp", "int x;", "```")
        self.assertIn("namespace sample_2 {", text)

    def test_statements_follow_all_declarations_of_their_chain(self):
        text = page("<!-- sample: body -->", "```cpp", "f();", "```",
                    "<!-- sample: continues -->", "```cpp", "void f();", "```")
        self.assertLess(text.index("void f();"), text.index("void body() {"))
        self.assertNotIn("namespace sample_2", text)

    def test_hidden_code_stands_before_the_next_block(self):
        text = page("<!-- sample: hidden", "int x;", "-->", "<!-- sample: body -->", "```cpp", "x = 1;", "```")
        self.assertLess(text.index("void body() {"), text.index("int x;"))
        self.assertLess(text.index("int x;"), text.index("x = 1;"))

    def test_mistakes_are_named_with_their_line(self):
        cases = {
            ("<!-- sample: boddy -->",): "line 1: unknown word",
            ("<!-- sample: body -->", "text"): "line 2: a sample comment",
            ("<!-- sample: continues -->", "```cpp", "```"): "line 3: there is no sample before",
            ("```cpp", "int x;"): "has no ```",
            ("<!-- sample: hidden", "int x;", "-->"): "belongs to no sample",
        }
        for lines, message in cases.items():
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                page(*lines)


if __name__ == "__main__":
    unittest.main()
