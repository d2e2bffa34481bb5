import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
from check_symbols import breaches

LISTING = """
0000000000000000 T belfry::internal::Copy::run()
                 U operator new(unsigned long)
                 U c10::detail::torchCheckFail(char const*, char const*, unsigned int, char const*)
                 U vtable for c10::TensorImpl
                 w std::__detail::format::(int)
                 U belfry::internal::view_of(at::Tensor const&)
0000000000000000 W belfry::data::shape(at::Tensor const&)
                 U std::vector<int>::at(unsigned long)
                 U dnnl_primitive_execute
"""


class CheckSymbols(unittest.TestCase):
    def test_what_is_needed_of_libtorch_is_a_breach(self):
        self.assertEqual(breaches(LISTING), [
            "c10::detail::torchCheckFail(char const*, char const*, unsigned int, char const*)",
            "vtable for c10::TensorImpl",
            "belfry::internal::view_of(at::Tensor const&)",
        ])


if __name__ == "__main__":
    unittest.main()
