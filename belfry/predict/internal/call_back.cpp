#include "belfry/predict/internal/call_back.h"

#include <c10/util/Exception.h>

#include <exception>
#include <utility>

#include "belfry/base/log.h"

namespace belfry::internal {

void call_back(const std::function<void(std::future<std::vector<at::Tensor>>)>& done,
               std::future<std::vector<at::Tensor>> result) {
  try {
    done(std::move(result));
  } catch (const c10::Error& error) {
    log_error("a callback of a prediction has thrown: {}", error.what_without_backtrace());
  } catch (const std::exception& error) {
    log_error("a callback of a prediction has thrown: {}", error.what());
  } catch (...) {
    log_error("a callback of a prediction has thrown");
  }
}

}  // namespace belfry::internal
