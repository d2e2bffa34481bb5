"""Every public name of tensorpack stands in the page for who comes from it: with its counterpart, or a reason why it has none."""
import ast
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).parents[2]
PAGES = ["from-tensorpack.md", "augmentation.md"]


def names_in(source):
    """The names that assignments to __all__ list as constants."""
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            try:
                yield from ast.literal_eval(node.value)
            except ValueError:
                pass  # made while Python runs, of lists that other modules have


class TensorpackNames(unittest.TestCase):
    def test_constants_are_found(self):
        self.assertEqual(list(names_in("__all__ = ['a', 'b']\n__all__ += ['c']\n__all__.extend(x)\nb = ['d']")), ["a", "b", "c"])

    def test_all_stand_in_the_page(self):
        packages = list(ROOT.glob(".env/python/lib/python3*/site-packages/tensorpack"))
        if not packages:
            self.skipTest("no tensorpack in .env/python")
        page = "".join((ROOT / "docs/tutorial" / name).read_text() for name in PAGES)
        words = set(re.findall(r"\w+", page))
        names = {}
        for file in sorted(packages[0].rglob("*.py")):
            for name in names_in(file.read_text()):
                names.setdefault(name, str(file.relative_to(packages[0])))
        self.assertGreater(len(names), 250)
        self.assertEqual([f"{name} ({file})" for name, file in names.items() if name not in words], [])


if __name__ == "__main__":
    unittest.main()
