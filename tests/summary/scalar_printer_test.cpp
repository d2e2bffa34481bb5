#include "belfry/summary/scalar_printer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/base/error.h"
#include "tests/support/tiny_trainer.h"

namespace belfry {
namespace {

using test::TinyTrainer;
using testing::ElementsAre;

/// Puts b and a in every step and c at the end of every epoch.
class Source : public Callback {
 public:
  std::string name() const override { return "Source"; }
  void trigger_step() override {
    trainer().monitors().put_scalar("b", static_cast<double>(trainer().global_step()));
    trainer().monitors().put_scalar("a", 0.123456789);
  }
  void trigger() override { trainer().monitors().put_scalar("c/x", 1e-9); }
};

/// The lines that a training of one epoch of two steps prints.
std::vector<std::string> printed(const ScalarPrinterOptions& options) {
  test::LogLines log;
  TinyTrainer trainer;
  trainer.train({.callbacks = callbacks(Source()),
                 .monitors = {std::make_shared<ScalarPrinter>(options)},
                 .loop = {.steps_per_epoch = 2, .max_epoch = 1}});
  std::vector<std::string> result;
  for (const std::string& line : log.lines()) {
    if (line.find(": ") == 1 || line.starts_with("c/x")) result.push_back(line);
  }
  return result;
}

TEST(ScalarPrinter, PrintsTheNewestValuesSortedAtTheEndOfAnEpoch) {
  EXPECT_THAT(printed({}), ElementsAre("a: 0.12346", "b: 2", "c/x: 1e-09"));
}

TEST(ScalarPrinter, PrintsEveryStepWhenAsked) {
  EXPECT_THAT(printed({.enable_step = true}),
              ElementsAre("a: 0.12346", "b: 1", "a: 0.12346", "b: 2", "c/x: 1e-09"));
  EXPECT_THAT(printed({.enable_step = true, .enable_epoch = false}),
              ElementsAre("a: 0.12346", "b: 1", "a: 0.12346", "b: 2"));
}

TEST(ScalarPrinter, ChoosesTagsByRegularExpressions) {
  EXPECT_THAT(printed({.whitelist = {"^a$", "/"}}), ElementsAre("a: 0.12346", "c/x: 1e-09"));
  EXPECT_THAT(printed({.blacklist = {"a|b"}}), ElementsAre("c/x: 1e-09"));
  EXPECT_THAT(printed({.whitelist = {"a", "b"}, .blacklist = {"b"}}), ElementsAre("a: 0.12346"));
}

TEST(ScalarPrinter, RefusesWhatIsNoRegularExpression) {
  EXPECT_THROW(ScalarPrinter({.whitelist = {"("}}), UsageError);
}

}  // namespace
}  // namespace belfry
