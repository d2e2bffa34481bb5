import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
from check_umbrellas import breaches, write

LAYERS = '#pragma once\n\n// Layers.\n//\n// Left out, as only ours need\n// it: fields.h.\n\n#include "belfry/layers/conv.h"\n'


class CheckUmbrellas(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.sources = pathlib.Path(folder.name) / "belfry"
        self.add("layers/conv.h")
        self.add("layers/fields.h")
        self.add("layers/internal/weights.h")
        self.add("layers.h", LAYERS)
        self.add("belfry.h", '#pragma once\n\n#include "belfry/layers.h"\n')

    def add(self, path, text="#pragma once\n"):
        (self.sources / path).parent.mkdir(parents=True, exist_ok=True)
        (self.sources / path).write_text(text)

    def found(self):
        return list(breaches(self.sources))

    def test_complete_lists_pass(self):
        self.assertEqual(self.found(), [])

    def test_a_new_header_is_asked_for(self):
        self.add("layers/dropout.h")
        self.assertEqual(self.found(), ['belfry/layers.h: lacks #include "belfry/layers/dropout.h"'])

    def test_a_new_folder_is_asked_for_with_its_place_in_the_list_of_all(self):
        self.add("optim/adam.h")
        self.assertEqual(self.found(), ["belfry/optim.h: there is no such file", 'belfry/belfry.h: lacks #include "belfry/optim.h"'])

    def test_what_is_gone_is_not_included(self):
        (self.sources / "layers/conv.h").unlink()
        self.assertEqual(len(self.found()), 1)
        self.assertIn('#include "belfry/layers/conv.h" is not', self.found()[0])

    def test_what_is_left_out_exists(self):
        (self.sources / "layers/fields.h").unlink()
        self.assertEqual(self.found(), ["belfry/layers.h: leaves out belfry/layers/fields.h, which does not exist"])

    def test_belfry_data_has_a_list_of_its_own(self):
        self.add("dataflow/batch.h")
        self.add("data/imgaug/crop.h")
        write(self.sources)
        self.assertEqual((self.sources / "data.h").read_text(), '#pragma once\n\n#include "belfry/data/imgaug/crop.h"\n')
        self.assertNotIn("crop.h", (self.sources / "dataflow.h").read_text())
        self.assertNotIn("data.h", (self.sources / "belfry.h").read_text())

    def test_writing_keeps_comments_and_brings_order(self):
        self.add("layers/batch_norm.h")
        self.add("optim/adam.h")
        write(self.sources)
        self.assertEqual(self.found(), [])
        expected = LAYERS.replace("#include", '#include "belfry/layers/batch_norm.h"\n#include')
        self.assertEqual((self.sources / "layers.h").read_text(), expected)


if __name__ == "__main__":
    unittest.main()
