import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
from check_layers import check, read_table

TABLE = """
| folder | one line | may include |
| --- | --- | --- |
| base | errors | std |
| graph | nodes | base |
| ops | functions | graph |
| formats | bytes | base |
| program | instructions | base |
| train | trainers | everything above |
| cli | commands | everything |
"""


def breaches(path, include):
    """What check_layers says about a tree whose only include is this one."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "docs").mkdir()
        (root / "docs/architecture.md").write_text(TABLE)
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text(f"#pragma once\n#include {include}\n")
        return list(check(root))


class CheckLayers(unittest.TestCase):
    def test_rows_are_transitive(self):
        table = read_table(TABLE)
        self.assertEqual(table["ops"], {"ops", "graph", "base"})
        self.assertEqual(table["train"], {"train", "base", "graph", "ops", "formats", "program"})
        self.assertIn("train", table["cli"])

    def test_allowed(self):
        for path, include in [
            ("belfry/ops/math.h", '"belfry/base/error.h"'),
            ("belfry/ops/math.cpp", '"belfry/ops/internal/table.h"'),
            ("belfry/graph/node.h", "<ATen/core/Tensor.h>"),
            ("belfry/cli/main.cpp", '"belfry/train/trainer.h"'),
            ("belfry/belfry.h", '"belfry/train/trainer.h"'),
            ("belfry/train/internal/step.h", '"belfry/program/instruction.h"'),
        ]:
            with self.subTest(path=path, include=include):
                self.assertEqual(breaches(path, include), [])

    def test_breaches_are_named_with_file_and_line(self):
        for path, include, reason in [
            ("belfry/graph/node.h", '"belfry/ops/math.h"', "graph may include only base"),
            ("belfry/base/log.h", '"belfry/graph/node.h"', "base may include only std"),
            ("belfry/formats/npz.cpp", "<c10/core/ScalarType.h>", "formats knows no LibTorch"),
            ("belfry/program/plan.cpp", "<ATen/core/Tensor.h>", "program knows no LibTorch"),
            ("belfry/train/step.h", '"belfry/program/instruction.h"', "is not installed"),
            ("belfry/ops/math.cpp", "<torch/torch.h>", "takes 12-20 s"),
            ("belfry/ops/math.cpp", '"belfry/graph/internal/names.h"', "internal to graph"),
            ("belfry/ops/math.h", '"belfry/ops/internal/table.h"', "a public header"),
            ("belfry/ops/math.cpp", '"math.h"', "write includes of our own headers as"),
            ("belfry/ops/math.cpp", "<belfry/ops/math.h>", "in quotes"),
            ("belfry/ops/math.cpp", '"belfry/belfry.h"', "not the list of all"),
        ]:
            with self.subTest(path=path, include=include):
                (breach,) = breaches(path, include)
                self.assertTrue(breach.startswith(f"{path}:2: #include {include}: "), breach)
                self.assertIn(reason, breach)

    def test_folder_without_row_is_a_breach(self):
        self.assertIn("no row", breaches("belfry/utils/all.h", "<map>")[0])


if __name__ == "__main__":
    unittest.main()
