#include "belfry/base/printable.h"

#include <gtest/gtest.h>

namespace belfry {
namespace {

TEST(Printable, TextStaysAsItIs) {
  for (const char* text : {"", "conv0/W:0", "a b\\n", "Größe Ω 日本 \U0001f600", "\u00a0\u07ff\u0800\uffff"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, WhatATerminalObeysIsNamed) {
  EXPECT_EQ(printable("a\nb\r\tc\b"), "a\\nb\\r\\tc\\x08");
  EXPECT_EQ(printable("\x1b]0;title\a\x7f"), "\\x1b]0;title\\x07\\x7f");
  EXPECT_EQ(printable("\u0085\u009b2J"), "\\u0085\\u009b2J") << "the escapes of one character";
  EXPECT_EQ(printable("\u202egpj\u2066\u2028"), "\\u202egpj\\u2066\\u2028");
  EXPECT_EQ(printable(std::string_view("\0x", 2)), "\\x00x");
}

TEST(Printable, BytesThatAreNoUtf8AreNamed) {
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc0\x9b"), "\\xc0\\x9b") << "two bytes for what needs one";
  EXPECT_EQ(printable("\xe0\x80\x9b"), "\\xe0\\x80\\x9b");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "half of a pair of UTF-16";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "above the last character";
  EXPECT_EQ(printable("\xe6\x97x\xf5"), "\\xe6\\x97x\\xf5");
}

TEST(Printable, DoneTwiceIsDoneOnce) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(printable(printable(all)), printable(all));
}

}  // namespace
}  // namespace belfry
