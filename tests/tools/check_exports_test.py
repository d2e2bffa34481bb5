import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
from check_exports import qualified_name, strangers

HEADERS = [{"Session", "run", "Tensor"}, {"imgaug", "Transform", "draw"}]


class CheckExports(unittest.TestCase):
    def test_a_name_has_no_types_and_no_template_arguments(self):
        self.assertEqual(qualified_name("belfry::Shared<belfry::Mul>::get(int (*)(long)) const"), ["belfry", "Shared", "get"])
        self.assertEqual(qualified_name("std::vector<int> belfry::list<int>(int)"), ["belfry", "list"])
        self.assertEqual(qualified_name("vtable for belfry::Session"), ["belfry", "Session"])
        self.assertEqual(qualified_name("belfry::operator<(belfry::A const&)"), ["belfry"])
        self.assertEqual(qualified_name("belfry::type_name[abi:cxx11](int)"), ["belfry", "type_name"])

    def test_what_stands_in_one_public_header_passes(self):
        self.assertEqual(strangers(["belfry::Session::run(int)", "belfry::Session::~Session()", "nlohmann::run()"], HEADERS), [])

    def test_what_stands_in_none_is_told_once(self):
        self.assertEqual(strangers(["belfry::Session::plan(int)", "belfry::Session::plan(long)"], HEADERS),
                         ["belfry::Session::plan"])

    def test_a_name_whose_parts_stand_in_different_headers_is_none(self):
        self.assertEqual(strangers(["belfry::Session::draw()"], HEADERS), ["belfry::Session::draw"])

    def test_what_is_internal_is_told_wherever_it_stands(self):
        self.assertEqual(strangers(["typeinfo for belfry::internal::Tensor"], HEADERS), ["belfry::internal::Tensor"])


if __name__ == "__main__":
    unittest.main()
